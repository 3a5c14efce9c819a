"""Blobs between whole nodes, and what the keeper of a node lets go."""

from __future__ import annotations

import asyncio
import random
import time
from pathlib import Path

import pytest

from node.errors import ContextError, NotFound, UnknownContext
from node.primitives import BlobId, ContextId
from tests.workers.sync.nodes import Node, cluster, converged, until
from workers.blobs import BlobWriter, read_all
from workers.messages import network as n
from workers.messages import runtime as r
from workers.messages import sync as s

MIB = 1 << 20
RATE = 25 * MIB
"""Bytes a second between two nodes on a free machine; a test on a busy one asks for less."""


async def _stored(node: Node, data: bytes) -> BlobId:
    """As the server stores an upload."""
    writer = BlobWriter(node.home / "blobs", 1 << 30)
    writer.write(data)
    stored = writer.finish()
    await node.ask("runtime[0]", r.PutBlobs(stored.rows))
    return stored.blob.id


async def _has(node: Node, blob_id: BlobId) -> bool:
    return (await node.ask("runtime[0]", r.GetBlob(blob_id))).blob is not None


def test_blobs_travel_between_members_and_go_when_nobody_needs_them(tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path, 3) as nodes:
            alice, bob, carol = nodes
            await alice.create(await alice.install())
            for other in (bob, carol):
                await alice.invite(other)
            await until(lambda: converged(nodes), 10)
            data = random.Random(1).randbytes(8 * MIB + 17)
            blob_id = await _stored(alice, data)

            began = time.monotonic()
            here = (await bob.ask("sync", s.FetchBlob(bob.context, blob_id))).blob
            rate = len(data) / (time.monotonic() - began)
            assert read_all(bob.home / "blobs", here) == data
            assert rate > RATE / 10, f"{rate / MIB:.1f} MiB/s"
            await carol.ask("sync", s.FetchBlob(carol.context, blob_id))

            await carol.ask("sync", s.PinBlob(blob_id))
            with pytest.raises(ContextError, match="is pinned; unpin it first"):
                await carol.ask("sync", s.DeleteBlob(blob_id))
            application = (await bob.ask("runtime[0]", r.ListApplications())).applications[0]
            with pytest.raises(ContextError, match=f"bytecode of application {application.id}"):
                await bob.ask("sync", s.DeleteBlob(application.blob_id))
            usage = await bob.ask("sync", s.BlobUsage())
            assert usage.size > len(data)
            assert usage.spare == [blob_id]
            for node, freed in ((alice, []), (bob, [blob_id]), (carol, [])):
                assert (await node.ask("sync", s.CollectBlobs())).blobs == freed
                assert await _has(node, blob_id) is not bool(freed)
            await carol.ask("sync", s.PinBlob(blob_id, pinned=False))
            assert (await carol.ask("sync", s.DeleteBlob(blob_id))).size == len(data)
            with pytest.raises(NotFound, match="is not on this node"):
                await carol.ask("sync", s.DeleteBlob(blob_id))

            await alice.ask("sync", s.AnnounceBlob(alice.context, blob_id))
            assert (await bob.ask("network", n.GetRecord(alice.context + blob_id))).value is not None
            with pytest.raises(UnknownContext):
                await alice.ask("sync", s.AnnounceBlob(ContextId(b"\x09" * 32), blob_id))

            await alice.ask("sync", s.Uninstall(application.id))
            assert (await alice.ask("sync", s.CollectBlobs())).blobs == [application.blob_id]

    asyncio.run(body())
