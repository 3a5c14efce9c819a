"""Bytes of the messages between nodes: gossip broadcasts and the frames of a sync stream. Forms only, no behaviour.

Enums are one tag byte and the fields of the variant, as Borsh writes them.
Source: core 0.10.0: crates/node/primitives/src/sync/{snapshot,wire,hash_comparison,levelwise}.rs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from node.codec.borsh import Codec, Fixed, codec, u8, u16, u32, u64, variant
from node.context.owner.repair import Buckets, Part, Place, Row
from node.primitives import BlobId, ContextId, DeltaId, EntityId, Hash, PrivateKey, PublicKey
from node.storage.crdt_type import CrdtType

Nonce = Annotated[bytes, Fixed(12)]
Hlc = Annotated[bytes, Fixed(24)]
Raw32 = Annotated[bytes, Fixed(32)]
Signature = Annotated[bytes, Fixed(64)]

NO_NONCE: Final = bytes(12)
"""``next_nonce`` of a last message."""


# -- gossip


@variant(0)
@dataclass(frozen=True, slots=True)
class StateDelta:
    """A delta. ``artifact`` is sealed with the author's sender key, everything else is in the clear."""

    context_id: ContextId
    author_id: PublicKey
    delta_id: DeltaId
    parent_ids: tuple[DeltaId, ...]
    hlc: Hlc
    root_hash: Hash
    artifact: bytes
    nonce: Nonce
    events: bytes | None


@variant(1)
@dataclass(frozen=True, slots=True)
class HashHeartbeat:
    context_id: ContextId
    root_hash: Hash
    dag_heads: tuple[DeltaId, ...]


@variant(2)
@dataclass(frozen=True, slots=True)
class SpecializedNodeDiscovery:
    """A node looks for helpers; ``node_type`` 0 is read-only. Known, and not acted upon."""

    nonce: Raw32
    node_type: u8


@variant(3)
@dataclass(frozen=True, slots=True)
class SpecializedNodeJoinConfirmation:
    nonce: Raw32


BroadcastMessage = StateDelta | HashHeartbeat | SpecializedNodeDiscovery | SpecializedNodeJoinConfirmation


# -- requests that open a talk on a stream


@variant(0)
@dataclass(frozen=True, slots=True)
class InitBlobShare:
    blob_id: BlobId


@variant(1)
@dataclass(frozen=True, slots=True)
class InitKeyShare:
    pass


@variant(2)
@dataclass(frozen=True, slots=True)
class DeltaRequest:
    context_id: ContextId
    delta_id: DeltaId


@variant(3)
@dataclass(frozen=True, slots=True)
class DagHeadsRequest:
    context_id: ContextId


@variant(4)
@dataclass(frozen=True, slots=True)
class SnapshotBoundaryRequest:
    """``requested_cutoff_timestamp`` is always None and never read."""

    context_id: ContextId
    requested_cutoff_timestamp: u64 | None


@variant(5)
@dataclass(frozen=True, slots=True)
class SnapshotStreamRequest:
    context_id: ContextId
    boundary_root_hash: Hash
    page_limit: u16
    byte_limit: u32
    resume_cursor: bytes | None


@variant(6)
@dataclass(frozen=True, slots=True)
class TreeNodeRequest:
    """``node_id`` is an entity id, or the peer's root hash, which stands for the root entity."""

    context_id: ContextId
    node_id: Raw32
    max_depth: u8 | None


@variant(7)
@dataclass(frozen=True, slots=True)
class LevelWiseRequest:
    context_id: ContextId
    level: u32
    parent_ids: tuple[EntityId, ...] | None


@variant(64)
@dataclass(frozen=True, slots=True)
class TreeBucketsRequest:
    """Ours: digests of the children of entities in buckets. Sent only to a node that announces itself as one of ours.

    This and the next two are answered for as many as fit, from the first on.
    """

    context_id: ContextId
    entities: tuple[EntityId, ...]


