"""Does a set of state rows hash to a root? Walks the Merkle index from the root entity, trusts no stored hash.

Rows that the tree does not reach (tombstones, rows that an application keeps outside the collections) are not covered
by any root, in the reference neither; they are accepted as they are.
Source of the hashes: core 0.10.0: crates/storage/src/index.rs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final

from node.codec import borsh
from node.errors import DecodeError, IndexMismatch
from node.primitives import ContextId, EntityId, Hash
from node.storage.entities import EntityIndex
from node.storage.keys import entry_key, index_key

EMPTY: Final = (bytes(32), hashlib.sha256(b"").digest())
"""Own hashes of an entity that may have no data: only an index was made so far."""


def verified_root(rows: Mapping[bytes, bytes], context_id: ContextId, claimed: Hash) -> Hash:
    """The root that the rows really have. Raises :class:`IndexMismatch` if it is not ``claimed`` or cannot be told."""
    root = EntityId(context_id)
    found = _index(rows, root).full_hash
    if found != claimed:
        raise IndexMismatch(f"the received state has root {Hash(found)}, announced was {claimed}; ask another member")
    seen, stack = {root}, [root]
    while stack:
        for child in _check(rows, stack.pop()):
            if child not in seen:
                seen.add(child)
                stack.append(child)
    return claimed


def _check(rows: Mapping[bytes, bytes], entity: EntityId) -> list[EntityId]:
    """Check one entity against its entry and its children; answers the children that belong to it."""
    index = _index(rows, entity)
    entry = rows.get(entry_key(entity))
    if entry is not None and hashlib.sha256(entry).digest() != index.own_hash:
        raise IndexMismatch(f"entity {entity} does not hash to its index; ask another member")
    if entry is None and not index.children and index.own_hash not in EMPTY:
        raise IndexMismatch(f"the received state has no data of entity {entity}; ask another member")
    digest, first = hashlib.sha256(index.own_hash), set[EntityId]()
    mine: list[EntityId] = []
    for row in index.children or ():
        digest.update(row.merkle_hash)
        if row.id in first:
            continue  # only the first row of an id is kept current
        first.add(row.id)
        child = _index(rows, row.id)
        if child.parent_id != entity:
            continue  # it moved to another parent and left this row behind
        if child.full_hash != row.merkle_hash:
            raise IndexMismatch(f"entity {row.id} does not have the hash that its parent lists; ask another member")
        mine.append(row.id)
    if digest.digest() != index.full_hash:
        raise IndexMismatch(f"entity {entity} does not hash to its own children; ask another member")
    return mine


def _index(rows: Mapping[bytes, bytes], entity: EntityId) -> EntityIndex:
    raw = rows.get(index_key(entity))
    if raw is None:
        raise IndexMismatch(f"the received state has no index of entity {entity}; ask another member")
    try:
        index = borsh.decode(EntityIndex, raw)
    except DecodeError as error:
        raise IndexMismatch(f"the index of entity {entity} is damaged: {error}; ask another member") from error
    if index.id != entity:
        raise IndexMismatch(f"the index of entity {entity} names {index.id}; ask another member")
    return index
