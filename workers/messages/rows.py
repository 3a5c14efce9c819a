"""Operations on rows of the whole node: applications, blobs, aliases, identities, generic rows. Worker 0 answers them.

They are offered by :mod:`workers.messages.runtime` too, because the same workers answer.
"""

from __future__ import annotations

from node.primitives import ApplicationId, BlobId, ContextId, Hash, PublicKey
from workers.messages.base import Done, Message, Record, Request
from workers.messages.records import ApplicationRecord, BlobRecord, OwnedIdentity

__all__ = [
    "AliasAnswer",
    "AliasList",
    "AliasRecord",
    "ApplicationAnswer",
    "ApplicationList",
    "BlobAnswer",
    "BlobList",
    "DropIdentity",
    "GetAlias",
    "GetApplication",
    "GetBlob",
    "GetRow",
    "IdentityAnswer",
    "IdentityList",
    "ListAliases",
    "ListApplications",
    "ListBlobs",
    "ListIdentities",
    "NewIdentity",
    "PoolIdentity",
    "PutAlias",
    "PutApplication",
    "PutBlobs",
    "PutRow",
    "ReadIdentity",
    "RemoveAlias",
    "RemoveApplication",
    "RemoveBlobs",
    "RowAnswer",
    "RuntimeStats",
    "RuntimeStatsAnswer",
]


class PutApplication(Request[Done], frozen=True):
    """Write an application row; sent to every runtime worker, each keeps a copy for its contexts."""

    application: ApplicationRecord


class GetApplication(Request["ApplicationAnswer"], frozen=True):
    id: ApplicationId


class ApplicationAnswer(Message, frozen=True):
    application: ApplicationRecord | None


class ListApplications(Request["ApplicationList"], frozen=True):
    pass


class ApplicationList(Message, frozen=True):
    applications: list[ApplicationRecord]


class RemoveApplication(Request[Done], frozen=True):
    id: ApplicationId


class PutBlobs(Request[Done], frozen=True):
    """Write blob rows; the chunk files are already in place and synced."""

    blobs: list[BlobRecord]


class GetBlob(Request["BlobAnswer"], frozen=True):
    id: BlobId


class BlobAnswer(Message, frozen=True):
    blob: BlobRecord | None


class ListBlobs(Request["BlobList"], frozen=True):
    """Blobs that are no chunk of another one."""


class BlobList(Message, frozen=True):
    blobs: list[BlobRecord]


class RemoveBlobs(Request[Done], frozen=True):
    """Rows and files of blobs and of their chunks, or of chunks alone, except for what another blob needs."""

    ids: list[BlobId]


class PutAlias(Request[Done], frozen=True):
    """``kind``: 1 context, 2 identity (``scope`` = context), 3 application. Fails when the name is taken."""

    kind: int
    scope: ContextId
    name: str
    target: Hash


class GetAlias(Request["AliasAnswer"], frozen=True):
    kind: int
    scope: ContextId
    name: str


class AliasAnswer(Message, frozen=True):
    target: Hash | None


class RemoveAlias(Request[Done], frozen=True):
    kind: int
    scope: ContextId
    name: str


class ListAliases(Request["AliasList"], frozen=True):
    kind: int
    scope: ContextId | None = None


class AliasRecord(Record, frozen=True):
    name: str
    scope: ContextId
    target: Hash


class AliasList(Message, frozen=True):
    aliases: list[AliasRecord]


class NewIdentity(Request["IdentityAnswer"], frozen=True):
    """Make a key pair and keep it in the identity pool."""


class IdentityAnswer(Message, frozen=True):
    public_key: PublicKey


class ReadIdentity(Request["PoolIdentity"], frozen=True):
    """An identity of the pool with its private key; stays in the pool."""

    public_key: PublicKey


class PoolIdentity(Message, frozen=True):
    identity: OwnedIdentity | None


class ListIdentities(Request["IdentityList"], frozen=True):
    """The pool."""


class IdentityList(Message, frozen=True):
    public_keys: list[PublicKey]


class DropIdentity(Request[Done], frozen=True):
    """Take an identity out of the pool, after a join made it a member."""

    public_key: PublicKey


class PutRow(Request[Done], frozen=True):
    """Write (None: remove) a row of the Generic column: 16-byte scope, 32-byte fragment."""

    scope: bytes
    fragment: bytes
    value: bytes | None


class GetRow(Request["RowAnswer"], frozen=True):
    scope: bytes
    fragment: bytes


class RowAnswer(Message, frozen=True):
    value: bytes | None


class RuntimeStats(Request["RuntimeStatsAnswer"], frozen=True):
    """Counters of this worker for metrics and the dashboard; JSON object."""


class RuntimeStatsAnswer(Message, frozen=True):
    stats: bytes
