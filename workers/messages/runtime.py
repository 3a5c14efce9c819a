"""Operations of the runtime workers: a context's go to the owner of its shard, node-wide rows to worker 0."""

from __future__ import annotations

from typing import Final

from node.primitives import ApplicationId, BlobId, ContextId, DeltaId, EntityId, Hash, PrivateKey, PublicKey
from workers.messages.base import Done, Message, Note, Record, Request
from workers.messages.records import (
    ApplicationRecord,
    BlobRecord,
    ConfigRecord,
    ContextRecord,
    DeltaRecord,
    Heads,
    MemberRecord,
    OwnedIdentity,
    PendingRecord,
)
from workers.messages.rows import (
    AliasAnswer,
    AliasList,
    AliasRecord,
    ApplicationAnswer,
    ApplicationList,
    BlobAnswer,
    BlobList,
    DropIdentity,
    GetAlias,
    GetApplication,
    GetBlob,
    GetRow,
    IdentityAnswer,
    IdentityList,
    ListAliases,
    ListApplications,
    ListBlobs,
    ListIdentities,
    NewIdentity,
    PoolIdentity,
    PutAlias,
    PutApplication,
    PutBlobs,
    PutRow,
    ReadIdentity,
    RemoveAlias,
    RemoveApplication,
    RemoveBlobs,
    RowAnswer,
    RuntimeStats,
    RuntimeStatsAnswer,
)

__all__ = [
    "AbortContext",
    "AbortInstall",
    "AdoptContext",
    "AdoptHeads",
    "AliasAnswer",
    "AliasList",
    "AliasRecord",
    "ApplicationAnswer",
    "ApplicationList",
    "ApplyDeltas",
    "ApplyLeaves",
    "ApplyReport",
    "BeginInstall",
    "BlameEntry",
    "BlobAnnounced",
    "BlobAnswer",
    "BlobList",
    "BlobMade",
    "BucketDigests",
    "ChildRows",
    "CloseSnapshot",
    "CommitContext",
    "CompareDeltas",
    "ContextDescription",
    "ContextList",
    "DeleteContext",
    "DeltaBatch",
    "DeltaCommitted",
    "DeltaDifference",
    "DeltaIds",
    "DeltaPage",
    "DescribeContext",
    "DropIdentity",
    "EntryDifference",
    "EntryList",
    "EntryVersion",
    "Execute",
    "Executed",
    "FinishInstall",
    "GetAlias",
    "GetApplication",
    "GetBlob",
    "GetBuckets",
    "GetChildRows",
    "GetDeltas",
    "GetHeads",
    "GetKeys",
    "GetLacking",
    "GetPlaces",
    "GetRow",
    "GetTreeNodes",
    "GetUnknown",
    "GovernanceDone",
    "GovernanceQueued",
    "IdentityAnswer",
    "IdentityList",
    "InitContext",
    "InspectState",
    "KeyList",
    "ListAliases",
    "ListApplications",
    "ListBlobs",
    "ListContexts",
    "ListDeltas",
    "ListIdentities",
    "ListMembers",
    "ListPending",
    "MemberList",
    "MutationRecord",
    "NewIdentity",
    "Noticed",
    "OpenSnapshot",
    "PendingList",
    "Places",
    "PoolIdentity",
    "ProposalRecord",
    "PutAlias",
    "PutApplication",
    "PutBlobs",
    "PutRow",
    "PutSnapshotRows",
    "ReadIdentity",
    "ReadSnapshot",
    "Rejection",
    "RemoveAlias",
    "RemoveApplication",
    "RemoveBlobs",
    "RowAnswer",
    "RuntimeStats",
    "RuntimeStatsAnswer",
    "SamplePast",
    "SenderKey",
    "SnapshotHandle",
    "SnapshotRow",
    "SnapshotRows",
    "StateAt",
    "StateChanged",
    "StatePage",
    "StoreSenderKey",
    "TellGovernance",
    "TreeNodes",
    "UnknownDeltas",
    "UpdateContext",
    "UpgradeContext",
]

ZERO_HASH: Final = Hash.zero()


# -- execution


