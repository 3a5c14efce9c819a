"""The blobs of this node: fetched, announced, pinned, deleted, and collected when nothing needs them.

What a user stored stays until it is deleted. What this node stored by itself (copies from peers, bytecode of
applications) is spare as soon as nothing needs it, and goes when it is collected or when the quota wants its room.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Final, Protocol

import base58
import msgspec

from node.errors import CalimeroError, ContextError, NotFound
from node.primitives import BlobId, ContextId
from workers.blobs import sweep, usage
from workers.messages import runtime, sync
from workers.messages.base import Done
from workers.messages.records import BlobRecord
from workers.sync.local import Owners

log = logging.getLogger(__name__)

SHELF: Final = b"blob shelf\0\0\0\0\0\0"
"""Scope of the row that says which blobs are pinned and which may go."""

FRAGMENT: Final = bytes(32)


class Network(Protocol):
    """What the keeper needs of the sync worker."""

    async def fetch_blob(self, context_id: ContextId, blob_id: BlobId) -> None: ...
    async def own_peer(self) -> str: ...
    async def put_record(self, key: bytes, value: bytes) -> None: ...


class Shelf(msgspec.Struct):
    """Pinned blobs, and those of this node's own making with the time of their last use, in seconds."""

    pinned: set[str] = msgspec.field(default_factory=set)
    own: dict[str, int] = msgspec.field(default_factory=dict)


