"""Rows of the whole node: applications, blobs, aliases, the identity pool, and named rows of other workers.

Applications and blobs are told to every runtime worker, and each keeps a copy in every shard it owns, so that a context
finds them beside its own rows however shards are spread over workers next time. Identities and rows without a scope
live in shard 0; an alias lives in the shard of its scope.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from node.codec import borsh
from node.crypto import ed25519
from node.errors import ContextError, StorageError
from node.primitives import (
    ZERO_CONTEXT,
    ApplicationId,
    BlobId,
    ContextId,
    Hash,
    PrivateKey,
    PublicKey,
    to_base58,
)
from node.store.base import Batch, Store
from node.store.columns import ALIAS_KINDS, Column, alias_key, alias_of, generic_key, in_context, member_of
from node.store.shards import Shards
from node.store.values import AliasTarget, ApplicationMeta, BlobMeta, ContextIdentity
from workers.messages.records import ApplicationRecord, BlobRecord, OwnedIdentity
from workers.messages.runtime import AliasRecord
from workers.runtime.convert import application_meta, application_record, blob_meta, blob_record


class NodeRows:
    """Reads and writes node-wide rows of one runtime worker. ``blob_dir`` holds the chunk files."""

    def __init__(self, shards: Shards, blob_dir: Path, random_bytes: Callable[[int], bytes]) -> None:
        self._shards = shards
        self._blob_dir = blob_dir
        self._random_bytes = random_bytes
        shards.on_made = self._copy_to

    @property
    def _near(self) -> Store:
        """The shard that answers for copies that every shard has."""
        return self._shards.store(self._shards.owned[0])

    def _write_everywhere(self, batch: Batch) -> None:
        """To every shard that was made, so that another number of workers finds its copies too."""
        self._near.commit(batch)
        for store in self._shards:
            if store is not self._near:
                store.commit(batch)

    def _copy_to(self, shard: int, store: Store) -> None:
        """Give a new shard the copies that every shard has."""
        if shard == self._shards.owned[0]:
            return
        batch = Batch()
        for column in (Column.APPLICATION, Column.BLOBS):
            for key, value in self._near.scan(column):
                batch.put(column, key, value)
        if batch:
            store.commit(batch)

    # applications

    def put_application(self, record: ApplicationRecord) -> None:
        batch = Batch()
        batch.put(Column.APPLICATION, bytes(record.id), borsh.encode(application_meta(record)))
        self._write_everywhere(batch)

    def application(self, application_id: ApplicationId) -> ApplicationMeta | None:
        raw = self._near.get(Column.APPLICATION, application_id)
        return None if raw is None else borsh.decode(ApplicationMeta, raw)

    def applications(self) -> list[ApplicationRecord]:
        rows = self._near.scan(Column.APPLICATION)
        return [application_record(ApplicationId(key), borsh.decode(ApplicationMeta, raw)) for key, raw in rows]

    def remove_application(self, application_id: ApplicationId) -> None:
        batch = Batch()
        batch.delete(Column.APPLICATION, bytes(application_id))
        self._write_everywhere(batch)

    # blobs

    def put_blobs(self, records: list[BlobRecord]) -> None:
        """Raises :class:`ContextError` when a chunk is gone: its other blob was deleted between file and row."""
        batch = Batch()
        for record in records:
            if record.size and not record.links and not self.chunk_file(record.id).exists():
                raise ContextError("a part of the blob was deleted while it was sent; send the blob again")
            batch.put(Column.BLOBS, bytes(record.id), borsh.encode(blob_meta(record)))
        self._write_everywhere(batch)

    def blob(self, blob_id: BlobId) -> BlobMeta | None:
        raw = self._near.get(Column.BLOBS, blob_id)
        return None if raw is None else borsh.decode(BlobMeta, raw)

    def blobs(self) -> list[BlobRecord]:
        """Blobs that are no chunk of another one."""
        found = dict(self._all_blobs())
        chunks = {link for meta in found.values() for link in meta.links}
        return [blob_record(blob_id, meta) for blob_id, meta in found.items() if blob_id not in chunks]

    def remove_blobs(self, ids: list[BlobId]) -> None:
        """Rows first, then the chunk files that no other blob needs: a kill in between leaves a file, never a row."""
        gone = self._with_chunks(ids)
        batch = Batch()
        batch.delete_all(Column.BLOBS, map(bytes, gone))
        self._write_everywhere(batch)
        for blob_id in gone:
            self.chunk_file(blob_id).unlink(missing_ok=True)

    def _with_chunks(self, ids: list[BlobId]) -> set[BlobId]:
        """The blobs and those chunks of them that no other blob links to."""
        found = dict(self._all_blobs())
        gone = set(ids)
        still_used = {link for blob_id, meta in found.items() if blob_id not in gone for link in meta.links}
        chunks = {link for blob_id in gone if blob_id in found for link in found[blob_id].links}
        return {blob_id for blob_id in gone | chunks if blob_id not in still_used}

    def _all_blobs(self) -> Iterator[tuple[BlobId, BlobMeta]]:
        return ((BlobId(key), borsh.decode(BlobMeta, raw)) for key, raw in self._near.scan(Column.BLOBS))

    def chunk_file(self, chunk: BlobId) -> Path:
        return self._blob_dir / to_base58(bytes(chunk))

    def chunks(self, blob_id: BlobId) -> list[BlobId] | None:
        """The chunks of a blob in order, or None if it is not here. An empty blob has none."""
        meta = self.blob(blob_id)
        if meta is None:
            return None
        return list(meta.links) or ([blob_id] if meta.size else [])

    def read_blob(self, blob_id: BlobId) -> bytes | None:
        """The whole content, or None if the row or a chunk file is missing."""
        chunks = self.chunks(blob_id)
        if chunks is None:
            return None
        try:
            return b"".join(self.chunk_file(chunk).read_bytes() for chunk in chunks)
        except FileNotFoundError:
            return None

    # aliases

    def put_alias(self, kind: int, scope: ContextId, name: str, target: Hash) -> None:
        """Raises :class:`StorageError` when the name is taken or cannot be an alias."""
        _check_alias(kind, scope)
        key, store = alias_key(kind, scope, name), self._shards.of(scope)
        if store.get(Column.ALIAS, key) is not None:
            raise StorageError(f"alias already exists: {name}")
        batch = Batch()
        batch.put(Column.ALIAS, key, borsh.encode(AliasTarget(target)))
        store.commit(batch)

    def alias(self, kind: int, scope: ContextId, name: str) -> Hash | None:
        raw = self._shards.of(scope).get(Column.ALIAS, alias_key(kind, scope, name))
        return None if raw is None else borsh.decode(AliasTarget, raw).hash

    def remove_alias(self, kind: int, scope: ContextId, name: str) -> None:
        batch = Batch()
        batch.delete(Column.ALIAS, alias_key(kind, scope, name))
        self._shards.of(scope).commit(batch)

    def aliases(self, kind: int, scope: ContextId | None) -> list[AliasRecord]:
        """Of one scope, or of all scopes whose shard is here."""
        stores = list(self._shards) if scope is None else [self._shards.of(scope)]
        prefix = bytes([kind]) + (scope or b"")
        return [_alias_record(key, raw) for store in stores for key, raw in store.scan(Column.ALIAS, prefix)]

    # the identity pool

    def new_identity(self) -> PublicKey:
        private = PrivateKey(self._random_bytes(32))
        public = ed25519.public_key(private)
        batch = Batch()
        key = in_context(ZERO_CONTEXT, public)
        batch.put(Column.IDENTITY, key, borsh.encode(ContextIdentity(private, None)))
        self._shards.of(ZERO_CONTEXT).commit(batch)
        return public

    def identity(self, public_key: PublicKey) -> OwnedIdentity | None:
        raw = self._shards.of(ZERO_CONTEXT).get(Column.IDENTITY, in_context(ZERO_CONTEXT, public_key))
        private = None if raw is None else borsh.decode(ContextIdentity, raw).private_key
        return None if private is None else OwnedIdentity(public_key, private)

    def identities(self) -> list[PublicKey]:
        return [member_of(key) for key, _ in self._shards.of(ZERO_CONTEXT).scan(Column.IDENTITY, ZERO_CONTEXT)]

    def drop_identity(self, public_key: PublicKey) -> None:
        batch = Batch()
        batch.delete(Column.IDENTITY, in_context(ZERO_CONTEXT, public_key))
        self._shards.of(ZERO_CONTEXT).commit(batch)

    # named rows

    def put_row(self, scope: bytes, fragment: bytes, value: bytes | None) -> None:
        batch = Batch()
        batch.changes[Column.GENERIC, generic_key(scope, fragment)] = value
        self._shards.of(ZERO_CONTEXT).commit(batch)

    def row(self, scope: bytes, fragment: bytes) -> bytes | None:
        return self._shards.of(ZERO_CONTEXT).get(Column.GENERIC, generic_key(scope, fragment))


def _check_alias(kind: int, scope: ContextId) -> None:
    if kind not in ALIAS_KINDS:
        raise StorageError(f"{kind} is no kind of alias; there are {list(ALIAS_KINDS)}")
    if kind == ALIAS_KINDS.IDENTITY and scope == ZERO_CONTEXT:
        raise StorageError("alias requires scope to be present")


def _alias_record(key: bytes, raw: bytes) -> AliasRecord:
    _, scope, name = alias_of(key)
    return AliasRecord(name, scope, borsh.decode(AliasTarget, raw).hash)
