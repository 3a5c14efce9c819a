"""The other workers as the handlers see them: who is asked what, and with which deadline."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, TypeVar

from node.primitives import ContextId
from workers.channels.asyncio_ import Peers
from workers.channels.peers import NODE_ROWS
from workers.messages import Message, Request, runtime
from workers.messages.control import ListWorkers, LogPage, TailLogs, WorkerRecord
from workers.messages.records import ApplicationRecord, ContextRecord
from workers.run_asyncio import Worker

R = TypeVar("R", bound=Message)

CALL_TIMEOUT: Final = 60.0
"""Seconds for a call: the guest's own deadline and the queue before it."""

TRANSFER_TIMEOUT: Final = 3600.0
"""Seconds for what brings a file from elsewhere: the largest blob at 2 MB/s. Whoever sends nothing for half a minute is
given up long before."""

SYNC: Final = "sync"
NETWORK: Final = "network"


class Backend:
    """Routes requests to the workers of this node."""

    def __init__(self, worker: Worker, peers: Peers) -> None:
        self._worker = worker
        self._peers = peers
        self._waiting: Counter[str] = Counter()

    async def owner(self, context_id: ContextId, operation: Request[R]) -> R:
        """Ask the owner of a context."""
        return await self._ask(self._peers.owners.of(context_id), operation)

    async def node_rows(self, operation: Request[R]) -> R:
        """Ask the owner of the node-wide rows."""
        return await self._ask(NODE_ROWS, operation)

    async def every_owner(self, operation: Request[R]) -> list[R]:
        """Ask all runtime workers at once."""
        return await asyncio.gather(*(self._ask(name, operation) for name in self._peers.owners.all()))

    async def sync(self, operation: Request[R]) -> R:
        """Ask the sync worker."""
        return await self._ask(SYNC, operation)

    async def transfer(self, operation: Request[R]) -> R:
        """Ask the sync worker for something that takes as long as a file is large."""
        return await self._ask(SYNC, operation, TRANSFER_TIMEOUT)

    async def network(self, operation: Request[R]) -> R:
        """Ask the network worker."""
        return await self._ask(NETWORK, operation)

    async def _ask(self, name: str, operation: Request[R], seconds: float = CALL_TIMEOUT) -> R:
        self._waiting[name] += 1
        try:
            return await self._peers.request(name, operation, timeout=seconds)
        finally:
            self._waiting[name] -= 1

    # -- what several handlers need

    async def contexts(self) -> list[ContextRecord]:
        """All contexts of the node, by id."""
        found = [record for part in await self.every_owner(runtime.ListContexts()) for record in part.contexts]
        return sorted(found, key=lambda record: record.id)

    async def context(self, context_id: ContextId) -> ContextRecord:
        return (await self.owner(context_id, runtime.DescribeContext(context_id))).context

    async def applications(self) -> list[ApplicationRecord]:
        found = (await self.node_rows(runtime.ListApplications())).applications
        return sorted(found, key=lambda record: record.id)

    async def workers(self) -> list[WorkerRecord]:
        return (await self._worker.supervisor(ListWorkers())).workers

    async def logs(self, after: int, limit: int) -> LogPage:
        return await self._worker.supervisor(TailLogs(after, limit))

    def alive(self) -> dict[str, bool]:
        """Which workers have a living channel to this one."""
        names = [*self._peers.owners.all(), SYNC, NETWORK]
        return {name: self._peers.alive(name) for name in names}

    def queued(self, name: str) -> int:
        """Requests of this worker that the named one has not answered yet."""
        return self._waiting[name]
