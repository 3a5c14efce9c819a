"""Shapes of JSON answers, for the API document and for the tests that hold real answers against them.

Names and cases are the reference's: core 0.10.0: crates/server/primitives/src/{admin,blob,sse}.rs. A field with the
value UNSET may be absent.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from node.api.models import ByteList, ProposalBody
from node.primitives import ApplicationId, BlobId, ContextId, Hash, PublicKey


class Camel(msgspec.Struct, frozen=True, rename="camel"):
    """An object with camelCase names."""


class Snake(msgspec.Struct, frozen=True):
    """An object with snake_case names."""


class Status(Snake, frozen=True):
    status: Literal["alive"]


class PeerCount(Snake, frozen=True):
    count: int


# -- applications


class Installed(Camel, frozen=True):
    application_id: ApplicationId


class ApplicationBlob(Snake, frozen=True):
    bytecode: BlobId
    compiled: BlobId


class Application(Snake, frozen=True):
    id: ApplicationId
    blob: ApplicationBlob
    size: int
    source: str
    metadata: ByteList


class Applications(Snake, frozen=True):
    apps: list[Application]


class OneApplication(Snake, frozen=True):
    application: Application | None


class Packages(Snake, frozen=True):
    packages: list[str]


class Versions(Snake, frozen=True):
    versions: list[str]


class Latest(Camel, frozen=True):
    application_id: ApplicationId | None
    version: str | None


# -- contexts


class Context(Camel, frozen=True):
    id: ContextId
    application_id: ApplicationId
    root_hash: Hash
    dag_heads: list[ByteList] | UnsetType = UNSET


class Contexts(Snake, frozen=True):
    contexts: list[Context]


class Joined(Camel, frozen=True):
    context_id: ContextId
    member_public_key: PublicKey


class Deleted(Camel, frozen=True):
    is_deleted: bool


class ExecutorRow(Snake, frozen=True):
    id: ContextId
    application_id: ApplicationId
    root_hash: Hash
    executors: list[PublicKey]


class ContextsWithExecutors(Snake, frozen=True):
    contexts: list[ExecutorRow]


class Storage(Camel, frozen=True):
    size_in_bytes: int


class Identities(Snake, frozen=True):
    identities: list[PublicKey]


class NewIdentity(Camel, frozen=True):
    public_key: PublicKey


class OpenInvitation(Snake, frozen=True):
    inviter_identity: ByteList
    context_id: ByteList
    expiration_height: int
    secret_salt: ByteList
    protocol: str
    network: str
    contract_id: str


class SignedOpenInvitation(Snake, frozen=True):
    invitation: OpenInvitation
    inviter_signature: str


class Nonce(Snake, frozen=True):
    nonce: str


class Wrapped(Camel, frozen=True):
    """The nothing that a client gets that sent a bare list of capabilities."""

    data: None


class ClientKeys(Camel, frozen=True):
    client_keys: list[Any]


# -- governance


class Approvals(Snake, frozen=True):
    proposal_id: Hash
    num_approvals: int


class ContextEntry(Snake, frozen=True):
    key: ByteList
    value: ByteList


Proposals = list[ProposalBody]


# -- blobs and aliases


class StoredBlob(Snake, frozen=True):
    blob_id: BlobId
    size: int


class Blobs(Snake, frozen=True):
    blobs: list[StoredBlob]


class DeletedBlob(Snake, frozen=True):
    blob_id: BlobId
    deleted: bool


class PinnedBlob(Snake, frozen=True):
    blob_id: BlobId
    pinned: bool


class BlobUsage(Snake, frozen=True):
    """``size`` and ``quota`` (0: none) in bytes; ``spare`` is what a collection would delete."""

    size: int
    quota: int
    pinned: list[BlobId]
    spare: list[BlobId]


class BlobsFreed(Snake, frozen=True):
    """``blobs`` were deleted; ``files`` counts leftovers of broken transfers; ``size`` is in bytes, of both."""

    blobs: list[BlobId]
    size: int
    files: int


class AliasValue(Snake, frozen=True):
    value: str | None


# -- calls and event streams


class Output(Snake, frozen=True):
    output: Any


class RpcError(Snake, frozen=True):
    type: str
    data: Any = None


class RpcAnswer(Snake, frozen=True):
    """Exactly one of ``result`` and ``error`` is there."""

    jsonrpc: Literal["2.0"]
    id: str | int | None
    result: Output | UnsetType = UNSET
    error: RpcError | UnsetType = UNSET


class SubscriptionStatus(Snake, frozen=True):
    status: Literal["subscribed", "unsubscribed"]
    contexts: list[str] | UnsetType = UNSET
    unsubscribed: list[str] | UnsetType = UNSET
    requested: list[str] | UnsetType = UNSET


class SubscriptionAnswer(Snake, frozen=True):
    result: SubscriptionStatus


class SessionState(Snake, frozen=True):
    session_id: int
    subscriptions: list[ContextId]
    event_counter: int
    status: Literal["active", "persisted"]


class SessionAnswer(Snake, frozen=True):
    result: SessionState


# -- ours


class Ready(Snake, frozen=True):
    """``workers``: the state of each worker process."""

    ready: bool
    workers: dict[str, str]


class WorkerRow(Snake, frozen=True):
    """``since`` is unix time in seconds, ``memory`` bytes, ``cpu`` seconds; ``queued`` messages wait in our channel."""

    name: str
    pid: int
    state: str
    restarts: int
    since: float
    memory: int
    cpu: float
    queued: int
    details: dict[str, Any]


class Workers(Snake, frozen=True):
    workers: list[WorkerRow]


class Sessions(Snake, frozen=True):
    sessions: list[dict[str, Any]]


class PeerRow(Camel, frozen=True):
    """Traffic in bytes; ``latency_ms`` 0: not measured."""

    peer: str
    addresses: list[str]
    connected: bool
    inbound: bool
    agent: str
    protocols: list[str]
    topics: list[str]
    streams: int
    received: int
    sent: int
    latency_ms: float
    score: int
    refusals: dict[str, int]


class Peers(Snake, frozen=True):
    """``peer`` is this node's own id."""

    peer: str
    listen: list[str]
    peers: list[PeerRow]


