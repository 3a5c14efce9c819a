"""Deadlines of what the server asks of the other workers."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from node.primitives import BlobId, ContextId
from workers.channels.asyncio_ import Peers
from workers.messages import Message, Request
from workers.messages import sync as s
from workers.messages.base import Done
from workers.run_asyncio import Worker
from workers.server.backend import CALL_TIMEOUT, TRANSFER_TIMEOUT, Backend

LARGEST = 8 << 30
SLOW = 2.5e6
"""Bytes of the largest blob, and what a slow line brings of it in a second."""


class Asked:
    """Peers that answer at once; ``timeouts`` are the deadlines that they were given."""

    def __init__(self) -> None:
        self.timeouts: dict[str, float] = {}

    async def request(self, name: str, operation: Request[Any], *, timeout: float) -> Message:  # noqa: ASYNC109 - the seam
        self.timeouts[type(operation).__name__] = timeout
        return Done()


def test_what_brings_a_file_has_the_time_that_a_large_one_takes() -> None:
    asked = Asked()
    backend = Backend(cast(Worker, None), cast(Peers, asked))

    async def body() -> None:
        await backend.sync(s.SyncContext())
        await backend.transfer(s.FetchBlob(ContextId(bytes(32)), BlobId(bytes(32))))

    asyncio.run(body())
    assert asked.timeouts == {"SyncContext": CALL_TIMEOUT, "FetchBlob": TRANSFER_TIMEOUT}
    assert TRANSFER_TIMEOUT > LARGEST / SLOW
    assert backend.queued("sync") == 0
