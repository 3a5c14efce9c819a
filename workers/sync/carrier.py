"""Carrying out what the sync core asks for: one table from request to coroutine.

Between the core's values and the messages of the other workers; no decision is made here.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

from node.codec import borsh
from node.context.owner.repair import Buckets, Place, Row
from node.errors import NotFound
from node.primitives import BlobId, ContextId, DeltaId, Hash, PublicKey, to_base58
from node.sync import kernel
from node.sync import ports as p
from workers.blobs import chunk_file, is_complete, missing_chunks, sync_names, write_chunk
from workers.channels.asyncio_ import Peers
from workers.messages import network as n
from workers.messages import runtime as r
from workers.messages.records import ApplicationRecord, BlobRecord, ConfigRecord, DeltaRecord, Heads
from workers.sync.owners import Owners

NETWORK: Final = "network"
SYNC_PROTOCOL: Final = "/calimero/stream/0.0.2"
BLOB_PROTOCOL: Final = "/calimero/blob/0.0.2"
NETWORK_TIMEOUT: Final = 60.0
"""Seconds; above every deadline of the network worker itself."""


class Registry(Protocol):
    """Where membership is recorded. ``config`` says which contract of which network."""

    async def revisions(self, context_id: ContextId, config: p.Config) -> p.Revisions: ...
    async def members(self, context_id: ContextId, config: p.Config) -> Sequence[PublicKey]: ...
    async def application(self, context_id: ContextId, config: p.Config) -> p.Application: ...


class Carrier:
    """``install`` puts an application into place whose blob is here, and tells the runtime workers; ``store`` writes
    the rows of a blob that came from a peer."""

    def __init__(
        self,
        peers: Peers,
        owners: Owners,
        registry: Registry,
        blob_dir: Path,
        install: Callable[[ApplicationRecord], Awaitable[object]],
        store: Callable[[list[BlobRecord]], Awaitable[None]],
    ) -> None:
        self._peers = peers
        self._owners = owners
        self._registry = registry
        self._install_blob = install
        self._store_rows = store
        self._blobs = blob_dir
        self._table: dict[type[kernel.Request[Any]], Callable[[Any], Awaitable[object]]] = {
            p.OpenStream: self._open,
            p.SendFrame: self._send,
            p.Publish: self._publish,
            p.Subscribe: lambda q: self._net(n.Subscribe(str(q.context_id))),
            p.Unsubscribe: lambda q: self._net(n.Unsubscribe(str(q.context_id))),
            p.Describe: self._describe,
            p.ReadKeys: self._keys,
            p.StoreSenderKey: lambda q: self._ask(r.StoreSenderKey(q.context_id, q.member, q.key)),
            p.GetHeads: self._heads,
            p.ApplyDeltas: self._apply,
            p.UnknownDeltas: self._unknown,
            p.GetDeltas: self._deltas,
            p.SamplePast: self._sample,
            p.GetLacking: self._lacking,
            p.ListPending: self._pending,
            p.OpenSnapshot: self._open_snapshot,
            p.ReadSnapshot: self._read_snapshot,
            p.CloseSnapshot: lambda q: self._ask(r.CloseSnapshot(q.context_id, q.handle)),
            p.BeginInstall: lambda q: self._ask(r.BeginInstall(q.context_id, q.root, list(q.heads))),
            p.PutSnapshotRows: self._put_rows,
            p.FinishInstall: self._finish,
            p.AbortInstall: lambda q: self._ask(r.AbortInstall(q.context_id)),
            p.GetTreeNodes: self._tree,
            p.ApplyLeaves: self._leaves,
            p.ReadPlaces: self._places,
            p.ReadBuckets: self._buckets,
            p.ReadRows: self._rows,
            p.AdoptHeads: self._adopt,
            p.ReadAgent: self._agent,
            p.ReadRevisions: lambda q: self._registry.revisions(q.context_id, q.config),
            p.ReadMembers: self._members,
            p.ReadApplication: lambda q: self._registry.application(q.context_id, q.config),
            p.UpdateContext: self._update,
            p.FindApplication: self._find_application,
            p.FindBlob: self._find_blob,
            p.ReadChunk: self._read_chunk,
            p.MissingChunks: self._missing_chunks,
            p.FindHolder: self._find_holder,
            p.WriteChunk: self._write_chunk,
            p.StoreBlob: self._store_blob,
            p.DropChunks: self._drop_chunks,
            p.InstallApplication: self._install,
        }

    @property
    def served(self) -> frozenset[type]:
        """Every request that the table has an entry for."""
        return frozenset(self._table)

    async def carry_out(self, request: kernel.Request[object]) -> object:
        """The answer that the request names. Raises what the other worker failed with."""
        return await self._table[type(request)](request)

    # network

    async def _net(self, operation: Any) -> Any:
        return await self._peers.request(NETWORK, operation, timeout=NETWORK_TIMEOUT)

    async def _open(self, q: p.OpenStream) -> int:
        ready: n.StreamReady = await self._net(n.OpenStream(q.peer, BLOB_PROTOCOL if q.blob else SYNC_PROTOCOL))
        return ready.stream

    async def _send(self, q: p.SendFrame) -> None:
        await self._net(n.SendFrame(q.stream, q.data))

    async def _publish(self, q: p.Publish) -> int:
        published: n.Published = await self._net(n.Publish(str(q.context_id), q.data))
        return published.peers

    # owners

    async def _ask(self, operation: Any) -> Any:
        return await self._owners.ask(operation)

    async def _describe(self, q: p.Describe) -> p.Description:
        context = (await self._owners.ask(r.DescribeContext(q.context_id))).context
        heads = await self._owners.ask(r.GetHeads(q.context_id))
        return p.Description(context.application_id, config_of(context.config), heads_of(heads))

    async def _keys(self, q: p.ReadKeys) -> p.Keys:
        members = (await self._owners.ask(r.ListMembers(q.context_id))).members
        found = await self._owners.ask(r.GetKeys(q.context_id))
        owned = tuple(p.Identity(o.public_key, o.private_key, o.sender_key) for o in found.owned)
        senders = {key.member: key.key for key in found.senders}
        return p.Keys(frozenset(member.public_key for member in members), owned, senders)

    async def _heads(self, q: p.GetHeads) -> p.Heads:
        return heads_of(await self._owners.ask(r.GetHeads(q.context_id)))

    async def _apply(self, q: p.ApplyDeltas) -> p.Applied:
        records = [record_of(delta) for delta in q.deltas]
        report = await self._owners.ask(r.ApplyDeltas(q.context_id, records, q.source))
        rejected = tuple((item.id, item.reason) for item in report.rejected)
        return p.Applied(
            tuple(report.applied), tuple(report.pending), tuple(report.duplicates), rejected, heads_of(report.state)
        )

    async def _unknown(self, q: p.UnknownDeltas) -> tuple[DeltaId, ...]:
        return tuple((await self._owners.ask(r.GetUnknown(q.context_id, list(q.ids)))).ids)

    async def _deltas(self, q: p.GetDeltas) -> tuple[bytes | None, ...]:
        return tuple((await self._owners.ask(r.GetDeltas(q.context_id, list(q.ids)))).deltas)

    async def _sample(self, q: p.SamplePast) -> tuple[DeltaId, ...]:
        return tuple((await self._owners.ask(r.SamplePast(q.context_id))).ids)

    async def _lacking(self, q: p.GetLacking) -> tuple[bytes, ...]:
        batch = await self._owners.ask(r.GetLacking(q.context_id, list(q.have), q.limit, q.max_bytes))
        return tuple(raw for raw in batch.deltas if raw is not None)

    async def _pending(self, q: p.ListPending) -> tuple[p.Waiting, ...]:
        found = (await self._owners.ask(r.ListPending(q.context_id))).pending
        return tuple(p.Waiting(w.id, tuple(w.missing), w.since_ns, w.waits_for, w.error) for w in found)

    async def _open_snapshot(self, q: p.OpenSnapshot) -> p.Snapshot:
        found = await self._owners.ask(r.OpenSnapshot(q.context_id))
        return p.Snapshot(found.handle, found.root, tuple(found.heads), found.rows)

    async def _read_snapshot(self, q: p.ReadSnapshot) -> p.SnapshotRows:
        found = await self._owners.ask(r.ReadSnapshot(q.context_id, q.handle, q.after, q.byte_limit))
        return p.SnapshotRows(tuple((row.key, row.value) for row in found.rows), found.next)

    async def _put_rows(self, q: p.PutSnapshotRows) -> None:
        await self._owners.ask(r.PutSnapshotRows(q.context_id, [r.SnapshotRow(key, value) for key, value in q.rows]))

    async def _finish(self, q: p.FinishInstall) -> p.Heads:
        return heads_of(await self._owners.ask(r.FinishInstall(q.context_id)))

    async def _tree(self, q: p.GetTreeNodes) -> p.Tree:
        found = await self._owners.ask(r.GetTreeNodes(q.context_id, q.node, q.depth))
        return p.Tree(tuple(found.nodes), found.root)

    async def _leaves(self, q: p.ApplyLeaves) -> p.Heads:
        return heads_of(await self._owners.ask(r.ApplyLeaves(q.context_id, list(q.leaves))))

    async def _places(self, q: p.ReadPlaces) -> tuple[Hash, tuple[Place | None, ...]]:
        found = await self._owners.ask(r.GetPlaces(q.context_id, list(q.entities)))
        return found.root, tuple(None if raw is None else borsh.decode(Place, raw) for raw in found.places)

    async def _buckets(self, q: p.ReadBuckets) -> tuple[Hash, tuple[Buckets, ...]]:
        found = await self._owners.ask(r.GetBuckets(q.context_id, list(q.wanted)))
        return found.root, tuple(Buckets(*each) for each in found.found)

    async def _rows(self, q: p.ReadRows) -> tuple[Hash, tuple[tuple[Row, ...], ...]]:
        parts = [(part.entity, part.bits, part.numbers) for part in q.parts]
        found = await self._owners.ask(r.GetChildRows(q.context_id, parts))
        return found.root, tuple(tuple(Row(*row) for row in rows) for rows in found.found)

    async def _adopt(self, q: p.AdoptHeads) -> p.Heads:
        return heads_of(await self._owners.ask(r.AdoptHeads(q.context_id, q.root, list(q.heads))))

    async def _agent(self, q: p.ReadAgent) -> str:
        listed: n.PeerList = await self._net(n.ListPeers())
        return next((record.agent for record in listed.peers if record.peer == q.peer), "")

    # registry

    async def _members(self, q: p.ReadMembers) -> tuple[PublicKey, ...]:
        return tuple(await self._registry.members(q.context_id, q.config))

    async def _update(self, q: p.UpdateContext) -> None:
        record = None if q.application is None else await self._application_record(q.application)
        await self._owners.ask(
            r.UpdateContext(
                q.context_id,
                config_record(q.config),
                None if q.members is None else list(q.members),
                None if q.application is None else q.application.id,
                record,
            )
        )

    async def _application_record(self, wanted: p.Application) -> ApplicationRecord:
        """The row that is here already knows more (package, version) than the registry."""
        known = (await self._owners.ask(r.GetApplication(wanted.id))).application
        return known or wanted_record(wanted)

    # applications and blobs

    async def _find_application(self, q: p.FindApplication) -> p.Application | None:
        found = (await self._owners.ask(r.GetApplication(q.id))).application
        if found is None or await self._find_blob(p.FindBlob(found.blob_id)) is None:
            return None
        return p.Application(found.id, found.blob_id, found.size, found.source, found.metadata)

    async def _find_blob(self, q: p.FindBlob) -> p.BlobChunks | None:
        blob = (await self._owners.ask(r.GetBlob(q.blob_id))).blob
        if blob is None or not await asyncio.to_thread(is_complete, self._blobs, blob):
            return None
        chunks = tuple(blob.links) or (() if blob.size == 0 else (blob.id,))
        return p.BlobChunks(blob.size, chunks)

    async def _read_chunk(self, q: p.ReadChunk) -> bytes:
        file = chunk_file(self._blobs, q.chunk_id)
        try:
            return await asyncio.to_thread(file.read_bytes)
        except FileNotFoundError as error:
            raise NotFound(f"chunk {q.chunk_id} of a blob is not on this node") from error

    async def _missing_chunks(self, q: p.MissingChunks) -> tuple[BlobId, ...]:
        return await asyncio.to_thread(missing_chunks, self._blobs, q.chunks)

    async def _find_holder(self, q: p.FindHolder) -> str | None:
        answer: n.RecordAnswer = await self._net(n.GetRecord(q.context_id + q.blob_id))
        return None if answer.value is None else holder_in(answer.value)

    async def _write_chunk(self, q: p.WriteChunk) -> BlobId:
        chunk_id = BlobId(hashlib.sha256(q.data).digest())
        await asyncio.to_thread(write_chunk, chunk_file(self._blobs, chunk_id), q.data)
        return chunk_id

    async def _store_blob(self, q: p.StoreBlob) -> None:
        chunks = {chunk: await self._chunk_record(chunk) for chunk in q.chunks}
        whole = BlobRecord(q.blob_id, q.size, q.hash, list(q.chunks))
        if chunks:
            await asyncio.to_thread(sync_names, self._blobs)
        await self._store_rows([*chunks.values(), whole])

    async def _chunk_record(self, chunk_id: BlobId) -> BlobRecord:
        size = (await asyncio.to_thread(chunk_file(self._blobs, chunk_id).stat)).st_size
        return BlobRecord(chunk_id, size, Hash(chunk_id))

    async def _drop_chunks(self, q: p.DropChunks) -> None:
        """By the owner of the rows: nobody can commit a row of one between the look and the removal."""
        await self._owners.ask(r.RemoveBlobs(list(q.chunks)))

    async def _install(self, q: p.InstallApplication) -> None:
        """A later version of a bundle replaces the row; until its blob is here the row in place stays."""
        known = await self._application_record(q.application)
        await self._install_blob(known if known.blob_id == q.application.blob_id else wanted_record(q.application))


# -- between values and records


PEER_ID: Final = 38
"""Bytes of the id of an Ed25519 peer, which a record about a blob begins with; its size in 8 bytes follows."""


def holder_in(record: bytes) -> str | None:
    """The peer that a DHT record names, None for a record of another form."""
    return to_base58(record[:PEER_ID]) if len(record) == PEER_ID + 8 else None


def wanted_record(wanted: p.Application) -> ApplicationRecord:
    """The row of an application of which no more is known than the registry says."""
    return ApplicationRecord(wanted.id, wanted.blob_id, wanted.size, wanted.source, wanted.metadata)


def heads_of(heads: Heads) -> p.Heads:
    return p.Heads(heads.root, tuple(heads.heads), heads.pending, tuple(heads.missing))


def config_of(config: ConfigRecord) -> p.Config:
    return p.Config(
        config.protocol,
        config.network,
        config.contract,
        config.proxy_contract,
        config.application_revision,
        config.members_revision,
    )


def config_record(config: p.Config) -> ConfigRecord:
    return ConfigRecord(
        config.protocol,
        config.network,
        config.contract,
        config.proxy_contract,
        config.application_revision,
        config.members_revision,
    )


def record_of(delta: p.OpenDelta) -> DeltaRecord:
    return DeltaRecord(delta.id, list(delta.parents), delta.hlc, delta.root, delta.artifact, delta.author, delta.events)


def open_delta_of(record: DeltaRecord) -> p.OpenDelta:
    return p.OpenDelta(
        record.id, tuple(record.parents), record.hlc, record.root, record.artifact, record.author, record.events
    )
