"""Row values: one dataclass per kind of row, written as Borsh in the reference's field order.

Rows of columns State and PrivateState are raw bytes of the application and have no type here.
Source: core 0.10.0: crates/store/src/types/**; the rows of the Generic column at the end are ours.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.codec.borsh import u8, u64, u128
from node.primitives import (
    ZERO_ROOT,
    ApplicationId,
    BlobId,
    ContextId,
    DeltaId,
    EntityId,
    Hash,
    PrivateKey,
    PublicKey,
)

HLC_TIME = 8
"""Bytes of a hybrid timestamp's time, in front of the 16 bytes of its clock id."""


@dataclass(frozen=True, slots=True)
class ContextMeta:
    """Column Meta: which application, which state, which heads."""

    application_id: ApplicationId
    root_hash: Hash
    dag_heads: tuple[DeltaId, ...]


@dataclass(frozen=True, slots=True)
class ContextConfig:
    """Column Config: where membership is recorded, and the revisions last read from there."""

    protocol: str
    network: str
    contract: str
    proxy_contract: str
    application_revision: u64
    members_revision: u64


@dataclass(frozen=True, slots=True)
class ContextIdentity:
    """Column Identity: a member. The private key is present for own identities, the sender key once it is known."""

    private_key: PrivateKey | None = None
    sender_key: PrivateKey | None = None


@dataclass(frozen=True, slots=True)
class ContextDagDelta:
    """Column Delta: ``actions`` is Borsh ``vec<Action>``; ``applied`` is True only if the effects are in the state."""

    delta_id: DeltaId
    parents: tuple[DeltaId, ...]
    actions: bytes
    hlc_time: u64
    hlc_id: u128
    applied: bool
    expected_root_hash: Hash
    events: bytes | None

    @property
    def hlc(self) -> bytes:
        """The hybrid timestamp in its 24-byte form."""
        return self.hlc_time.to_bytes(8, "little") + self.hlc_id.to_bytes(16, "little")


@dataclass(frozen=True, slots=True)
class BlobMeta:
    """Column Blobs: size in bytes, SHA-256 of the content, chunks in order (none for a chunk)."""

    size: u64
    hash: Hash
    links: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class ApplicationMeta:
    """Column Application. ``compiled``: the reference's blob of native code; ours lies in a cache, this is zero."""

    bytecode: BlobId
    size: u64
    source: str
    metadata: bytes
    compiled: BlobId
    package: str
    version: str
    signer_id: str


@dataclass(frozen=True, slots=True)
class AliasTarget:
    """Column Alias."""

    hash: Hash


@dataclass(frozen=True, slots=True)
class DeltaOrigin:
    """Column Generic, ours: what the reference does not keep about a delta, under the digest of context and delta.

    ``author`` None: it came by a stream that does not name one. ``source`` is the peer that sent it, empty for a local
    call. ``since_ns`` is when it came, ``events`` its application events as they travel.
    """

    context_id: ContextId
    delta_id: DeltaId
    author: PublicKey | None
    source: str
    since_ns: u64
    events: bytes | None


@dataclass(frozen=True, slots=True)
class OutboxEntry:
    """Column Generic, ours: event handlers that this node still owes for an applied delta of another author.

    ``done`` events are behind us; ``attempts`` counts failures of the next one.
    """

    context_id: ContextId
    delta_id: DeltaId
    events: bytes
    done: u64
    attempts: u8


@dataclass(frozen=True, slots=True)
class OwedMutation:
    """A change of members or contexts that a guest queued."""

    kind: str
    target: bytes
    params: tuple[tuple[str, bytes], ...]


@dataclass(frozen=True, slots=True)
class OwedProposal:
    """A proposal that a guest queued, or an approval of one."""

    id: Hash
    actions: bytes
    approval: bool


@dataclass(frozen=True, slots=True)
class OwedGovernance:
    """Column Generic, ours: what a durable call asked of the registry, until it is carried out."""

    context_id: ContextId
    executor: PublicKey
    mutations: tuple[OwedMutation, ...]
    proposals: tuple[OwedProposal, ...]


@dataclass(frozen=True, slots=True)
class KeptIdentity:
    """Column Generic, ours: an own identity that a member list left out; used again if the list names it again."""

    context_id: ContextId
    public_key: PublicKey
    identity: ContextIdentity


@dataclass(frozen=True, slots=True)
class Original:
    """Column Generic, ours: an entry as a snapshot brought it, before a delta wrote it; None: it was not there."""

    entity: EntityId
    data: bytes | None
    at_ns: u64


def uninitialised(application_id: ApplicationId) -> ContextMeta:
    """A context whose state has not arrived yet."""
    return ContextMeta(application_id, ZERO_ROOT, ())


def delta_row(
    delta_id: DeltaId,
    parents: tuple[DeltaId, ...],
    actions: bytes,
    hlc: bytes,
    expected_root_hash: Hash,
    *,
    applied: bool,
) -> ContextDagDelta:
    """A delta row from the 24-byte hybrid timestamp."""
    time, clock = int.from_bytes(hlc[:HLC_TIME], "little"), int.from_bytes(hlc[HLC_TIME:], "little")
    return ContextDagDelta(delta_id, parents, actions, time, clock, applied, expected_root_hash, None)