@variant(65)
@dataclass(frozen=True, slots=True)
class TreeRowsRequest:
    """Ours: the children of entities in some buckets."""

    context_id: ContextId
    parts: tuple[Part, ...]


@variant(66)
@dataclass(frozen=True, slots=True)
class TreePlacesRequest:
    """Ours: entities without their children, tombstones included."""

    context_id: ContextId
    entities: tuple[EntityId, ...]


@variant(67)
@dataclass(frozen=True, slots=True)
class LackingRequest:
    """Ours: deltas that are not behind these heads, parents first."""

    context_id: ContextId
    have: tuple[DeltaId, ...]
    limit: u32


InitPayload = (
    InitBlobShare
    | InitKeyShare
    | DeltaRequest
    | DagHeadsRequest
    | SnapshotBoundaryRequest
    | SnapshotStreamRequest
    | TreeNodeRequest
    | LevelWiseRequest
    | TreeBucketsRequest
    | TreeRowsRequest
    | TreePlacesRequest
    | LackingRequest
)


# -- state in pieces


@dataclass(frozen=True, slots=True)
class LeafMetadata:
    """``hlc_timestamp`` is the entry's ``updated_at`` in ns. Version, collection and parent are never filled."""

    crdt_type: CrdtType
    hlc_timestamp: u64
    version: u64
    collection_id: Raw32
    parent_id: Raw32 | None


@dataclass(frozen=True, slots=True)
class TreeLeafData:
    key: EntityId
    value: bytes
    metadata: LeafMetadata


@dataclass(frozen=True, slots=True)
class TreeNode:
    """``hash`` is the full hash of the entity."""

    id: EntityId
    hash: Hash
    children: tuple[EntityId, ...]
    leaf_data: TreeLeafData | None


@dataclass(frozen=True, slots=True)
class LevelNode:
    id: EntityId
    hash: Hash
    parent_id: EntityId | None
    leaf_data: TreeLeafData | None


# -- answers


@variant(0)
@dataclass(frozen=True, slots=True)
class BlobShare:
    """One chunk; an empty one ends the blob."""

    chunk: bytes


@variant(1)
@dataclass(frozen=True, slots=True)
class KeyShare:
    sender_key: PrivateKey


@variant(2)
@dataclass(frozen=True, slots=True)
class DeltaResponse:
    """``delta`` is a Borsh ``CausalDelta``."""

    delta: bytes


@variant(3)
@dataclass(frozen=True, slots=True)
class DeltaNotFound:
    pass


@variant(4)
@dataclass(frozen=True, slots=True)
class DagHeadsResponse:
    dag_heads: tuple[DeltaId, ...]
    root_hash: Hash


@variant(5)
@dataclass(frozen=True, slots=True)
class Challenge:
    challenge: Raw32


@variant(6)
@dataclass(frozen=True, slots=True)
class ChallengeResponse:
    signature: Signature


@variant(7)
@dataclass(frozen=True, slots=True)
class SnapshotBoundaryResponse:
    """``boundary_timestamp`` in ns."""

    boundary_timestamp: u64
    boundary_root_hash: Hash
    dag_heads: tuple[DeltaId, ...]


@variant(8)
@dataclass(frozen=True, slots=True)
class SnapshotPage:
    """``payload`` is an LZ4 block; only the page with ``sent_count == page_count`` may carry a cursor."""

    payload: bytes
    uncompressed_len: u32
    cursor: bytes | None
    page_count: u64
    sent_count: u64


@variant(0)
@dataclass(frozen=True, slots=True)
class SnapshotRequired:
    pass


@variant(1)
@dataclass(frozen=True, slots=True)
class InvalidBoundary:
    pass


@variant(2)
@dataclass(frozen=True, slots=True)
class ResumeCursorInvalid:
    pass


@variant(3)
@dataclass(frozen=True, slots=True)
class SnapshotOnInitializedNode:
    pass


@variant(4)
@dataclass(frozen=True, slots=True)
class RootHashMismatch:
    expected: Hash
    computed: Hash


