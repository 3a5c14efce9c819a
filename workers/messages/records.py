"""Records that several messages share. They mirror the rows of the store; the store's own types stay in ``node``."""

from __future__ import annotations

from node.primitives import ApplicationId, BlobId, ContextId, DeltaId, Hash, PrivateKey, PublicKey
from workers.messages.base import Message, Record

__all__ = [
    "ApplicationRecord",
    "BlobRecord",
    "ConfigRecord",
    "ContextRecord",
    "DeltaRecord",
    "Heads",
    "MemberRecord",
    "OwnedIdentity",
    "PendingRecord",
]


class ApplicationRecord(Record, frozen=True):
    """An installed application; ``blob_id`` holds the module or the bundle, ``metadata`` is the installer's bytes."""

    id: ApplicationId
    blob_id: BlobId
    size: int
    source: str
    metadata: bytes = b""
    package: str = "unknown"
    version: str = "0.0.0"
    signer_id: str = ""


class BlobRecord(Record, frozen=True):
    """A blob: size in bytes, SHA-256 of the content, chunk ids in order (empty for a chunk itself)."""

    id: BlobId
    size: int
    hash: Hash
    links: list[BlobId] = []


class ConfigRecord(Record, frozen=True):
    """Where the membership of a context is recorded, and the revisions last read from there."""

    protocol: str
    network: str
    contract: str
    proxy_contract: str
    application_revision: int = 0
    members_revision: int = 0


class ContextRecord(Record, frozen=True):
    """A context as its owner sees it. ``pending`` counts deltas that wait for something."""

    id: ContextId
    application_id: ApplicationId
    root: Hash
    heads: list[DeltaId]
    config: ConfigRecord
    pending: int = 0
    deltas: int = 0


class MemberRecord(Record, frozen=True):
    """A member; ``owned``: this node holds its private key, ``keyed``: its sender key is known here."""

    public_key: PublicKey
    owned: bool
    keyed: bool


class OwnedIdentity(Record, frozen=True):
    """An identity of this node with its secrets. Never leaves the node and never goes into a log."""

    public_key: PublicKey
    private_key: PrivateKey
    sender_key: PrivateKey | None = None


class DeltaRecord(Record, frozen=True):
    """A causal delta in the clear, as gossip, streams and the store carry it.

    ``hlc`` is the 24-byte hybrid timestamp, ``artifact`` a Borsh ``StorageDelta``, ``events`` JSON or None.
    ``author`` is None for a delta that came by stream (the reference does not name it there).
    """

    id: DeltaId
    parents: list[DeltaId]
    hlc: bytes
    root: Hash
    artifact: bytes
    author: PublicKey | None = None
    events: bytes | None = None


class PendingRecord(Record, frozen=True):
    """A delta that waits: for parents, for its application, or after a failed apply (``error``)."""

    id: DeltaId
    missing: list[DeltaId]
    since_ns: int
    waits_for: str
    error: str = ""


class Heads(Message, frozen=True):
    """Root hash and DAG heads read together. ``missing`` are parents that pending deltas wait for."""

    root: Hash
    heads: list[DeltaId]
    pending: int = 0
    missing: list[DeltaId] = []
