"""One registry for all tests of the folder, and a street of nodes for each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.mixed.houses import Ours, Street


@pytest.fixture(scope="session")
def relayer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of our registry, on a node that takes no part in anything else."""
    coordinator = Ours("coordinator", tmp_path_factory.mktemp("registry"), "")
    coordinator.start()
    try:
        yield coordinator.relayer
    finally:
        coordinator.stop()
        coordinator.client.close()


@pytest.fixture
def street(relayer: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Street]:
    made = Street(tmp_path, relayer, request.node.name.replace("/", "-"))
    try:
        yield made
    finally:
        made.close()
