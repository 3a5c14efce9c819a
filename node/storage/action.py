"""Actions: the changes of entities that travel between nodes, and what their owners sign.

Source: core 0.10.0: crates/storage/src/action.rs.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from node.codec import borsh
from node.codec.borsh import Codec, u64, variant
from node.primitives import EntityId, Hash
from node.storage.entities import UNSIGNED, ChildInfo, Metadata, SignatureData, StorageType, User

_TYPE: Final[Codec[StorageType]] = borsh.codec(StorageType)


@variant(0)
class Add(msgspec.Struct, frozen=True):
    """A new entity. ``ancestors`` run from the parent to the root."""

    id: EntityId
    data: bytes
    ancestors: tuple[ChildInfo, ...]
    metadata: Metadata


@variant(1)
class Compare(msgspec.Struct, frozen=True):
    """A request to compare an entity; changes nothing."""

    id: EntityId


@variant(2)
class DeleteRef(msgspec.Struct, frozen=True):
    """An entity is deleted; its tombstone gets the time ``deleted_at`` in ns."""

    id: EntityId
    deleted_at: u64
    metadata: Metadata


@variant(3)
class Update(msgspec.Struct, frozen=True):
    """An entity has new data."""

    id: EntityId
    data: bytes
    ancestors: tuple[ChildInfo, ...]
    metadata: Metadata


Action: TypeAlias = Add | Compare | DeleteRef | Update

ACTIONS: Final[Codec[tuple[Action, ...]]] = borsh.codec(tuple[Action, ...])
"""Borsh ``vec<Action>``: the form in which a delta row keeps its actions."""


def unsigned(storage_type: StorageType) -> StorageType:
    """The same with the 64 bytes of a signature zeroed; the nonce stays."""
    if isinstance(storage_type, User) and storage_type.signature_data is not None:
        return User(storage_type.owner, SignatureData(UNSIGNED, storage_type.signature_data.nonce))
    return storage_type


def unsigned_bytes(storage_type: StorageType) -> bytes:
    """Borsh of :func:`unsigned`, as it goes into ids and signed payloads."""
    return _TYPE.encode(unsigned(storage_type))


def payload_for_signing(action: Action) -> Hash:
    """What the owner signs: SHA-256 over kind, id, content and times; Add and Update with equal fields sign alike."""
    if isinstance(action, Compare):
        return _digest(b"v1_compare", action.id)
    metadata = action.metadata
    times = metadata.created_at.to_bytes(8, "little") + metadata.updated_at.to_bytes(8, "little")
    tail = times + unsigned_bytes(metadata.storage_type)
    if isinstance(action, DeleteRef):
        return _digest(b"v1_delete", action.id, action.deleted_at.to_bytes(8, "little"), tail)
    chain = b"".join(ancestor.id + ancestor.merkle_hash for ancestor in action.ancestors)
    return _digest(b"v1_upsert", action.id, action.data, chain, tail)


def _digest(*parts: bytes) -> Hash:
    return Hash(sha256(b"".join(parts)).digest())


def time_of(action: Action) -> int | None:
    """When the action was made, in ns; None for a comparison."""
    if isinstance(action, Compare):
        return None
    return action.deleted_at if isinstance(action, DeleteRef) else action.metadata.updated_at
