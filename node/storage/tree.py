"""The tree of entities for those who compare or look at it: nodes by level, and leaves of another replica.

Reads committed rows only. A leaf keeps the place and the creation time that it has at its owner, because both are in
the hash of its parent; where neither is known the leaf is refused, never hung below the root on a guess.
Source: core 0.10.0: crates/node/src/sync/{helpers,hash_comparison_protocol,level_sync}.rs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import msgspec

from node.codec import borsh
from node.errors import DecodeError, NotFound
from node.primitives import EntityId
from node.storage.action import Add, DeleteRef, Update
from node.storage.crdt_type import CrdtType
from node.storage.engine import Engine
from node.storage.entities import ChildInfo, EntityIndex, Frozen, Metadata
from node.storage.faults import Undecodable
from node.storage.keys import entry_key, index_key

Reader = Callable[[bytes], bytes | None]
"""Reads one row."""


@dataclass(frozen=True, slots=True)
class Entity:
    """An entity at rest. ``data`` None: it is deleted, or only a link to others."""

    index: EntityIndex
    data: bytes | None

    @property
    def children(self) -> tuple[EntityId, ...]:
        """Ids of the children in list order; an id with two rows stands here twice, as in a peer's answer."""
        return tuple(row.id for row in self.index.children or ())

    @property
    def is_leaf(self) -> bool:
        """Has data and no children: what a comparison carries whole. The type in its metadata plays no part."""
        return self.data is not None and not self.index.children

    @property
    def is_tombstone(self) -> bool:
        return self.index.deleted_at is not None


def entity(read: Reader, wanted: EntityId) -> Entity | None:
    """One entity, tombstones included. Raises :class:`Undecodable`."""
    raw = read(index_key(wanted))
    if raw is None:
        return None
    try:
        return Entity(borsh.decode(EntityIndex, raw), read(entry_key(wanted)))
    except DecodeError as error:
        raise Undecodable(f"index of {wanted.hex()}: {error}") from error


def level(read: Reader, parents: tuple[EntityId, ...], limit: int) -> list[tuple[EntityId, Entity]]:
    """The children of some entities with their parents, in list order, at most ``limit``; each child once."""
    found: dict[EntityId, tuple[EntityId, Entity]] = {}
    for parent in parents:
        above = entity(read, parent)
        for child in above.children if above is not None else ():
            node = entity(read, child) if child not in found else None
            if node is not None:
                found[child] = (parent, node)
            if len(found) == limit:
                return list(found.values())
    return list(found.values())


def walk(read: Reader, start: EntityId, depth: int, limit: int) -> Iterator[tuple[int, Entity]]:
    """Entities from ``start`` down, level by level, with their depth; at most ``limit`` of them, each once."""
    seen, wanted = {start}, [start]
    for below in range(depth + 1):
        nodes = [node for wish in wanted if (node := entity(read, wish)) is not None]
        for node in nodes:
            if not limit:
                return
            limit -= 1
            yield below, node
        wanted = [child for node in nodes for child in dict.fromkeys(node.children) if child not in seen]
        wanted = list(dict.fromkeys(wanted))
        seen.update(wanted)


def chain(read: Reader, wanted: EntityId) -> tuple[ChildInfo, ...]:
    """The ancestors of an entity from its parent to the root. Raises :class:`NotFound` for a link that is missing."""
    links: list[ChildInfo] = []
    seen, node = {wanted}, entity(read, wanted)
    while node is not None and node.index.parent_id is not None:
        parent = node.index.parent_id
        node = entity(read, parent)
        if node is None or parent in seen:
            raise NotFound(f"entity {parent.hex()} in the chain of {wanted.hex()} is missing or stands twice")
        seen.add(parent)
        links.append(ChildInfo(parent, node.index.full_hash, node.index.metadata))
    return tuple(links)


class Leaf(NamedTuple):
    """An entity of another replica. ``ancestors`` and ``created_at`` None: a 0.10.0 peer, which sends neither."""

    id: EntityId
    data: bytes
    updated_at: int
    crdt_type: CrdtType | None = None
    created_at: int | None = None
    ancestors: tuple[ChildInfo, ...] | None = None


def leaf_action(engine: Engine, leaf: Leaf) -> Add | Update | None:
    """The action that merges a leaf; None if there is nothing to do.

    Raises :class:`NotFound` for an entity that is not here and came without its place; ask the owner of the place.
    """
    node = engine.index.get(leaf.id)
    if node is None:
        return _new_leaf(leaf)
    if isinstance(node.metadata.storage_type, Frozen):
        return None
    metadata = msgspec.structs.replace(node.metadata, updated_at=leaf.updated_at, crdt_type=leaf.crdt_type)
    return Update(leaf.id, leaf.data, engine.index.ancestors(leaf.id), metadata)


def _new_leaf(leaf: Leaf) -> Add:
    if leaf.ancestors is None or leaf.created_at is None:
        raise NotFound(f"entity {leaf.id.hex()} came without its ancestors; its place in the tree is not guessed")
    return Add(leaf.id, leaf.data, leaf.ancestors, Metadata(leaf.created_at, leaf.updated_at, crdt_type=leaf.crdt_type))


def apply_leaf(engine: Engine, leaf: Leaf) -> bool:
    """Merge a leaf of another replica; False if nothing was to be done. The comparison that it queues is nobody's.

    Raises :class:`NotFound`, and :class:`~node.storage.faults.ActionRefused` for a leaf that its owner did not sign.
    """
    action = leaf_action(engine, leaf)
    if action is not None:
        engine.apply_action(action)
    return action is not None


def apply_tombstone(engine: Engine, wanted: EntityId, deleted_at: int, metadata: Metadata) -> bool:
    """Merge a deletion of another replica; False if the entity is not here, or later here.

    Raises :class:`~node.storage.faults.ActionRefused` for one that its owner did not sign.
    """
    node = engine.index.get(wanted)
    if node is None or node.deleted_at is not None or node.metadata.updated_at > deleted_at:
        return False
    engine.apply_action(DeleteRef(wanted, deleted_at, metadata))
    return True
