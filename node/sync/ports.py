"""What the sync core asks of the world: the network, the owner of a context, the registry, the blob store.

Each request is data and names its answer, so a shell maps it to a message and a simulator to a call. Nothing here is a
wire format.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from node.context.owner.repair import Buckets, Part, Place
from node.context.owner.repair import Row as ChildRow
from node.primitives import ApplicationId, BlobId, ContextId, DeltaId, EntityId, Hash, PrivateKey, PublicKey
from node.sync.kernel import Request

# -- network


@dataclass(frozen=True, slots=True)
class OpenStream(Request[int]):
    """A stream to a peer; the answer is its number. ``blob``: speak the blob protocol on it."""

    peer: str
    blob: bool = False


@dataclass(frozen=True, slots=True)
class SendFrame(Request[None]):
    """Answered when the transport took it."""

    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Publish(Request[int]):
    """Gossip on a context's topic; the answer is the number of peers that it goes to."""

    context_id: ContextId
    data: bytes


@dataclass(frozen=True, slots=True)
class Subscribe(Request[None]):
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class Unsubscribe(Request[None]):
    context_id: ContextId


# -- the owner of a context


@dataclass(frozen=True, slots=True)
class Config:
    """Where membership is recorded and the revisions last read from there."""

    protocol: str = ""
    network: str = ""
    contract: str = ""
    proxy_contract: str = ""
    application_revision: int = 0
    members_revision: int = 0


@dataclass(frozen=True, slots=True)
class Heads:
    """Root and DAG heads of one read. ``missing`` are parents that waiting deltas name and nobody brought."""

    root: Hash
    heads: tuple[DeltaId, ...]
    pending: int = 0
    missing: tuple[DeltaId, ...] = ()


@dataclass(frozen=True, slots=True)
class ListContexts(Request[tuple[ContextId, ...]]):
    pass


@dataclass(frozen=True, slots=True)
class Description:
    application_id: ApplicationId
    config: Config
    heads: Heads


@dataclass(frozen=True, slots=True)
class Describe(Request[Description]):
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class Identity:
    """An identity of this node with its secrets."""

    public_key: PublicKey
    private_key: PrivateKey = field(repr=False)
    sender_key: PrivateKey | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """Members of a context, own identities, and the sender keys of others."""

    members: frozenset[PublicKey]
    owned: tuple[Identity, ...]
    senders: dict[PublicKey, PrivateKey] = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadKeys(Request[Keys]):
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class StoreSenderKey(Request[None]):
    context_id: ContextId
    member: PublicKey
    key: PrivateKey = field(repr=False)


@dataclass(frozen=True, slots=True)
class GetHeads(Request[Heads]):
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class OpenDelta:
    """A delta in the clear. ``artifact`` is a Borsh ``StorageDelta``; ``author`` None: it came by stream."""

    id: DeltaId
    parents: tuple[DeltaId, ...]
    hlc: bytes
    root: Hash
    artifact: bytes
    author: PublicKey | None = None
    events: bytes | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of each delta fed, released ones included, and the state afterwards."""

    applied: tuple[DeltaId, ...]
    pending: tuple[DeltaId, ...]
    duplicates: tuple[DeltaId, ...]
    rejected: tuple[tuple[DeltaId, str], ...]
    heads: Heads


@dataclass(frozen=True, slots=True)
class ApplyDeltas(Request[Applied]):
    context_id: ContextId
    deltas: tuple[OpenDelta, ...]
    source: str = ""


@dataclass(frozen=True, slots=True)
class UnknownDeltas(Request[tuple[DeltaId, ...]]):
    """Those of the ids that are neither applied nor waiting here."""

    context_id: ContextId
    ids: tuple[DeltaId, ...]


@dataclass(frozen=True, slots=True)
class GetDeltas(Request[tuple[bytes | None, ...]]):
    """Borsh ``CausalDelta`` of each id, None where it is unknown."""

    context_id: ContextId
    ids: tuple[DeltaId, ...]


@dataclass(frozen=True, slots=True)
class SamplePast(Request[tuple[DeltaId, ...]]):
    """Heads and some older applied deltas, by which a peer finds what both have."""

    context_id: ContextId


@dataclass(frozen=True, slots=True)
class GetLacking(Request[tuple[bytes, ...]]):
    """Borsh ``CausalDelta`` of deltas that are not behind ``have``, in an order in which they can be applied."""

    context_id: ContextId
    have: tuple[DeltaId, ...]
    limit: int
    max_bytes: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delta that waits, and for what: ``parents``, ``application`` or ``error``."""

    id: DeltaId
    missing: tuple[DeltaId, ...]
    since_ns: int
    waits_for: str
    error: str = ""


@dataclass(frozen=True, slots=True)
class ListPending(Request[tuple[Waiting, ...]]):
    context_id: ContextId


# -- snapshots and trees of the owner

Row = tuple[bytes, bytes]
"""A state row: 32-byte state key and value."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A pinned read view."""

    handle: int
    root: Hash
    heads: tuple[DeltaId, ...]
    rows: int = 0


@dataclass(frozen=True, slots=True)
class OpenSnapshot(Request[Snapshot]):
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class SnapshotRows:
    rows: tuple[Row, ...]
    next: bytes | None


