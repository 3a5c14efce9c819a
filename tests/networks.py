"""Networks of whole nodes for tests that talk to them from outside, as a user does."""

from __future__ import annotations

import asyncio
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from calimero_tui.demo.network import Network


@contextmanager
def kept_network(count: int, seconds: float) -> Iterator[list[str]]:
    """Addresses of ``count`` nodes that a loop in a thread of its own keeps; ``seconds`` for their start and stop."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        with tempfile.TemporaryDirectory(prefix="calimero-test-") as home:
            network = asyncio.run_coroutine_threadsafe(Network.start(count, Path(home)), loop).result(seconds)
            yield network.urls
            asyncio.run_coroutine_threadsafe(network.stop(), loop).result(seconds)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
