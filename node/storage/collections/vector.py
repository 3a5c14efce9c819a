"""Vector: entries with random ids, in the order of their creation.

Source: core 0.10.0: crates/storage/src/collections/vector.rs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from node.primitives import EntityId
from node.storage.collections.collection import Collection
from node.storage.collections.shapes import Shape
from node.storage.crdt_type import CrdtType
from node.storage.interface import Interface

Value = TypeVar("Value")


class Vector(Generic[Value]):
    """A list that grows at its end. Concurrent pushes stand in the order of their authors' clocks."""

    def __init__(self, inner: Collection[Value]) -> None:
        self.inner = inner

    @classmethod
    def open(cls, engine: Interface, entity: EntityId, shape: Shape[Value]) -> Vector[Value]:
        """The vector behind an id."""
        return cls(Collection(engine, entity, shape))

    @classmethod
    def create(cls, engine: Interface, shape: Shape[Value], entity: EntityId | None = None) -> Vector[Value]:
        return cls(Collection[Value].create(engine, shape, entity))

    @classmethod
    def field(cls, engine: Interface, shape: Shape[Value], name: str, crdt_type: CrdtType) -> Vector[Value]:
        """The vector of a top-level field."""
        return cls(Collection[Value].field(engine, shape, name, crdt_type))

    @property
    def id(self) -> EntityId:
        return self.inner.id

    def push(self, value: Value) -> None:
        self.inner.insert(None, value)

    def pop(self) -> Value | None:
        """Delete the last value; answers it."""
        ids = self.inner.ids()
        return self.inner.remove(ids[-1]) if ids else None

    def get(self, position: int) -> Value | None:
        """The value at a position, None behind the end. Raises :class:`RecordNotFound` for one that is unreadable."""
        entity = self.inner.at(position)
        return None if entity is None else self.inner.item(entity)

    def update(self, position: int, value: Value) -> Value | None:
        """Replace the value at a position; answers the old one, None if there is none."""
        entity = self.inner.at(position)
        old = None if entity is None else self.inner.get(entity)
        if entity is not None and old is not None:
            self.inner.replace(entity, value)
        return old

    def last(self) -> Value | None:
        ids = self.inner.ids()
        return self.inner.get(ids[-1]) if ids else None

    def contains(self, value: Value) -> bool:
        return any(value == item for item in self.values())

    def values(self) -> Iterator[Value]:
        return self.inner.items()

    def __len__(self) -> int:
        return len(self.inner)

    def clear(self) -> None:
        self.inner.clear()

    def rename(self, name: str, crdt_type: CrdtType) -> None:
        """Move to the id of a field. The values do not move with it, as in the reference."""
        self.inner.rename(name, crdt_type)

    def merge(self, other: Vector[Value], merge: Callable[[Value, Value], Value]) -> None:
        """Merge pairwise by position, then append what the other has more."""
        ours, theirs = self.inner.ids(), other.inner.ids()
        for mine, entity in zip(ours, theirs, strict=False):
            self.inner.replace(mine, merge(self.inner.item(mine), other.inner.item(entity)))
        for entity in theirs[len(ours) :]:
            self.push(other.inner.item(entity))