@variant(5)
@dataclass(frozen=True, slots=True)
class TransferInterrupted:
    pages_received: u64


@variant(6)
@dataclass(frozen=True, slots=True)
class DecompressionFailed:
    pass


@variant(7)
@dataclass(frozen=True, slots=True)
class EntityCountMismatch:
    expected: u64
    actual: u64


@variant(8)
@dataclass(frozen=True, slots=True)
class MissingPages:
    missing: tuple[u64, ...]


SnapshotError = (
    SnapshotRequired
    | InvalidBoundary
    | ResumeCursorInvalid
    | SnapshotOnInitializedNode
    | RootHashMismatch
    | TransferInterrupted
    | DecompressionFailed
    | EntityCountMismatch
    | MissingPages
)


@variant(9)
@dataclass(frozen=True, slots=True)
class SnapshotFailed:
    """The reference calls the message ``SnapshotError``, like its field."""

    error: SnapshotError


@variant(10)
@dataclass(frozen=True, slots=True)
class TreeNodeResponse:
    nodes: tuple[TreeNode, ...]
    not_found: bool


@variant(11)
@dataclass(frozen=True, slots=True)
class LevelWiseResponse:
    level: u32
    nodes: tuple[LevelNode, ...]
    has_more_levels: bool


@variant(64)
@dataclass(frozen=True, slots=True)
class TreeBucketsResponse:
    """Ours. ``root`` is the state's root at the time of the read."""

    root: Hash
    buckets: tuple[Buckets, ...]


@variant(65)
@dataclass(frozen=True, slots=True)
class TreeRowsResponse:
    """Ours. By entity, as asked."""

    root: Hash
    rows: tuple[tuple[Row, ...], ...]


@variant(66)
@dataclass(frozen=True, slots=True)
class TreePlacesResponse:
    root: Hash
    places: tuple[Place | None, ...]


@variant(67)
@dataclass(frozen=True, slots=True)
class LackingResponse:
    """Ours. Borsh ``CausalDelta`` each; empty: there are none, or none that this node can vouch for."""

    deltas: tuple[bytes, ...]


MessagePayload = (
    BlobShare
    | KeyShare
    | DeltaResponse
    | DeltaNotFound
    | DagHeadsResponse
    | Challenge
    | ChallengeResponse
    | SnapshotBoundaryResponse
    | SnapshotPage
    | SnapshotFailed
    | TreeNodeResponse
    | LevelWiseResponse
    | TreeBucketsResponse
    | TreeRowsResponse
    | TreePlacesResponse
    | LackingResponse
)


# -- frames


@variant(0)
@dataclass(frozen=True, slots=True)
class Init:
    """Opens a talk; ``party_id`` is the identity that the sender acts for."""

    context_id: ContextId
    party_id: PublicKey
    payload: InitPayload
    next_nonce: Nonce


@variant(1)
@dataclass(frozen=True, slots=True)
class Message:
    """``sequence_id`` counts the messages of one direction of one talk."""

    sequence_id: u64
    payload: MessagePayload
    next_nonce: Nonce


@variant(2)
@dataclass(frozen=True, slots=True)
class OpaqueError:
    """The other side failed and does not say why. Never sealed."""


StreamMessage = Init | Message | OpaqueError

_broadcast: Final[Codec[BroadcastMessage]] = codec(BroadcastMessage)
_stream: Final[Codec[StreamMessage]] = codec(StreamMessage)


def encode_broadcast(message: BroadcastMessage) -> bytes:
    """The data of a gossip message."""
    return _broadcast.encode(message)


def decode_broadcast(data: bytes) -> BroadcastMessage:
    """Raises :class:`DecodeError`."""
    return _broadcast.decode(data)


def encode_stream(message: StreamMessage) -> bytes:
    """The payload of one frame."""
    return _stream.encode(message)


def decode_stream(data: bytes) -> StreamMessage:
    """Raises :class:`DecodeError`."""
    return _stream.decode(data)