class Executed(Message, frozen=True):
    """``returns`` are the method's bytes or None; ``micros`` the time in the guest; ``fuel`` 0 unless metered."""

    returns: bytes | None
    root: Hash
    logs: list[str] = []
    micros: int = 0
    fuel: int = 0


class Execute(Request[Executed], frozen=True):
    """Run a method. ``args`` are JSON bytes handed to the guest as they are; ``substitute`` are alias names."""

    context_id: ContextId
    method: str
    args: bytes
    executor: PublicKey
    substitute: list[str] = []


# -- lifecycle of a context


class InitContext(Request[Heads], frozen=True):
    """Run ``init`` and stage the new context; nothing is written until :class:`CommitContext`."""

    context_id: ContextId
    application: ApplicationRecord
    identity: OwnedIdentity
    args: bytes


class CommitContext(Request[Done], frozen=True):
    """Write the staged context in one batch."""

    context_id: ContextId
    config: ConfigRecord


class AbortContext(Request[Done], frozen=True):
    """Forget a staged context."""

    context_id: ContextId


class AdoptContext(Request[Done], frozen=True):
    """Write a joined context: no state yet, zero root, members and own identity."""

    context_id: ContextId
    application_id: ApplicationId
    application: ApplicationRecord | None
    config: ConfigRecord
    members: list[PublicKey]
    identity: OwnedIdentity


class UpdateContext(Request[Done], frozen=True):
    """Write what the registry says now. None leaves a part as it is."""

    context_id: ContextId
    config: ConfigRecord
    members: list[PublicKey] | None = None
    application_id: ApplicationId | None = None
    application: ApplicationRecord | None = None


class UpgradeContext(Request[Heads], frozen=True):
    """Switch to another application; ``migrate`` names a migration method to run, or None."""

    context_id: ContextId
    application: ApplicationRecord
    executor: PublicKey
    migrate: str | None = None


class DeleteContext(Request[Done], frozen=True):
    """Remove every row of the context, in one batch."""

    context_id: ContextId


class DescribeContext(Request["ContextDescription"], frozen=True):
    context_id: ContextId


class ContextDescription(Message, frozen=True):
    context: ContextRecord


class ListContexts(Request["ContextList"], frozen=True):
    """Every context that this worker owns."""


class ContextList(Message, frozen=True):
    contexts: list[ContextRecord]


class ListMembers(Request["MemberList"], frozen=True):
    context_id: ContextId


class MemberList(Message, frozen=True):
    members: list[MemberRecord]


class GetKeys(Request["KeyList"], frozen=True):
    """Own identities with their secrets, and the sender keys of other members. For the sync worker alone."""

    context_id: ContextId


class SenderKey(Record, frozen=True):
    member: PublicKey
    key: PrivateKey


class KeyList(Message, frozen=True):
    owned: list[OwnedIdentity]
    senders: list[SenderKey]


class StoreSenderKey(Request[Done], frozen=True):
    context_id: ContextId
    member: PublicKey
    key: PrivateKey


# -- deltas


class ApplyDeltas(Request["ApplyReport"], frozen=True):
    """Feed deltas of other authors. ``source`` is the peer that sent them, for the books."""

    context_id: ContextId
    deltas: list[DeltaRecord]
    source: str = ""


class Rejection(Record, frozen=True):
    id: DeltaId
    reason: str


class ApplyReport(Message, frozen=True):
    """What became of each delta, and the state afterwards."""

    applied: list[DeltaId]
    pending: list[DeltaId]
    duplicates: list[DeltaId]
    rejected: list[Rejection]
    state: Heads


class GetHeads(Request[Heads], frozen=True):
    context_id: ContextId


class GetDeltas(Request["DeltaBatch"], frozen=True):
    """Deltas by id, for a peer that asks."""

    context_id: ContextId
    ids: list[DeltaId]


class DeltaBatch(Message, frozen=True):
    """Borsh ``CausalDelta`` per asked id, None where it is unknown."""

    deltas: list[bytes | None]


class GetUnknown(Request["UnknownDeltas"], frozen=True):
    """Which of these deltas are neither applied nor waiting here."""

    context_id: ContextId
    ids: list[DeltaId]