class BlobKeeper:
    """Keeps the blobs in ``folder`` below ``quota`` bytes (0: no quota). ``now`` is unix time in seconds."""

    def __init__(self, owners: Owners, network: Network, folder: Path, quota: int, now: Callable[[], float]) -> None:
        self._owners = owners
        self._network = network
        self._folder = folder
        self._quota = quota
        self._now = now
        self._shelf: Shelf | None = None
        self._lock = asyncio.Lock()
        self._keeping = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()

    def handlers(self) -> dict[type, Callable[..., Awaitable[object]]]:
        """Operation type to handler, for the worker's dispatch table."""
        return {
            sync.FetchBlob: self.fetch,
            sync.AnnounceBlob: self.announce,
            sync.PinBlob: self.pin,
            sync.DeleteBlob: self.delete,
            sync.CollectBlobs: self.collect,
            sync.BlobUsage: self.usage,
            sync.BlobRoom: self.room,
            sync.KeepBlob: self.keep,
        }

    # -- peers

    async def fetch(self, op: sync.FetchBlob) -> sync.BlobHere:
        await self._network.fetch_blob(op.context_id, op.blob_id)
        return sync.BlobHere(await self._existing(op.blob_id))

    async def announce(self, op: sync.AnnounceBlob) -> Done:
        """Raises :class:`UnknownContext`, :class:`NotFound`: only what is here, and only to own contexts."""
        await self._owners.ask(runtime.DescribeContext(op.context_id))
        blob = await self._existing(op.blob_id)
        peer = base58.b58decode(await self._network.own_peer())
        await self._network.put_record(op.context_id + op.blob_id, peer + blob.size.to_bytes(8, "little"))
        return Done()

    def announced(self, note: runtime.BlobAnnounced) -> None:
        """A guest's wish; nobody waits for it."""
        self._soon(self._announce_for_guest(note))

    def _soon(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _announce_for_guest(self, note: runtime.BlobAnnounced) -> None:
        try:
            await self.announce(sync.AnnounceBlob(note.context_id, note.blob_id))
        except CalimeroError as error:
            log.info("blob %s of context %s is not announced: %s", note.blob_id, note.context_id, error)

    # -- what may go

    async def store(self, rows: list[BlobRecord]) -> None:
        """Write the rows of a blob that this node stored by itself; the last is the blob. One that was here before is
        somebody's and stays so."""
        blob_id = rows[-1].id
        fresh = await self._find(blob_id) is None
        await self._owners.ask(runtime.PutBlobs(rows))
        async with self._lock:
            shelf = await self._read()
            if fresh or str(blob_id) in shelf.own:
                shelf.own[str(blob_id)] = int(self._now())
                await self._write(shelf)
        await self._shrink(0, keep=blob_id)

    async def keep(self, op: sync.KeepBlob) -> Done:
        """Raises :class:`ContextError` when the quota has no room for it; its files are removed then."""
        blob_id = op.blobs[-1].id
        async with self._keeping:
            fresh = await self._find(blob_id) is None
            await self._claim(op.blobs)
            if await self._shrink(0, keep=blob_id) > 0 and fresh:
                await self._remove([blob_id])
                raise self._no_room(op.blobs[-1].size)
        return Done()

    async def _claim(self, rows: list[BlobRecord]) -> None:
        """Write rows of what somebody stored here on purpose."""
        await self._owners.ask(runtime.PutBlobs(rows))
        async with self._lock:
            shelf = await self._read()
            if shelf.own.pop(str(rows[-1].id), None) is not None:
                await self._write(shelf)

    def made(self, note: runtime.BlobMade) -> None:
        """A guest's blob; its call is answered by then."""
        self._soon(self._claim_for_guest(note.blobs))

    async def _claim_for_guest(self, rows: list[BlobRecord]) -> None:
        try:
            await self._claim(rows)
            await self._shrink(0, keep=rows[-1].id)
        except CalimeroError as error:
            log.warning("blob %s of a guest is not known to every runtime worker: %s", rows[-1].id, error)

    async def room(self, op: sync.BlobRoom) -> sync.BlobRoomAnswer:
        """What the quota leaves, counting what is spare: that goes when the upload is complete."""
        if self._quota <= 0:
            return sync.BlobRoomAnswer(None)
        await self._shrink(op.size)
        blobs = await self._blobs()
        sizes = {blob.id: blob.size for blob in blobs}
        spare = sum(sizes[blob_id] for blob_id in await self._spare(blobs))
        return sync.BlobRoomAnswer(max(0, self._quota - await asyncio.to_thread(usage, self._folder) + spare))

    async def pin(self, op: sync.PinBlob) -> Done:
        await self._existing(op.blob_id)
        async with self._lock:
            shelf = await self._read()
            (shelf.pinned.add if op.pinned else shelf.pinned.discard)(str(op.blob_id))
            await self._write(shelf)
        return Done()

    async def delete(self, op: sync.DeleteBlob) -> sync.BlobsFreed:
        """Raises :class:`NotFound`, :class:`ContextError` for one in use."""
        blob = await self._existing(op.blob_id)
        if str(op.blob_id) in (await self._read()).pinned:
            raise ContextError(f"blob {op.blob_id} is pinned; unpin it first")
        user = (await self._used()).get(op.blob_id)
        if user is not None:
            raise ContextError(f"blob {op.blob_id} is the bytecode of application {user}; uninstall that first")
        await self._remove([op.blob_id])
        return sync.BlobsFreed([op.blob_id], blob.size)

    async def collect(self, _: sync.CollectBlobs) -> sync.BlobsFreed:
        blobs = await self._blobs()
        spare = await self._spare(blobs)
        await self._remove(spare)
        known = {chunk for blob in await self._blobs() for chunk in (blob.id, *blob.links)}
        files, freed = await asyncio.to_thread(sweep, self._folder, known, self._now())
        sizes = {blob.id: blob.size for blob in blobs}
        return sync.BlobsFreed(spare, freed + sum(sizes[blob_id] for blob_id in spare), files)

    async def make_room(self, size: int) -> None:
        """Have room for a blob of so many bytes. Raises :class:`ContextError` when the quota has none."""
        if await self._shrink(size) > 0:
            raise self._no_room(size)

    def _no_room(self, size: int) -> ContextError:
        return ContextError(
            f"there is no room for {size} bytes: store.blob_quota is {self._quota}; delete some blobs or raise it"
        )

    async def _shrink(self, size: int, keep: BlobId | None = None) -> int:
        """Delete spare blobs, the longest unused first, until ``size`` more bytes fit; the bytes that still do not."""
        if self._quota <= 0:
            return 0
        excess = await asyncio.to_thread(usage, self._folder) + size - self._quota
        if excess <= 0:
            return 0
        blobs = await self._blobs()
        sizes = {blob.id: blob.size for blob in blobs}
        gone: list[BlobId] = []
        for blob_id in await self._spare(blobs):
            if excess > 0 and blob_id != keep:
                gone.append(blob_id)
                excess -= sizes[blob_id]
        await self._remove(gone)
        return max(0, excess)

    async def usage(self, _: sync.BlobUsage) -> sync.BlobUsageAnswer:
        size = await asyncio.to_thread(usage, self._folder)
        pinned = sorted(BlobId.parse(text) for text in (await self._read()).pinned)
        return sync.BlobUsageAnswer(size, self._quota, pinned, await self._spare(await self._blobs()))

    async def _spare(self, blobs: list[BlobRecord]) -> list[BlobId]:
        """Own blobs that nothing needs, the longest unused first."""
        shelf, used = await self._read(), await self._used()
        here = {str(blob.id): blob.id for blob in blobs}
        found = [(at, here[text]) for text, at in shelf.own.items() if text in here and text not in shelf.pinned]
        return [blob_id for _, blob_id in sorted(found) if blob_id not in used]

    async def _used(self) -> dict[BlobId, str]:
        listed = (await self._owners.ask(runtime.ListApplications())).applications
        return {record.blob_id: str(record.id) for record in listed}

    async def _remove(self, blobs: list[BlobId]) -> None:
        if not blobs:
            return
        await self._owners.ask(runtime.RemoveBlobs(blobs))
        async with self._lock:
            shelf = await self._read()
            for blob_id in blobs:
                shelf.own.pop(str(blob_id), None)
                shelf.pinned.discard(str(blob_id))
            await self._write(shelf)

    # -- rows

    async def _find(self, blob_id: BlobId) -> BlobRecord | None:
        return (await self._owners.ask(runtime.GetBlob(blob_id))).blob

    async def _existing(self, blob_id: BlobId) -> BlobRecord:
        blob = await self._find(blob_id)
        if blob is None:
            raise NotFound(f"blob {blob_id} is not on this node")
        return blob

    async def _blobs(self) -> list[BlobRecord]:
        return (await self._owners.ask(runtime.ListBlobs())).blobs

    async def _read(self) -> Shelf:
        if self._shelf is None:
            raw = (await self._owners.ask(runtime.GetRow(SHELF, FRAGMENT))).value
            self._shelf = _shelf(raw)
        return self._shelf

    async def _write(self, shelf: Shelf) -> None:
        await self._owners.ask(runtime.PutRow(SHELF, FRAGMENT, msgspec.json.encode(shelf)))


def _shelf(raw: bytes | None) -> Shelf:
    """A row that cannot be read costs nothing but the room of what could have been collected."""
    if raw is None:
        return Shelf()
    try:
        return msgspec.json.decode(raw, type=Shelf)
    except msgspec.MsgspecError as error:
        log.warning("the notes on pinned and spare blobs are damaged and begin anew: %s", error)
        return Shelf()
