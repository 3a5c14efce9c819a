"""What the keeper of a node's blobs keeps, and what it lets go."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import base58
import pytest

from node.errors import ContextError, NotFound
from node.primitives import BlobId, ContextId
from node.runtime.call import Guest
from tests.workers.runtime.nodes import CONTEXT, Peer
from workers.blobs import BlobWriter, StoredBlob, chunk_file
from workers.messages import Message, Request
from workers.messages import runtime as r
from workers.messages import sync as s
from workers.sync.blobs import FRAGMENT, SHELF, BlobKeeper

R = TypeVar("R", bound=Message)
PEER = base58.b58encode(b"\x00\x24\x08\x01\x12\x20" + b"\x01" * 32).decode()


class Home:
    """A keeper over a real owner. Its network records what it is told, and brings ``arriving``."""

    def __init__(self, guest: Guest, folder: Path, quota: int = 0) -> None:
        self.peer = Peer(1, guest, folder)
        self.peer.create()
        self.folder = folder / "blobs"
        self.records: dict[bytes, bytes] = {}
        self.arriving: bytes | None = None
        self.time = 1000.0
        self.open(quota)

    def open(self, quota: int) -> None:
        self.keeper = BlobKeeper(self, self, self.folder, quota, lambda: self.time)

    async def ask(self, operation: Request[R]) -> R:
        await asyncio.sleep(0)
        return self.peer.ask(operation)

    async def fetch_blob(self, context_id: ContextId, blob_id: BlobId) -> None:
        if self.arriving is None:
            raise NotFound("nobody has it")
        await self.keeper.store(self.write(self.arriving).rows)

    async def own_peer(self) -> str:
        return PEER

    async def put_record(self, key: bytes, value: bytes) -> None:
        self.records[key] = value

    def write(self, data: bytes) -> StoredBlob:
        writer = BlobWriter(self.folder, 1 << 24)
        writer.write(data)
        return writer.finish()

    async def own(self, data: bytes) -> BlobId:
        """A blob that the node stores by itself, a second later than the last."""
        self.time += 1
        stored = self.write(data)
        await self.keeper.store(stored.rows)
        return stored.blob.id

    def upload(self, data: bytes) -> BlobId:
        stored = self.write(data)
        self.peer.ask(r.PutBlobs(stored.rows))
        return stored.blob.id

    def has(self, blob_id: BlobId) -> bool:
        return self.peer.ask(r.GetBlob(blob_id)).blob is not None


def at_home(body: Callable[[Home], Awaitable[None]], guest: Guest, folder: Path, quota: int = 0) -> None:
    asyncio.run(_run(body, Home(guest, folder, quota)))


async def _run(body: Callable[[Home], Awaitable[None]], home: Home) -> None:
    await body(home)


def test_only_what_the_node_stored_by_itself_is_collected(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        mine, uploaded, both = await home.own(b"mine"), home.upload(b"uploaded"), home.upload(b"both")
        await home.own(b"both")
        pinned = await home.own(b"pinned")
        await home.keeper.pin(s.PinBlob(pinned))
        assert (await home.keeper.usage(s.BlobUsage())).spare == [mine]
        home.open(0)
        freed = await home.keeper.collect(s.CollectBlobs())
        assert (freed.blobs, freed.size, freed.files) == ([mine], 4, 0)
        assert [home.has(blob) for blob in (mine, uploaded, both, pinned)] == [False, True, True, True]
        assert (await home.keeper.usage(s.BlobUsage())).pinned == [pinned]
        await home.keeper.pin(s.PinBlob(pinned, pinned=False))
        assert (await home.keeper.collect(s.CollectBlobs())).blobs == [pinned]

    at_home(body, guest, tmp_path)


def test_a_chunk_that_another_blob_needs_stays(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        shared = b"s" * (1 << 20)
        uploaded, mine = home.upload(shared + b"a"), await home.own(shared + b"b")
        await home.keeper.collect(s.CollectBlobs())
        assert not home.has(mine)
        record = home.peer.ask(r.GetBlob(uploaded)).blob
        assert record is not None
        assert all(chunk_file(home.folder, link).exists() for link in record.links)

    at_home(body, guest, tmp_path)


def test_leftovers_are_swept_when_they_are_old(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        uploaded = home.upload(b"uploaded")
        for name in ("young", "old", ".aside.1"):
            (home.folder / name).write_bytes(b"xyz")
        home.time = (home.folder / "young").stat().st_mtime + 3600
        for name in ("old", ".aside.1"):
            os.utime(home.folder / name, (home.time - 90_000, home.time - 90_000))
        for chunk in home.folder.iterdir():
            if len(chunk.name) > 10:
                os.utime(chunk, (1, 1))
        assert (await home.keeper.collect(s.CollectBlobs())).files == 2
        assert (home.folder / "young").exists()
        assert home.has(uploaded)
        assert home.peer.call("len") == 0

    at_home(body, guest, tmp_path)


def test_the_quota_takes_the_longest_unused_first(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        base = (await home.keeper.usage(s.BlobUsage())).size
        home.open(base + 1000)
        old, young = await home.own(b"o" * 400), await home.own(b"y" * 400)
        await home.own(b"o" * 400)
        newest = await home.own(b"n" * 300)
        assert [home.has(blob) for blob in (old, young, newest)] == [True, False, True]
        uploaded = home.upload(b"u" * 290)
        await home.keeper.make_room(700)
        assert [home.has(blob) for blob in (old, newest, uploaded)] == [False, False, True]
        with pytest.raises(ContextError, match=r"no room for 900 bytes: store\.blob_quota is"):
            await home.keeper.make_room(900)
        assert home.has(uploaded)
        huge = await home.own(b"h" * 2000)
        assert home.has(huge)

    at_home(body, guest, tmp_path)


def test_an_upload_gets_what_the_quota_leaves(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        assert (await home.keeper.room(s.BlobRoom(5))).size is None
        home.open((await home.keeper.usage(s.BlobUsage())).size + 1000)
        spare = await home.own(b"o" * 400)
        assert (await home.keeper.room(s.BlobRoom(500))).size == 1000
        assert home.has(spare)
        stored = home.write(b"u" * 900)
        await home.keeper.keep(s.KeepBlob(stored.rows))
        assert [home.has(blob) for blob in (spare, stored.blob.id)] == [False, True]
        assert (await home.keeper.room(s.BlobRoom(500))).size == 100
        late = home.write(b"l" * 200)
        with pytest.raises(ContextError, match="no room for 200 bytes"):
            await home.keeper.keep(s.KeepBlob(late.rows))
        assert not home.has(late.blob.id)

    at_home(body, guest, tmp_path)


def test_what_is_uploaded_or_made_by_a_guest_is_no_longer_spare(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        first, second = await home.own(b"first"), await home.own(b"second")
        await home.keeper.keep(s.KeepBlob(home.write(b"first").rows))
        home.keeper.made(r.BlobMade(home.write(b"second").rows))
        await asyncio.gather(*home.keeper._tasks)
        assert (await home.keeper.usage(s.BlobUsage())).spare == []
        assert home.has(first)
        assert home.has(second)

    at_home(body, guest, tmp_path)


def test_a_blob_is_fetched_and_announced(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        with pytest.raises(NotFound, match="nobody has it"):
            await home.keeper.fetch(s.FetchBlob(CONTEXT, BlobId(b"\x01" * 32)))
        home.arriving = b"arrived"
        blob_id = home.write(b"arrived").blob.id
        assert (await home.keeper.fetch(s.FetchBlob(CONTEXT, blob_id))).blob.size == 7
        await home.keeper.announce(s.AnnounceBlob(CONTEXT, blob_id))
        assert home.records == {CONTEXT + blob_id: base58.b58decode(PEER) + (7).to_bytes(8, "little")}
        home.records.clear()
        for context, blob, count in (
            (CONTEXT, BlobId(b"\x02" * 32), 0),
            (ContextId(b"\x02" * 32), blob_id, 0),
            (CONTEXT, blob_id, 1),
        ):
            home.keeper.announced(r.BlobAnnounced(context, blob))
            await asyncio.gather(*home.keeper._tasks)
            assert len(home.records) == count

    at_home(body, guest, tmp_path)


def test_damaged_notes_delete_nothing(guest: Guest, tmp_path: Path) -> None:
    async def body(home: Home) -> None:
        mine = await home.own(b"mine")
        home.peer.ask(r.PutRow(SHELF, FRAGMENT, b"{"))
        home.open(0)
        assert (await home.keeper.collect(s.CollectBlobs())).blobs == []
        assert home.has(mine)

    at_home(body, guest, tmp_path)