class UnknownDeltas(Message, frozen=True):
    ids: list[DeltaId]


class SamplePast(Request["DeltaIds"], frozen=True):
    """Heads and some older applied deltas, by which a peer finds what both have."""

    context_id: ContextId


class DeltaIds(Message, frozen=True):
    ids: list[DeltaId]


class GetLacking(Request["DeltaBatch"], frozen=True):
    """Deltas that are applied here and not behind ``have``, parents first, for a peer that was away."""

    context_id: ContextId
    have: list[DeltaId]
    limit: int
    max_bytes: int


class ListPending(Request["PendingList"], frozen=True):
    context_id: ContextId


class PendingList(Message, frozen=True):
    pending: list[PendingRecord]


class ListDeltas(Request["DeltaPage"], frozen=True):
    """A window of the DAG, newest first in topological order, starting behind ``after``."""

    context_id: ContextId
    after: DeltaId | None = None
    limit: int = 100


class DeltaPage(Message, frozen=True):
    """``next`` is the cursor of the following page or None. Artifacts are left out (empty) in listings."""

    deltas: list[DeltaRecord]
    next: DeltaId | None = None


class EntryVersion(Record, frozen=True):
    """An entry as one delta wrote it; ``data`` None: deleted. ``author`` None: not known here."""

    entity: EntityId
    data: bytes | None
    at_ns: int
    delta_id: DeltaId
    author: PublicKey | None = None


class StateAt(Request["EntryList"], frozen=True):
    """Every entry as it was right after a delta (time travel); what a snapshot brought is not among them."""

    context_id: ContextId
    delta_id: DeltaId


class BlameEntry(Request["EntryList"], frozen=True):
    """Every write of one entry, the one that holds now first."""

    context_id: ContextId
    entity: EntityId


class EntryList(Message, frozen=True):
    entries: list[EntryVersion]


class EntryDifference(Record, frozen=True):
    """An entry that differs; None on a side where it is not there at all."""

    entity: EntityId
    before: EntryVersion | None
    after: EntryVersion | None


class CompareDeltas(Request["DeltaDifference"], frozen=True):
    """The entries whose bytes differ between the states at two deltas."""

    context_id: ContextId
    old: DeltaId
    new: DeltaId


class DeltaDifference(Message, frozen=True):
    entries: list[EntryDifference]


class DeltaCommitted(Note, frozen=True):
    """To sync: a local call made this delta and it is durable; broadcast it."""

    context_id: ContextId
    delta: DeltaRecord


class MutationRecord(Record, frozen=True):
    """A change of members or capabilities that a guest queued; ``kind`` is the host function's name."""

    kind: str
    target: bytes
    params: dict[str, bytes] = {}


class ProposalRecord(Record, frozen=True):
    """A proposal (Borsh actions) that a guest queued, or an approval of one."""

    id: Hash
    actions: bytes = b""
    approval: bool = False


class GovernanceQueued(Note, frozen=True):
    """To sync: a call that is durable asks for this at the registry, in the name of ``executor``. With a ticket it is
    told again until :class:`GovernanceDone`."""

    context_id: ContextId
    executor: PublicKey
    mutations: list[MutationRecord] = []
    proposals: list[ProposalRecord] = []
    ticket: Hash = ZERO_HASH


class TellGovernance(Request[Done], frozen=True):
    """Tell sync again about everything that calls asked of the registry and nobody reported as done."""


class GovernanceDone(Request[Done], frozen=True):
    """What the note with this ticket asked for was carried out or refused for good."""

    context_id: ContextId
    ticket: Hash


class BlobAnnounced(Note, frozen=True):
    """To sync: a guest wants the members of a context to find a blob of this node."""

    context_id: ContextId
    blob_id: BlobId


class BlobMade(Note, frozen=True):
    """To sync: a guest made a blob; its rows, the blob last, are at this worker and belong to the others, too."""

    blobs: list[BlobRecord]


class StateChanged(Note, frozen=True):
    """To the server: a context has a new root. ``events`` are JSON bytes (a list) with handler names."""

    context_id: ContextId
    root: Hash
    events: bytes = b"[]"


