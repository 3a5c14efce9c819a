"""UserStorage and FrozenStorage: entries that only their owner, or nobody, may change.

As a field each is a map under a prefixed name, and an element of its own that is never stored.
Source: core 0.10.0: crates/storage/src/collections/{user,frozen}.rs.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Generic, TypeVar

from node.primitives import EntityId, Hash, PublicKey
from node.storage import crdt_type
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.shapes import DIGEST, OWNER, Shape
from node.storage.entities import FROZEN, User
from node.storage.interface import Interface
from node.storage.keys import collection_id

Value = TypeVar("Value")


class UserStorage(Generic[Value]):
    """One value per member. The executor writes its own; everybody reads all."""

    def __init__(self, inner: UnorderedMap[PublicKey, Value], element: EntityId) -> None:
        self.inner = inner
        self.element = element

    @classmethod
    def open(cls, engine: Interface, inner: EntityId, element: EntityId, value: Shape[Value]) -> UserStorage[Value]:
        """The storage whose map has the id ``inner``."""
        return cls(UnorderedMap.open(engine, inner, OWNER, value), element)

    @classmethod
    def create(
        cls, engine: Interface, value: Shape[Value], entity: EntityId | None = None, element: EntityId | None = None
    ) -> UserStorage[Value]:
        """Make one, by default with random ids."""
        inner = UnorderedMap.create(engine, OWNER, value, entity)
        return cls(inner, element or engine.env.random_id())

    @classmethod
    def field(cls, engine: Interface, value: Shape[Value], name: str, value_type: str) -> UserStorage[Value]:
        """The storage of a top-level field; ``value_type`` is the type's name in metadata."""
        kind = crdt_type.UnorderedMap("calimero_primitives::identity::PublicKey", value_type)
        return cls(UnorderedMap.field(engine, OWNER, value, f"__user_storage_{name}", kind), collection_id(name))

    def to_bytes(self) -> bytes:
        """The storage as a value inside other data."""
        return self.inner.id + self.element

    @property
    def _me(self) -> PublicKey:
        return self.inner.inner.engine.env.executor

    def insert(self, value: Value) -> Value | None:
        """Set the executor's value; answers the one before."""
        return self.inner.insert(self._me, value, User(self._me))

    def get(self, owner: PublicKey | None = None) -> Value | None:
        """The value of a member, of the executor unless another is named."""
        return self.inner.get(owner or self._me)

    def contains(self, owner: PublicKey | None = None) -> bool:
        return self.inner.contains(owner or self._me)

    def remove(self) -> Value | None:
        """Delete the executor's value; answers it."""
        return self.inner.remove(self._me)


class FrozenStorage(Generic[Value]):
    """Values under their own hash: added once, never changed, never removed."""

    def __init__(self, inner: UnorderedMap[Hash, Value], element: EntityId, value: Shape[Value]) -> None:
        self.inner = inner
        self.element = element
        self._value = value

    @classmethod
    def open(cls, engine: Interface, inner: EntityId, element: EntityId, value: Shape[Value]) -> FrozenStorage[Value]:
        """The storage whose map has the id ``inner``."""
        return cls(UnorderedMap.open(engine, inner, DIGEST, value), element, value)

    @classmethod
    def create(
        cls, engine: Interface, value: Shape[Value], entity: EntityId | None = None, element: EntityId | None = None
    ) -> FrozenStorage[Value]:
        """Make one, by default with random ids."""
        inner = UnorderedMap.create(engine, DIGEST, value, entity)
        return cls(inner, element or engine.env.random_id(), value)

    @classmethod
    def field(cls, engine: Interface, value: Shape[Value], name: str, value_type: str) -> FrozenStorage[Value]:
        """The storage of a top-level field; ``value_type`` is the type's name in metadata."""
        kind = crdt_type.UnorderedMap("[u8; 32]", value_type)
        inner = UnorderedMap.field(engine, DIGEST, value, f"__frozen_storage_{name}", kind)
        return cls(inner, collection_id(name), value)

    def to_bytes(self) -> bytes:
        """The storage as a value inside other data."""
        return self.inner.id + self.element

    def insert(self, value: Value) -> Hash:
        """Add a value; answers its key. Adding it again is no change; in the reference it is one that peers refuse."""
        key = Hash(sha256(self._value.encode(value)).digest())
        self.inner.insert(key, value, FROZEN)
        return key

    def get(self, key: Hash) -> Value | None:
        return self.inner.get(key)

    def contains(self, key: Hash) -> bool:
        return self.inner.contains(key)
