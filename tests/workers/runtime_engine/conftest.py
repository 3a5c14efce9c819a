from __future__ import annotations

from collections.abc import Iterator

import pytest

from workers.runtime.engine.guest import WasmGuest


@pytest.fixture(scope="session")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmGuest]:
    """One engine for all tests that do not change its settings."""
    running = WasmGuest(tmp_path_factory.mktemp("compiled"))
    yield running
    running.close()
