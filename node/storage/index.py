"""The tree of entities: parents, children, hashes, tombstones.

Index rows are read once, changed in memory and written by :meth:`Index.flush`, so a run of changes below one parent
writes the parent's list once. Hashes are current at every moment. The order of operations is the reference's, because
an interrupted or refused change leaves the same traces.
Source: core 0.10.0: crates/storage/src/index.rs.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Final

import msgspec

from node.codec import borsh
from node.codec.borsh import Codec, u64
from node.errors import DecodeError
from node.primitives import EntityId, Hash
from node.storage.children import ChildList
from node.storage.entities import ChildInfo, EntityIndex, Metadata
from node.storage.env import Rules
from node.storage.faults import Cycle, Undecodable, UnknownEntity
from node.storage.keys import index_key
from node.storage.rows import Rows

__all__ = ["CACHED_CHILDREN", "ChildCache", "EntityIndex", "Index", "IndexNode"]

ZERO: Final = Hash.zero()
BLANK: Final = Metadata()

CACHED_CHILDREN: Final = 64
"""Shorter lists are not kept between executions: reading them again costs less than looking for them."""

CACHED_BYTES: Final = 64 << 20
"""Bytes of rows whose lists are kept between executions; the lists themselves take about three times as much."""

_HEAD: Final[Codec[tuple[EntityId, EntityId | None]]] = borsh.codec(tuple[EntityId, EntityId | None])
_Tail = tuple[Hash, Hash, Metadata, u64 | None]
_TAIL: Final[Codec[_Tail]] = borsh.codec(_Tail)
_SOME: Final = b"\x01"
_NONE: Final = b"\x00"


class IndexNode:
    """The index of one entity while it is worked on; :class:`EntityIndex` is its form at rest."""

    __slots__ = ("children", "deleted_at", "full_hash", "id", "metadata", "own_hash", "parent_id")

    def __init__(self, entity: EntityId, metadata: Metadata) -> None:
        self.id = entity
        self.parent_id: EntityId | None = None
        self.children: ChildList | None = None
        self.full_hash = ZERO
        self.own_hash = ZERO
        self.metadata = metadata
        self.deleted_at: int | None = None

    @classmethod
    def decode(cls, data: bytes, known: ChildList | None = None) -> IndexNode:
        """Read an index row; ``known`` is its list if it was read before. Raises :class:`DecodeError`."""
        (entity, parent), at = _HEAD.decode_prefix(data)
        children, at = _children(data, at, known)
        tail, end = _TAIL.decode_prefix(data, at)
        if end != len(data):
            raise DecodeError(f"{len(data) - end} bytes are left over", offset=end, field="")
        node = cls(entity, tail[2])
        node.parent_id, node.children = parent, children
        node.full_hash, node.own_hash, node.deleted_at = tail[0], tail[1], tail[3]
        return node

    def encode(self) -> bytes:
        children = [_NONE] if self.children is None else [_SOME, *self.children.pieces()]
        tail = _TAIL.encode((self.full_hash, self.own_hash, self.metadata, self.deleted_at))
        return b"".join((_HEAD.encode((self.id, self.parent_id)), *children, tail))

    def digest(self) -> Hash:
        """The full hash that data and children have now."""
        if self.children is None:
            return Hash(sha256(self.own_hash).digest())
        return self.children.digest(self.own_hash)

    def info(self) -> ChildInfo:
        """This entity as a link in a chain of ancestors."""
        return ChildInfo(self.id, self.full_hash, self.metadata)


def _children(data: bytes, at: int, known: ChildList | None) -> tuple[ChildList | None, int]:
    tag, count = data[at : at + 1], data[at + 1 : at + 5]
    if tag == _NONE:
        return None, at + 1
    if tag != _SOME or len(count) < 4:
        raise DecodeError(f"option tag or count is damaged: {tag.hex()} {count.hex()}", offset=at, field="children")
    if known is not None:
        return known, at + 1 + known.size
    return ChildList.read(data, at + 5, int.from_bytes(count, "little"))


class ChildCache:
    """Child lists between executions, so that a long one is not taken apart for every single write.

    A list is only used again with exactly the row that it was made from. Not shared between contexts.
    """

    def __init__(self, limit: int = CACHED_BYTES) -> None:
        self._limit = limit
        self._held: dict[EntityId, tuple[bytes, ChildList, int]] = {}

    def take(self, entity: EntityId, raw: bytes) -> ChildList | None:
        """Hand over the list of a row; it is not in the cache any more."""
        row, children, version = self._held.pop(entity, (b"", None, 0))
        return children if children is not None and version == children.version and row == raw else None

    def give(self, entity: EntityId, raw: bytes, children: ChildList) -> None:
        """Keep the list that belongs to a row; the oldest are dropped above the limit."""
        self._held.pop(entity, None)
        self._held[entity] = (raw, children, children.version)
        while sum(len(row) for row, _, _ in self._held.values()) > self._limit:
            self._held.pop(next(iter(self._held)))


class Index:
    """The tree of one context, over its rows."""

    def __init__(self, rows: Rows, rules: Rules, cache: ChildCache | None = None) -> None:
        self._rows = rows
        self._rules = rules
        self._cache = cache
        self._nodes: dict[EntityId, IndexNode | None] = {}
        self._raw: dict[EntityId, bytes] = {}
        self._dirty: dict[EntityId, IndexNode] = {}

    # reading

    def get(self, entity: EntityId) -> IndexNode | None:
        """The index of an entity, tombstones included. Raises :class:`Undecodable`."""
        if entity not in self._nodes:
            self._nodes[entity] = self._load(entity)
        return self._nodes[entity]

    def _load(self, entity: EntityId) -> IndexNode | None:
        raw = self._rows.get(index_key(entity))
        if raw is None:
            return None
        known = self._cache.take(entity, raw) if self._cache else None
        try:
            node = IndexNode.decode(raw, known)
        except DecodeError as error:
            raise Undecodable(f"index of {entity.hex()}: {error}") from error
        if node.children is not None and len(node.children) >= CACHED_CHILDREN:
            self._raw[entity] = raw
        return node

    def need(self, entity: EntityId) -> IndexNode:
        """Like :meth:`get`; raises :class:`UnknownEntity` if there is none."""
        node = self.get(entity)
        if node is None:
            raise UnknownEntity(entity)
        return node

    def metadata(self, entity: EntityId) -> Metadata | None:
        node = self.get(entity)
        return None if node is None else node.metadata

    def is_deleted(self, entity: EntityId) -> bool:
        node = self.get(entity)
        return node is not None and node.deleted_at is not None

    def children(self, entity: EntityId) -> ChildList | None:
        """The children of an entity, None without any. Raises :class:`UnknownEntity`."""
        return self.need(entity).children

    def chain(self, entity: EntityId) -> Iterator[IndexNode]:
        """The ancestors from the parent to the root. Raises :class:`UnknownEntity`, :class:`Cycle`."""
        seen, node = {entity}, self.get(entity)
        while node is not None and node.parent_id is not None:
            if node.parent_id in seen:
                raise Cycle(node.parent_id)
            seen.add(node.parent_id)
            node = self.need(node.parent_id)
            yield node

    def ancestors(self, entity: EntityId) -> tuple[ChildInfo, ...]:
        """The chain as an action carries it."""
        return tuple(node.info() for node in self.chain(entity))

    # writing

    def add_root(self, info: ChildInfo) -> None:
        """Give the root an own hash; its index is made if there is none."""
        node = self._get_or_make(info.id, info.metadata)
        node.own_hash = info.merkle_hash
        if self._rules.root_hash_at_once:
            node.full_hash = node.digest()
        self._touch(node)

    def add_child_to(self, parent_id: EntityId, info: ChildInfo) -> None:
        """Put an entity below a parent; ``info.merkle_hash`` is its own hash. An existing one keeps its metadata.

        Raises :class:`Cycle` for a parent that is the entity itself or lies below it.
        """
        self.check_acyclic(parent_id, info.id)
        parent = self._get_or_make(parent_id, BLANK)
        child = self._get_or_make(info.id, info.metadata)
        child.parent_id, child.own_hash = parent_id, info.merkle_hash
        child.full_hash = child.digest()
        self._touch(child)
        self._place(parent, child, info.metadata)
        self._rehash(parent)

    def check_acyclic(self, parent_id: EntityId, entity: EntityId) -> None:
        """Raises :class:`Cycle` if ``entity`` is ``parent_id`` or above it."""
        if entity == parent_id or any(node.id == entity for node in self.chain(parent_id)):
            raise Cycle(entity)

    def _place(self, parent: IndexNode, child: IndexNode, metadata: Metadata) -> None:
        children = parent.children = parent.children or ChildList()
        if self._rules.single_row:
            metadata = self._earliest(children, child, metadata)
        children.place(ChildInfo(child.id, child.full_hash, metadata))

    def _earliest(self, children: ChildList, child: IndexNode, metadata: Metadata) -> Metadata:
        """One row for the child, at the earliest creation that anybody told of."""
        created = min(metadata.created_at, child.metadata.created_at)
        child.metadata = msgspec.structs.replace(child.metadata, created_at=created)
        at = children.first(child.id)
        if at is not None and children[at].metadata.created_at != created:
            children.drop(child.id)
        return msgspec.structs.replace(metadata, created_at=created)

    def reposition(self, entity: EntityId, created_at: int) -> None:
        """Somebody created the entity earlier than it stands in its parent's list: move it there."""
        child = self.need(entity)
        if created_at >= child.metadata.created_at:
            return
        parent = self.get(child.parent_id) if child.parent_id is not None else None
        if parent is not None and parent.children is not None and entity in parent.children:
            self._place(parent, child, msgspec.structs.replace(child.metadata, created_at=created_at))
            self._rehash(parent)
        child.metadata = msgspec.structs.replace(child.metadata, created_at=created_at)
        self._touch(child)

    def update_hash(self, entity: EntityId, own_hash: Hash, updated_at: int) -> Hash:
        """The data of an entity changed; answers its full hash. Raises :class:`UnknownEntity`."""
        node = self.need(entity)
        node.own_hash = own_hash
        node.metadata = msgspec.structs.replace(node.metadata, updated_at=updated_at)
        self._rehash(node)
        return node.full_hash

    def mark_deleted(self, entity: EntityId, at_ns: int) -> None:
        """Make the index a tombstone; its time also is the last nonce that was seen."""
        node = self.get(entity)
        if node is None:
            return
        if self._rules.tombstones_only_grow and node.deleted_at is not None:
            at_ns = max(at_ns, node.deleted_at)
        node.deleted_at = at_ns
        node.metadata = msgspec.structs.replace(node.metadata, updated_at=at_ns)
        self._touch(node)

    def revive(self, entity: EntityId, metadata: Metadata) -> None:
        """Lift a tombstone, and stand in the parent's list again."""
        node = self.need(entity)
        node.deleted_at = None
        self._touch(node)
        if node.parent_id is not None:
            parent = self.need(node.parent_id)
            self._place(parent, node, metadata)
            self._rehash(parent)

    def detach(self, parent_id: EntityId, entity: EntityId) -> None:
        """Remove all rows of an entity from a parent's list. Raises :class:`UnknownEntity` without the parent."""
        parent = self.need(parent_id)
        if parent.children is not None:
            parent.children.drop(entity)
            if not len(parent.children):
                parent.children = None
        self._rehash(parent)

    def erase(self, entity: EntityId) -> None:
        """Remove an index without a tombstone."""
        self._nodes[entity] = None
        self._dirty.pop(entity, None)
        self._raw.pop(entity, None)
        self._rows.remove(index_key(entity))

    def _rehash(self, node: IndexNode) -> None:
        """Bring the full hash of a node, and of all above it, up to date."""
        node.full_hash = node.digest()
        self._touch(node)
        current = node
        for parent in self.chain(node.id):
            at = parent.children.first(current.id) if parent.children is not None else None
            if parent.children is not None and at is not None:
                parent.children.set_hash(at, current.digest())
            parent.full_hash = parent.digest()
            self._touch(parent)
            current = parent

    def _get_or_make(self, entity: EntityId, metadata: Metadata) -> IndexNode:
        node = self.get(entity)
        if node is None:
            node = self._nodes[entity] = IndexNode(entity, metadata)
        return node

    def _touch(self, node: IndexNode) -> None:
        self._dirty[node.id] = node

    # rows

    def flush(self) -> None:
        """Write what changed."""
        for node in self._dirty.values():
            raw = node.encode()
            self._rows.put(index_key(node.id), raw)
            self._keep(node, raw)
        self._dirty.clear()

    def _keep(self, node: IndexNode, raw: bytes) -> None:
        if node.children is not None and len(node.children) >= CACHED_CHILDREN:
            self._raw[node.id] = raw
        else:
            self._raw.pop(node.id, None)

    def close(self) -> None:
        """Write what changed and hand the long child lists to the cache; the tree is not to be used afterwards."""
        self.flush()
        for entity, raw in self._raw.items():
            node = self._nodes[entity]
            if self._cache is not None and node is not None and node.children is not None:
                self._cache.give(entity, raw, node.children)
        self._raw.clear()
