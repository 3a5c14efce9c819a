from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from calimero_tui.demo.network import Network
from tests.life.apps import LIMIT


@pytest.fixture(scope="session")
def urls() -> Iterator[list[str]]:
    """Addresses of two whole nodes that a loop in a thread of its own keeps."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with tempfile.TemporaryDirectory(prefix="calimero-test-") as home:
            network = asyncio.run_coroutine_threadsafe(Network.start(2, Path(home)), loop).result(LIMIT)
            yield network.urls
            asyncio.run_coroutine_threadsafe(network.stop(), loop).result(LIMIT)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
