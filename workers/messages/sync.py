"""Operations of the sync worker: what needs the registry, other members, or downloads. The server asks them."""

from __future__ import annotations

from node.primitives import ApplicationId, BlobId, ContextId, Hash, PublicKey
from workers.messages.base import Done, Message, Request
from workers.messages.records import ApplicationRecord, BlobRecord

__all__ = [
    "AnnounceBlob",
    "BlobHere",
    "BlobRoom",
    "BlobRoomAnswer",
    "BlobUsage",
    "BlobUsageAnswer",
    "BlobsFreed",
    "ChangeCapabilities",
    "CollectBlobs",
    "ContextCreated",
    "CreateContext",
    "CreateOpenInvitation",
    "DeleteBlob",
    "ExplainContext",
    "Explanation",
    "FetchBlob",
    "InstallFile",
    "InstallUrl",
    "Installed",
    "Invitation",
    "InviteMember",
    "JoinContext",
    "JoinOpen",
    "KeepBlob",
    "LeaveContext",
    "Left",
    "ListSessions",
    "OpenInvitation",
    "PinBlob",
    "Propose",
    "ReadRegistry",
    "RegistryAnswer",
    "SyncContext",
    "SyncReport",
    "Uninstall",
    "UpdateApplication",
]


# -- contexts


class CreateContext(Request["ContextCreated"], frozen=True):
    """``seed``: 32 bytes for a predictable id, or None. ``init_args`` are handed to ``init`` as they are."""

    protocol: str
    application_id: ApplicationId
    init_args: bytes
    seed: bytes | None = None
    alias: str | None = None


class ContextCreated(Message, frozen=True):
    context_id: ContextId
    member: PublicKey


class InviteMember(Request["Invitation"], frozen=True):
    context_id: ContextId
    inviter: PublicKey
    invitee: PublicKey


class Invitation(Message, frozen=True):
    """The text that the invitee joins with; None when the context has no registry entry here."""

    payload: str | None


class JoinContext(Request["ContextCreated"], frozen=True):
    payload: str


class CreateOpenInvitation(Request["OpenInvitation"], frozen=True):
    """An invitation for whoever holds it; JSON object of the signed invitation."""

    context_id: ContextId
    inviter: PublicKey
    valid_for_blocks: int


class OpenInvitation(Message, frozen=True):
    invitation: bytes


class JoinOpen(Request["ContextCreated"], frozen=True):
    """``invitation`` is the JSON object of a signed open invitation, ``member`` an identity of the pool."""

    invitation: bytes
    member: PublicKey


class LeaveContext(Request["Left"], frozen=True):
    """Delete the context here; its own members stay at the registry, as in the reference."""

    context_id: ContextId


class Left(Message, frozen=True):
    deleted: bool


class UpdateApplication(Request[Done], frozen=True):
    """Move a context to another installed application and tell the registry."""

    context_id: ContextId
    application_id: ApplicationId
    executor: PublicKey
    migrate: str | None = None


class ChangeCapabilities(Request[Done], frozen=True):
    """Grant (or revoke) capabilities: pairs of member and capability name."""

    context_id: ContextId
    signer: PublicKey
    grant: bool
    capabilities: list[tuple[PublicKey, str]]


class ReadRegistry(Request["RegistryAnswer"], frozen=True):
    """A read of the registry for a context: ``contract`` is ``config`` or ``proxy``; JSON in, JSON out."""

    context_id: ContextId
    contract: str
    method: str
    args: bytes


class RegistryAnswer(Message, frozen=True):
    result: bytes


class Propose(Request["RegistryAnswer"], frozen=True):
    """Send a proposal (JSON actions) or an approval to the proxy contract."""

    context_id: ContextId
    signer: PublicKey
    proposal_id: Hash
    actions: bytes | None


# -- sync


class SyncContext(Request["SyncReport"], frozen=True):
    """Run a sync now and wait for it; None syncs every context."""

    context_id: ContextId | None = None


class SyncReport(Message, frozen=True):
    """JSON: per context the peer, the strategy, the outcome and the roots that were compared."""

    sessions: bytes


class ExplainContext(Request["Explanation"], frozen=True):
    """Why a context is or is not converged; see the admin route ``why``."""

    context_id: ContextId


class Explanation(Message, frozen=True):
    """JSON object."""

    why: bytes


class ListSessions(Request["SyncReport"], frozen=True):
    """Running and recent sync sessions, newest first."""

    limit: int = 50


# -- applications


class InstallFile(Request["Installed"], frozen=True):
    """Install from a path on this machine; ``.mpk`` is a bundle."""

    path: str
    metadata: bytes = b""
    package: str | None = None
    version: str | None = None


class InstallUrl(Request["Installed"], frozen=True):
    """Download and install; ``hash`` is the expected SHA-256 of the content or None."""

    url: str
    hash: Hash | None = None
    metadata: bytes = b""
    package: str | None = None
    version: str | None = None


class Installed(Message, frozen=True):
    application: ApplicationRecord


class Uninstall(Request[Done], frozen=True):
    id: ApplicationId


# -- blobs


class FetchBlob(Request["BlobHere"], frozen=True):
    """Have a blob be here, from members of the context or from whom the DHT names. Fails with ``NotFound``."""

    context_id: ContextId
    blob_id: BlobId


class BlobHere(Message, frozen=True):
    blob: BlobRecord


class AnnounceBlob(Request[Done], frozen=True):
    """Tell the DHT that members of the context find the blob here."""

    context_id: ContextId
    blob_id: BlobId


class PinBlob(Request[Done], frozen=True):
    """Keep a blob whatever happens, or (``pinned`` false) no longer."""

    blob_id: BlobId
    pinned: bool = True


class DeleteBlob(Request["BlobsFreed"], frozen=True):
    """Delete a blob that is neither pinned nor the bytecode of an installed application."""

    blob_id: BlobId


class CollectBlobs(Request["BlobsFreed"], frozen=True):
    """Delete what nothing needs: copies fetched from peers, bytecode of applications that are gone, and leftovers of
    broken transfers. Never what somebody stored here, or pinned."""


class BlobsFreed(Message, frozen=True):
    """``blobs`` were deleted; ``files`` counts leftovers without a row; ``size`` is in bytes, of both."""

    blobs: list[BlobId]
    size: int
    files: int = 0


class BlobRoom(Request["BlobRoomAnswer"], frozen=True):
    """Make room for an upload of ``size`` bytes, as far as it is known, and say how many it may have."""

    size: int


class BlobRoomAnswer(Message, frozen=True):
    """None: as many as it wants."""

    size: int | None


class KeepBlob(Request[Done], frozen=True):
    """Write the rows of an upload, the blob last; what somebody stored is never spare. Fails above the quota."""

    blobs: list[BlobRecord]


class BlobUsage(Request["BlobUsageAnswer"], frozen=True):
    pass


class BlobUsageAnswer(Message, frozen=True):
    """Bytes on disk, the quota (0: none), pinned blobs, and those that :class:`CollectBlobs` would delete."""

    size: int
    quota: int
    pinned: list[BlobId]
    spare: list[BlobId]
