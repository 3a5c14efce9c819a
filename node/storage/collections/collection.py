"""The entity behind every collection: its entries are its children, its data are its own id.

A collection is registered below the root also when it is a value inside another one; nesting is by id in the data. A
collection object belongs to one execution: it remembers the order in which it appended, which reading anew would not.
Source: core 0.10.0: crates/storage/src/collections.rs.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from node.errors import DecodeError, StorageError
from node.primitives import EntityId
from node.storage.collections.shapes import Shape, read_entry, write_entry
from node.storage.crdt_type import CrdtType
from node.storage.entities import PUBLIC, Metadata, StorageType
from node.storage.faults import RecordNotFound, Undecodable
from node.storage.interface import Interface
from node.storage.keys import collection_id, entry_key

Value = TypeVar("Value")


class Collection(Generic[Value]):
    """Entries of one shape below the entity ``id``."""

    def __init__(self, engine: Interface, entity: EntityId, shape: Shape[Value]) -> None:
        self.engine = engine
        self.id = entity
        self.shape = shape
        self._noted = False
        self._appended: dict[EntityId, None] = {}

    # making

    @classmethod
    def create(
        cls,
        engine: Interface,
        shape: Shape[Value],
        entity: EntityId | None = None,
        *,
        crdt_type: CrdtType | None = None,
        field_name: str | None = None,
    ) -> Collection[Value]:
        """Make the entity; without an id it gets a random one."""
        self = cls(engine, entity or engine.env.random_id(), shape)
        self._register(crdt_type, field_name)
        return self

    @classmethod
    def field(
        cls, engine: Interface, shape: Shape[Value], name: str, crdt_type: CrdtType | None = None
    ) -> Collection[Value]:
        """Make the collection of a top-level field, whose id is the same on all nodes."""
        return cls.create(engine, shape, collection_id(name), crdt_type=crdt_type, field_name=name)

    def _register(self, crdt_type: CrdtType | None, field_name: str | None) -> None:
        now, root = self.engine.now(), self.engine.env.root
        metadata = Metadata(now, now, PUBLIC, crdt_type, field_name)
        if self.id == root:
            self.engine.save_raw(self.id, bytes(self.id), metadata)
        else:
            self.engine.add_child_to(root, self.id, bytes(self.id), metadata)

    def rename(self, name: str, crdt_type: CrdtType) -> None:
        """Move an entity with a random id to the id of its field; entries are not moved.

        The old rows vanish without a tombstone, so who replays the actions keeps the old entity; a new member therefore
        starts from a snapshot.
        """
        engine, old = self.engine, self.id
        metadata = engine.index.need(old).metadata
        engine.rows.remove(entry_key(old))
        engine.index.erase(old)
        engine.index.detach(engine.env.root, old)
        self.id = collection_id(name)
        renamed = Metadata(metadata.created_at, metadata.updated_at, metadata.storage_type, crdt_type, name)
        engine.add_child_to(engine.env.root, self.id, bytes(self.id), renamed)

    # entries by id

    def get(self, entity: EntityId) -> Value | None:
        """The item of an entry, None if it is not there or deleted. Raises :class:`Undecodable`."""
        data = self.engine.find(entity)
        if data is None:
            return None
        try:
            return read_entry(self.shape, data)
        except DecodeError as error:
            raise Undecodable(error) from error

    def insert(self, entity: EntityId | None, item: Value, storage_type: StorageType = PUBLIC) -> EntityId:
        """Add an entry; without an id it gets a random one."""
        entity = entity or self.engine.env.random_id()
        now = self.engine.now()
        known = not self._noted or entity in self
        data = write_entry(self.shape, item, entity)
        self.engine.add_child_to(self.id, entity, data, Metadata(now, now, storage_type))
        if not known:
            self._appended[entity] = None
        self._noted = True
        return entity

    def replace(self, entity: EntityId, item: Value) -> None:
        """Give an entry that is there another item; its time moves to now."""
        metadata = self.engine.touched(self.engine.index.need(entity).metadata)
        self.engine.save_raw(entity, write_entry(self.shape, item, entity), metadata)

    def remove(self, entity: EntityId) -> Value | None:
        """Delete an entry; answers its item, None if there is none."""
        item = self.get(entity)
        if item is not None:
            self.engine.remove_child_from(self.id, entity)
            self._appended.pop(entity, None)
            self._noted = True
        return item

    def clear(self) -> None:
        """Delete all entries."""
        for entity in self.ids():
            self.engine.remove_child_from(self.id, entity)
        self._appended.clear()

    # all entries

    def __contains__(self, entity: EntityId) -> bool:
        """Whether the id is listed; an entry that was deleted and written again is, though it cannot be read."""
        self._noted = True
        node = self.engine.index.get(self.id)
        return node is not None and node.children is not None and entity in node.children

    def __len__(self) -> int:
        return len(self.ids())

    def ids(self) -> list[EntityId]:
        """Ids by creation, then those that this object appended, in that order."""
        self._noted = True
        node = self.engine.index.get(self.id)
        listed = node.children.ids() if node is not None and node.children is not None else []
        if not self._appended:
            return listed
        return [entity for entity in listed if entity not in self._appended] + list(self._appended)

    def at(self, position: int) -> EntityId | None:
        """The id at a position, None behind the end."""
        ids = self.ids()
        return ids[position] if position < len(ids) else None

    def item(self, entity: EntityId) -> Value:
        """Like :meth:`get`. Raises :class:`RecordNotFound` if the entry cannot be read."""
        item = self.get(entity)
        if item is None:
            raise RecordNotFound(entity)
        return item

    def items(self) -> Iterator[Value]:
        """Items in order; entries that cannot be read are left out."""
        for entity in self.ids():
            try:
                item = self.get(entity)
            except StorageError:
                continue
            if item is not None:
                yield item
