"""Asking the runtime workers: an operation of a context goes to its owner, a node-wide one to worker 0."""

from __future__ import annotations

from typing import Final, TypeVar, cast

from node.primitives import ContextId
from workers.channels.asyncio_ import Peers
from workers.channels.peers import NODE_ROWS
from workers.messages.base import Done, Message, Request
from workers.messages.runtime import ListContexts, PutApplication, PutBlobs, RemoveApplication, RemoveBlobs

R = TypeVar("R")

TIMEOUT: Final = 120.0
"""Seconds. An owner may compile a module or write a snapshot first; the scripts have deadlines of their own."""

EVERYWHERE: Final = (PutApplication, RemoveApplication, PutBlobs, RemoveBlobs)
"""Rows that every runtime worker keeps a copy of."""


class Owners:
    """The runtime workers by what they own."""

    def __init__(self, peers: Peers) -> None:
        self._peers = peers

    async def ask(self, operation: Request[R]) -> R:
        """Ask whoever owns what the operation is about. Raises what the owner failed with, :class:`WorkerLost`."""
        if isinstance(operation, EVERYWHERE):
            await self.inform(operation)
            return cast(R, Done())
        context_id = getattr(operation, "context_id", None)
        name = self._peers.owners.of(context_id) if isinstance(context_id, ContextId) else NODE_ROWS
        answer = await self._peers.request(name, cast(Request[Message], operation), timeout=TIMEOUT)
        return cast(R, answer)

    async def inform(self, operation: PutApplication | RemoveApplication | PutBlobs | RemoveBlobs) -> None:
        """Tell every runtime worker, the owner of the node-wide rows first."""
        for name in self._peers.owners.all():
            await self._peers.request(name, operation, timeout=TIMEOUT)

    async def contexts(self) -> list[ContextId]:
        """Every context on this node."""
        found: list[ContextId] = []
        for name in self._peers.owners.all():
            listed = await self._peers.request(name, ListContexts(), timeout=TIMEOUT)
            found += [record.id for record in listed.contexts]
        return found
