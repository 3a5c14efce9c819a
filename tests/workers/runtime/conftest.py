"""One engine for all tests, and two nodes that share a context of the kv app."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.workers.runtime.nodes import Peer
from workers.runtime.engine import WasmGuest


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmGuest]:
    running = WasmGuest(tmp_path_factory.mktemp("compiled"))
    yield running
    running.close()


@pytest.fixture
def alice(guest: WasmGuest, tmp_path: Path) -> Peer:
    node = Peer(1, guest, tmp_path / "alice")
    node.create(members=(Peer(2, guest, tmp_path / "unused").public,))
    return node


@pytest.fixture
def bob(alice: Peer, guest: WasmGuest, tmp_path: Path) -> Peer:
    node = Peer(2, guest, tmp_path / "bob")
    node.adopt(alice)
    node.bootstrap(alice)
    return node
