"""BlobShare between two machines: what arrives is whole and sealed on the way, and a broken transfer leaves nothing."""

from __future__ import annotations

import hashlib

import pytest

from node.errors import CalimeroError, RemoteProtocolError, SealError
from node.primitives import BlobId
from node.sync import blob
from node.sync.events import Tick
from tests.node.sync.world import CONTEXT, World

CHUNKS = (b"\x07" * 100_000, b"secret" * 1000, b"last")
SIZE = sum(map(len, CHUNKS))


def pair() -> tuple[World, BlobId]:
    """Two members that know each other; the first holds the blob."""
    world = World()
    world.add("a").owner.write(b"genesis")
    world.add("b")
    world.run(1)
    world.meet("a", "b")
    assert world.run(5, world.converged)
    world.run(2)
    return world, world.nodes["a"].owner.put_blob(*CHUNKS)


def fetch(world: World, blob_id: BlobId, size: int = SIZE) -> CalimeroError | None:
    """Have the second node fetch; what it failed with."""
    core = world.nodes["b"].manager.core
    ended: list[CalimeroError | None] = []

    async def script() -> None:
        link = await core.streams.open("a")
        try:
            await blob.fetch(core, core.context(CONTEXT), link, blob_id, size)
        except CalimeroError as error:
            ended.append(error)
        else:
            ended.append(None)
        finally:
            link.close()

    core.kernel.spawn(script(), "blob")
    world.send("b", Tick())
    assert world.run(15, lambda: bool(ended))
    world.run(0.1)
    return ended[0]


def test_a_blob_arrives_whole() -> None:
    world, blob_id = pair()
    assert fetch(world, blob_id) is None
    there, here = world.nodes["a"].owner, world.nodes["b"].owner
    assert here.blobs == {blob_id: there.blobs[blob_id]}
    assert tuple(here.chunks[chunk] for chunk in here.blobs[blob_id]) == CHUNKS


def test_nothing_of_it_is_readable_on_the_way() -> None:
    world, blob_id = pair()
    seen: list[bytes] = []

    def listen(sender: str, receiver: str, data: bytes) -> bytes:
        seen.append(data)
        return data

    world.tamper = listen
    assert fetch(world, blob_id) is None
    assert sum(map(len, seen)) > SIZE
    assert not any(b"secretsecret" in data or b"\x07" * 64 in data for data in seen)


def test_a_holder_that_lacks_the_blob_says_so_at_once() -> None:
    world, _ = pair()
    began = world.now
    error = fetch(world, BlobId(hashlib.sha256(b"another").digest()))
    assert isinstance(error, RemoteProtocolError)
    assert world.now - began < blob.CHUNK_TIMEOUT / 10
    assert world.nodes["b"].owner.chunks == {}


@pytest.mark.parametrize("broken", [1, 2, 3])
def test_a_garbled_chunk_ends_the_transfer_and_leaves_nothing(broken: int) -> None:
    world, blob_id = pair()
    frames = 0

    def garble(sender: str, receiver: str, data: bytes) -> bytes:
        nonlocal frames
        frames += sender == "a"
        return data[:-1] + bytes([data[-1] ^ 1]) if sender == "a" and frames == broken + 1 else data

    world.tamper = garble
    assert isinstance(fetch(world, blob_id), SealError)
    assert (world.nodes["b"].owner.blobs, world.nodes["b"].owner.chunks) == ({}, {})


@pytest.mark.parametrize(("size", "complaint"), [(SIZE - 1, "sends more than"), (SIZE + 1, "unexpected blob id")])
def test_a_blob_of_another_size_is_not_taken(size: int, complaint: str) -> None:
    world, blob_id = pair()
    assert complaint in str(fetch(world, blob_id, size))
    assert (world.nodes["b"].owner.blobs, world.nodes["b"].owner.chunks) == ({}, {})


def test_a_holder_that_falls_silent_is_given_up_after_a_while() -> None:
    world, blob_id = pair()
    silent = False

    def fall_silent(sender: str, receiver: str, data: bytes) -> bytes | None:
        nonlocal silent
        silent = silent or (sender == "a" and len(data) > len(CHUNKS[0]))
        return None if silent and sender == "a" else data

    world.tamper = fall_silent
    began = world.now
    assert fetch(world, blob_id) is not None
    assert blob.CHUNK_TIMEOUT <= world.now - began < 1.2 * blob.CHUNK_TIMEOUT
    assert (world.nodes["b"].owner.blobs, world.nodes["b"].owner.chunks) == ({}, {})


def test_a_blob_above_the_bound_is_not_asked_for() -> None:
    world, blob_id = pair()
    frames = world.frames
    assert "are taken from a peer" in str(fetch(world, blob_id, blob.MAX_BLOB + 1))
    assert world.frames == frames
    assert blob.MAX_BLOB == 500 * 1024 * 1024


def test_a_stranger_gets_nothing() -> None:
    world, blob_id = pair()
    a = world.nodes["a"].manager.core
    a.peers.doubt(CONTEXT, "b")
    assert isinstance(fetch(world, blob_id), RemoteProtocolError)
    assert world.nodes["b"].owner.chunks == {}
