"""What is known about an entity besides its data: who may change it, its type, its times, its place in the tree.

Source: core 0.10.0: crates/storage/src/{entities,index}.rs.
"""

from __future__ import annotations

from typing import Annotated, Final, TypeAlias

import msgspec

from node.codec.borsh import Fixed, u64, variant
from node.primitives import EntityId, Hash, PublicKey
from node.storage.crdt_type import CrdtType

Signature: TypeAlias = Annotated[bytes, Fixed(64)]

UNSIGNED: Final = bytes(64)
"""What stands in the place of a signature that is still to be made, and in every hash over one."""


class SignatureData(msgspec.Struct, frozen=True):
    """Proof that the owner made a change. ``nonce`` only grows; it is the time of the change in ns."""

    signature: Signature
    nonce: u64


@variant(0)
class Public(msgspec.Struct, frozen=True):
    """Every member may change the entity."""


@variant(1)
class User(msgspec.Struct, frozen=True):
    """Only ``owner`` may change the entity, and signs each change."""

    owner: PublicKey
    signature_data: SignatureData | None = None


@variant(2)
class Frozen(msgspec.Struct, frozen=True):
    """Nobody may change the entity; its data begin with their own hash."""


StorageType: TypeAlias = Public | User | Frozen

PUBLIC: Final = Public()
FROZEN: Final = Frozen()


class Metadata(msgspec.Struct, frozen=True, gc=False):
    """Times are ns since the Unix epoch. Nothing here is hashed; ``created_at`` decides the order among siblings."""

    created_at: u64 = 0
    updated_at: u64 = 0
    storage_type: StorageType = PUBLIC
    crdt_type: CrdtType | None = None
    field_name: str | None = None


class ChildInfo(msgspec.Struct, frozen=True, gc=False):
    """A row in a parent's list, or a link of an action's chain of ancestors. ``merkle_hash`` is the full hash."""

    id: EntityId
    merkle_hash: Hash
    metadata: Metadata


class EntityIndex(msgspec.Struct, frozen=True):
    """The index row of an entity: its place in the tree. ``deleted_at`` is set on a tombstone.

    ``own_hash`` is SHA-256 of the data, ``full_hash`` SHA-256 of it and the full hashes of the children in list order.
    """

    id: EntityId
    parent_id: EntityId | None
    children: tuple[ChildInfo, ...] | None
    full_hash: Hash
    own_hash: Hash
    metadata: Metadata
    deleted_at: u64 | None = None