@dataclass(frozen=True, slots=True)
class ReadSnapshot(Request[SnapshotRows]):
    """About ``byte_limit`` bytes of rows behind the key ``after``."""

    context_id: ContextId
    handle: int
    after: bytes | None
    byte_limit: int


@dataclass(frozen=True, slots=True)
class CloseSnapshot(Request[None]):
    context_id: ContextId
    handle: int


@dataclass(frozen=True, slots=True)
class BeginInstall(Request[None]):
    context_id: ContextId
    root: Hash
    heads: tuple[DeltaId, ...]


@dataclass(frozen=True, slots=True)
class PutSnapshotRows(Request[None]):
    context_id: ContextId
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class FinishInstall(Request[Heads]):
    """Verify what was received and make it the state in one batch, or fail and change nothing."""

    context_id: ContextId


@dataclass(frozen=True, slots=True)
class AbortInstall(Request[None]):
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class Tree:
    """Borsh ``TreeNode`` each, parents before children; ``root`` is the root hash of the same read."""

    nodes: tuple[bytes, ...]
    root: Hash


@dataclass(frozen=True, slots=True)
class GetTreeNodes(Request[Tree]):
    """Nodes from ``node`` (None: the root) down ``depth`` levels."""

    context_id: ContextId
    node: EntityId | None
    depth: int


@dataclass(frozen=True, slots=True)
class ApplyLeaves(Request[Heads]):
    """Merge entities of a peer into the state: Borsh ``Action`` each, parents first."""

    context_id: ContextId
    leaves: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class ReadPlaces(Request[tuple[Hash, tuple[Place | None, ...]]]):
    """Entities without their children, None for those that were never here, and the root of the same read.

    This and the next two answer for as many as fit, from the first on.
    """

    context_id: ContextId
    entities: tuple[EntityId, ...]


@dataclass(frozen=True, slots=True)
class ReadBuckets(Request[tuple[Hash, tuple[Buckets, ...]]]):
    """Digests of the children of some entities, in as many bits as wanted; None: as many as fit their number."""

    context_id: ContextId
    wanted: tuple[tuple[EntityId, int | None], ...]


@dataclass(frozen=True, slots=True)
class ReadRows(Request[tuple[Hash, tuple[tuple[ChildRow, ...], ...]]]):
    """Children of some entities in some buckets."""

    context_id: ContextId
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class AdoptHeads(Request[Heads]):
    """Count these deltas as applied, while our root is this one. Raises :class:`NotFound` when it moved."""

    context_id: ContextId
    root: Hash
    heads: tuple[DeltaId, ...]


@dataclass(frozen=True, slots=True)
class ReadAgent(Request[str]):
    """How a peer's software calls itself; empty while unknown."""

    peer: str


# -- the registry, and what it changes here


@dataclass(frozen=True, slots=True)
class Revisions:
    application: int
    members: int


@dataclass(frozen=True, slots=True)
class ReadRevisions(Request[Revisions]):
    context_id: ContextId
    config: Config


@dataclass(frozen=True, slots=True)
class ReadMembers(Request[tuple[PublicKey, ...]]):
    context_id: ContextId
    config: Config


@dataclass(frozen=True, slots=True)
class Application:
    """The application of a context as the registry has it."""

    id: ApplicationId
    blob_id: BlobId
    size: int
    source: str
    metadata: bytes = b""


@dataclass(frozen=True, slots=True)
class ReadApplication(Request[Application]):
    context_id: ContextId
    config: Config


@dataclass(frozen=True, slots=True)
class UpdateContext(Request[None]):
    """Write what the registry says now; None leaves a part as it is."""

    context_id: ContextId
    config: Config
    members: tuple[PublicKey, ...] | None = None
    application: Application | None = None


# -- blobs and applications on this node


@dataclass(frozen=True, slots=True)
class FindApplication(Request[Application | None]):
    """The application if its module can run here, else None."""

    id: ApplicationId


@dataclass(frozen=True, slots=True)
class BlobChunks:
    """A blob that is here: chunk ids in order."""

    size: int
    chunks: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class FindBlob(Request[BlobChunks | None]):
    blob_id: BlobId


@dataclass(frozen=True, slots=True)
class ReadChunk(Request[bytes]):
    chunk_id: BlobId


@dataclass(frozen=True, slots=True)
class MissingChunks(Request[tuple[BlobId, ...]]):
    """Those of the chunks that are not here."""

    chunks: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class FindHolder(Request[str | None]):
    """The peer that announced a blob of a context in the DHT; a hint, nobody signs it."""

    context_id: ContextId
    blob_id: BlobId


@dataclass(frozen=True, slots=True)
class WriteChunk(Request[BlobId]):
    """Keep one chunk; the answer is its id."""

    data: bytes


@dataclass(frozen=True, slots=True)
class StoreBlob(Request[None]):
    """Make chunks that are here one blob."""

    blob_id: BlobId
    size: int
    hash: Hash
    chunks: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class DropChunks(Request[None]):
    """Forget chunks of a transfer that failed, where no blob holds them."""

    chunks: tuple[BlobId, ...]


@dataclass(frozen=True, slots=True)
class InstallApplication(Request[None]):
    """Make an application runnable from its blob, which is here, and retry the deltas that wait for it."""

    context_id: ContextId
    application: Application