class Dialled(Snake, frozen=True):
    peer: str


class Ponged(Snake, frozen=True):
    milliseconds: float


class DeltaRow(Snake, frozen=True):
    id: str
    parents: list[str]
    author: str | None
    root: Hash
    hlc: str


class Deltas(Snake, frozen=True):
    deltas: list[DeltaRow]
    next: str | None


class PendingRow(Camel, frozen=True):
    id: str
    missing: list[str]
    since: float
    waits_for: str
    error: str


class Pending(Snake, frozen=True):
    pending: list[PendingRow]


class StateRow(Snake, frozen=True):
    """``value`` is hex, cut; ``size`` the whole length in bytes."""

    key: str
    size: int
    value: str


class StateRows(Snake, frozen=True):
    rows: list[StateRow]
    next: str | None


class TreeRow(Camel, frozen=True):
    """An entity: base58 ids, hex hashes; ``value`` is hex, cut, None where it has none."""

    id: str
    parent: str | None
    full_hash: str
    own_hash: str
    deleted_at: int | None
    children: list[str]
    size: int
    value: str | None


class Tree(Snake, frozen=True):
    root: Hash
    nodes: list[TreeRow]


class EntryRow(Camel, frozen=True):
    """An entry as a delta wrote it; ``at`` is unix time in seconds, ``value`` hex or None when it was deleted."""

    entity: str
    delta: str
    author: str | None
    at: float
    size: int
    value: str | None


class Entries(Snake, frozen=True):
    entries: list[EntryRow]


class EntryChange(Snake, frozen=True):
    entity: str
    before: EntryRow | None
    after: EntryRow | None


class Changes(Snake, frozen=True):
    entries: list[EntryChange]


class ParameterRow(Snake, frozen=True):
    name: str
    type: str
    optional: bool


class MethodRow(Snake, frozen=True):
    name: str
    signature: str
    parameters: list[ParameterRow]
    returns: str | None


class Methods(Snake, frozen=True):
    """``typed`` False: only the exported names are known."""

    typed: bool
    methods: list[MethodRow]


class LogRow(Snake, frozen=True):
    """``at`` is UTC in ISO 8601; ``dropped`` lines before it did not get through."""

    at: str
    level: str
    worker: str
    logger: str
    text: str
    dropped: int = 0


class Logs(Snake, frozen=True):
    """``lost``: lines behind the cursor are no longer kept."""

    lines: list[LogRow]
    cursor: int
    lost: bool


class HistoryPage(Snake, frozen=True):
    """``lost``: events behind the cursor are no longer kept."""

    events: list[dict[str, Any]]
    cursor: int
    lost: bool
