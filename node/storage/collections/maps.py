"""UnorderedMap and UnorderedSet: entries whose ids follow from their keys.

Source: core 0.10.0: crates/storage/src/collections/{unordered_map,unordered_set}.rs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from node.primitives import EntityId
from node.storage.collections.collection import Collection
from node.storage.collections.shapes import KeyShape, Pair, Shape
from node.storage.crdt_type import CrdtType
from node.storage.entities import PUBLIC, Frozen, StorageType
from node.storage.interface import Interface
from node.storage.keys import entry_id

Key = TypeVar("Key")
Value = TypeVar("Value")

Merge = Callable[[Value, Value], Value]


class UnorderedMap(Generic[Key, Value]):
    """Keys to values. The value of a key is replaced whole by the later write."""

    def __init__(self, inner: Collection[tuple[Key, Value]], key: KeyShape[Key]) -> None:
        self.inner = inner
        self._key = key

    @classmethod
    def open(
        cls, engine: Interface, entity: EntityId, key: KeyShape[Key], value: Shape[Value]
    ) -> UnorderedMap[Key, Value]:
        """The map behind an id."""
        return cls(Collection(engine, entity, Pair(key, value)), key)

    @classmethod
    def create(
        cls, engine: Interface, key: KeyShape[Key], value: Shape[Value], entity: EntityId | None = None
    ) -> UnorderedMap[Key, Value]:
        return cls(Collection[tuple[Key, Value]].create(engine, Pair(key, value), entity), key)

    @classmethod
    def field(
        cls, engine: Interface, key: KeyShape[Key], value: Shape[Value], name: str, crdt_type: CrdtType
    ) -> UnorderedMap[Key, Value]:
        """The map of a top-level field."""
        return cls(Collection[tuple[Key, Value]].field(engine, Pair(key, value), name, crdt_type), key)

    @property
    def id(self) -> EntityId:
        return self.inner.id

    def entry(self, key: Key) -> EntityId:
        """The id of a key's entry."""
        return entry_id(self.id, self._key.raw(key))

    def get(self, key: Key) -> Value | None:
        item = self.inner.get(self.entry(key))
        return None if item is None else item[1]

    def insert(self, key: Key, value: Value, storage_type: StorageType = PUBLIC) -> Value | None:
        """Set a key; answers the value that it had."""
        entity = self.entry(key)
        old = self.inner.get(entity)
        if old is None:
            self.inner.insert(entity, (key, value), storage_type)
            return None
        if not self._stays(storage_type):
            self.inner.replace(entity, (old[0], value))
        return old[1]

    def _stays(self, storage_type: StorageType) -> bool:
        return isinstance(storage_type, Frozen) and self.inner.engine.rules.frozen_stays

    def remove(self, key: Key) -> Value | None:
        """Delete a key; answers its value."""
        item = self.inner.remove(self.entry(key))
        return None if item is None else item[1]

    def contains(self, key: Key) -> bool:
        return self.entry(key) in self.inner

    def entries(self) -> Iterator[tuple[Key, Value]]:
        return self.inner.items()

    def __len__(self) -> int:
        return len(self.inner)

    def clear(self) -> None:
        self.inner.clear()

    def rename(self, name: str, crdt_type: CrdtType) -> None:
        """Move to the id of a field, with the entries."""
        entries = list(self.entries())
        self.clear()
        self.inner.rename(name, crdt_type)
        for key, value in entries:
            self.insert(key, value)

    def merge(self, other: UnorderedMap[Key, Value], merge: Merge[Value]) -> None:
        """Take over what another instance has: values of common keys are merged, the rest is inserted."""
        for key, theirs in list(other.entries()):
            ours = self.get(key)
            if ours is not None:
                self.insert(key, merge(ours, theirs))
            elif not self._deleted(key):
                self.insert(key, theirs)

    def _deleted(self, key: Key) -> bool:
        engine = self.inner.engine
        return engine.rules.merge_respects_tombstones and engine.index.is_deleted(self.entry(key))


class UnorderedSet(Generic[Value]):
    """Values, each once."""

    def __init__(self, inner: Collection[Value], shape: KeyShape[Value]) -> None:
        self.inner = inner
        self._shape = shape

    @classmethod
    def open(cls, engine: Interface, entity: EntityId, shape: KeyShape[Value]) -> UnorderedSet[Value]:
        """The set behind an id."""
        return cls(Collection(engine, entity, shape), shape)

    @classmethod
    def create(cls, engine: Interface, shape: KeyShape[Value], entity: EntityId | None = None) -> UnorderedSet[Value]:
        return cls(Collection[Value].create(engine, shape, entity), shape)

    @classmethod
    def field(cls, engine: Interface, shape: KeyShape[Value], name: str, crdt_type: CrdtType) -> UnorderedSet[Value]:
        """The set of a top-level field."""
        return cls(Collection[Value].field(engine, shape, name, crdt_type), shape)

    @property
    def id(self) -> EntityId:
        return self.inner.id

    def entry(self, value: Value) -> EntityId:
        """The id of a value's entry."""
        return entry_id(self.id, self._shape.raw(value))

    def insert(self, value: Value) -> bool:
        """Add a value; False if it is there. The reference then moves its time all the same."""
        entity = self.entry(value)
        present = self.inner.get(entity)
        if present is None:
            self.inner.insert(entity, value)
            return True
        if not self.inner.engine.rules.quiet_touch:
            self.inner.replace(entity, present)
        return False

    def remove(self, value: Value) -> bool:
        """Delete a value; False if it is not there."""
        return self.inner.remove(self.entry(value)) is not None

    def contains(self, value: Value) -> bool:
        return self.entry(value) in self.inner

    def values(self) -> Iterator[Value]:
        return self.inner.items()

    def __len__(self) -> int:
        return len(self.inner)

    def clear(self) -> None:
        self.inner.clear()

    def rename(self, name: str, crdt_type: CrdtType) -> None:
        """Move to the id of a field, with the values."""
        values = list(self.values())
        self.clear()
        self.inner.rename(name, crdt_type)
        for value in values:
            self.insert(value)

    def merge(self, other: UnorderedSet[Value]) -> None:
        """Add the values of another instance."""
        engine = self.inner.engine
        for value in list(other.values()):
            gone = engine.rules.merge_respects_tombstones and engine.index.is_deleted(self.entry(value))
            if not gone:
                self.insert(value)
