"""Keys of rows and ids of entities: SHA-256 over what they name.

Source: core 0.10.0: crates/storage/src/{store,collections}.rs.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final

from node.primitives import ContextId, EntityId, Id32

STATE_ENTRY: Final = EntityId(b"\x76" * 32)
"""The entity that holds the application's state struct; a child of the root."""

_INDEX: Final = b"\x00"
_ENTRY: Final = b"\x01"
_COLLECTION: Final = b"__calimero_collection__"
_MEMBER: Final = b"__calimero_entry__"


def index_key(entity: Id32) -> bytes:
    """Key of the row that holds an entity's :class:`EntityIndex`."""
    return sha256(_INDEX + entity).digest()


def entry_key(entity: Id32) -> bytes:
    """Key of the row that holds an entity's data."""
    return sha256(_ENTRY + entity).digest()


def root_id(context_id: ContextId) -> EntityId:
    """The root entity of a context has the context's id."""
    return EntityId(context_id)


def collection_id(field_name: str, parent: EntityId | None = None) -> EntityId:
    """Id of a collection that is a field; a top-level field has no parent in its id, not the root."""
    return EntityId(sha256((parent or b"") + _COLLECTION + field_name.encode()).digest())


def entry_id(collection: EntityId, key: bytes) -> EntityId:
    """Id of the entry of a keyed collection; ``key`` are the raw bytes of the key, without a length."""
    return EntityId(sha256(collection + _MEMBER + key).digest())
