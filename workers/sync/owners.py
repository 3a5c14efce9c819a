"""Asking the runtime workers: an operation of a context goes to its owner, a node-wide one to worker 0."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar, cast

from node.primitives import ContextId
from workers.channels.asyncio_ import Peers
from workers.channels.peers import NODE_ROWS
from workers.messages.base import Done, Message, Request
from workers.messages.records import BlobRecord
from workers.messages.runtime import (
    GetBlob,
    ListBlobs,
    ListContexts,
    PutApplication,
    PutBlobs,
    RemoveApplication,
    RemoveBlobs,
    TellGovernance,
)

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

    async def tell_governance(self) -> None:
        """Have every runtime worker tell again what calls asked of the registry."""
        for name in self._peers.owners.all():
            await self._peers.request(name, TellGovernance(), timeout=TIMEOUT)

    async def spread_blobs(self, complete: Callable[[BlobRecord], bool]) -> int:
        """Give every runtime worker the rows of complete blobs that not all have: those that guests made while nobody
        was there to tell the others. Their number."""
        names = self._peers.owners.all()
        held = [{blob.id: blob for blob in await self._blobs(name)} for name in names]
        spread = 0
        for blob_id in set().union(*held) - set(held[0]).intersection(*held):
            name, blob = next(
                (name, blobs[blob_id]) for name, blobs in zip(names, held, strict=True) if blob_id in blobs
            )
            if complete(blob):
                await self.inform(PutBlobs([*await self._chunks(name, blob), blob]))
                spread += 1
        return spread

    async def _blobs(self, name: str) -> list[BlobRecord]:
        return (await self._peers.request(name, ListBlobs(), timeout=TIMEOUT)).blobs

    async def _chunks(self, name: str, blob: BlobRecord) -> list[BlobRecord]:
        asked = [(await self._peers.request(name, GetBlob(link), timeout=TIMEOUT)).blob for link in blob.links]
        return [chunk for chunk in asked if chunk is not None]

    async def contexts(self) -> list[ContextId]:
        """Every context on this node."""
        found: list[ContextId] = []
        for name in self._peers.owners.all():
            listed = await self._peers.request(name, ListContexts(), timeout=TIMEOUT)
            found += [record.id for record in listed.contexts]
        return found