class Noticed(Note, frozen=True):
    """To the server: a :class:`node.events.Notice`; ``fields`` is a JSON object."""

    kind: str
    name: str
    at_ns: int
    context_id: ContextId | None = None
    fields: bytes = b"{}"


# -- snapshots and trees


class OpenSnapshot(Request["SnapshotHandle"], frozen=True):
    """Pin a read view of the state; writes go on meanwhile."""

    context_id: ContextId


class SnapshotHandle(Message, frozen=True):
    handle: int
    root: Hash
    heads: list[DeltaId]
    rows: int


class ReadSnapshot(Request["SnapshotRows"], frozen=True):
    """Rows behind ``after`` (a 32-byte row key), about ``byte_limit`` bytes of them."""

    context_id: ContextId
    handle: int
    after: bytes | None
    byte_limit: int


class SnapshotRow(Record, frozen=True):
    key: bytes
    value: bytes


class SnapshotRows(Message, frozen=True):
    rows: list[SnapshotRow]
    next: bytes | None


class CloseSnapshot(Request[Done], frozen=True):
    context_id: ContextId
    handle: int


class BeginInstall(Request[Done], frozen=True):
    """Start to receive a snapshot aside; a half-received one is dropped."""

    context_id: ContextId
    root: Hash
    heads: list[DeltaId]


class PutSnapshotRows(Request[Done], frozen=True):
    context_id: ContextId
    rows: list[SnapshotRow]


class FinishInstall(Request[Heads], frozen=True):
    """Verify the received rows against the root and make them the state, in one batch, or fail and change nothing."""

    context_id: ContextId


class AbortInstall(Request[Done], frozen=True):
    context_id: ContextId


class GetTreeNodes(Request["TreeNodes"], frozen=True):
    """Entities of the Merkle tree from ``node`` (None: the root) down to ``depth`` levels; tombstones by id only."""

    context_id: ContextId
    node: EntityId | None
    depth: int


class TreeNodes(Message, frozen=True):
    """Borsh ``node.context.owner.tree.StateNode`` each, parents before children; ``root`` is of the same read."""

    nodes: list[bytes]
    root: Hash


class ApplyLeaves(Request[Heads], frozen=True):
    """Merge entities into the state: Borsh ``node.storage.action.Action`` each, with the chain of ancestors."""

    context_id: ContextId
    leaves: list[bytes]


class GetPlaces(Request["Places"], frozen=True):
    """Entities without their children, tombstones included. This and the next two are answered for as many as fit, from
    the first on."""

    context_id: ContextId
    entities: list[EntityId]


class Places(Message, frozen=True):
    """Borsh ``Place`` each, None for an entity that was never here; ``root`` is the root hash of the same read."""

    root: Hash
    places: list[bytes | None]


class GetBuckets(Request["BucketDigests"], frozen=True):
    """Digests of the children of some entities in 2^bits buckets of their ids; bits None: as many as fit."""

    context_id: ContextId
    wanted: list[tuple[EntityId, int | None]]


class BucketDigests(Message, frozen=True):
    """Bits and digests of each."""

    root: Hash
    found: list[tuple[int, bytes]]


class GetChildRows(Request["ChildRows"], frozen=True):
    """Children of some entities, each with bits and the numbers of buckets."""

    context_id: ContextId
    parts: list[tuple[EntityId, int, tuple[int, ...]]]


class ChildRows(Message, frozen=True):
    """Id, creation time in ns and full hash of each child, by entity."""

    root: Hash
    found: list[list[tuple[EntityId, int, Hash]]]


class AdoptHeads(Request[Heads], frozen=True):
    """Count deltas of a peer as applied, while our root is ``root``, which is the peer's; else fail."""

    context_id: ContextId
    root: Hash
    heads: list[DeltaId]


class InspectState(Request["StatePage"], frozen=True):
    """Raw state rows for the inspector."""

    context_id: ContextId
    after: bytes | None = None
    limit: int = 100


class StatePage(Message, frozen=True):
    rows: list[SnapshotRow]
    next: bytes | None
