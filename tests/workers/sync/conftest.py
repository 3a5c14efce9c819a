"""One engine for the tests that need no processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers.runtime.engine import WasmGuest


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmGuest]:
    running = WasmGuest(tmp_path_factory.mktemp("compiled"))
    yield running
    running.close()
