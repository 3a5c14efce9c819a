"""Collections of JavaScript modules: the module holds an id, the host runs the operations.

Each is a wrapper entity below the root whose data name the collection behind it. A wrapper that is not there is made
under the wanted id, also by reading, because the module may hold an id that did not arrive yet.
Source: core 0.10.0: crates/storage/src/js.rs, crates/runtime/src/logic/host_functions/js_collections.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from node.codec.borsh import Decoder
from node.errors import DecodeError
from node.primitives import EntityId
from node.storage.collections.counter import GCounter
from node.storage.collections.maps import UnorderedMap, UnorderedSet
from node.storage.collections.owned import FrozenStorage, UserStorage
from node.storage.collections.register import LwwRegister, RegisterShape, register
from node.storage.collections.shapes import BLOB, MAYBE_BLOB
from node.storage.collections.vector import Vector
from node.storage.entities import ChildInfo, Metadata
from node.storage.faults import CannotCreateOrphan, Undecodable
from node.storage.hlc import to_ns
from node.storage.index import ZERO
from node.storage.interface import Interface
from node.storage.keys import collection_id

JsMap = UnorderedMap[bytes, bytes]
JsSet = UnorderedSet[bytes]
JsVector = Vector[bytes]
JsUserStorage = UserStorage[bytes]
JsFrozenStorage = FrozenStorage[bytes]

REGISTER: Final[RegisterShape[bytes | None]] = RegisterShape(MAYBE_BLOB)
U64_MAX: Final = 2**64 - 1

CONTAINER: Final = "container"
ELEMENT: Final = "element"
"""Names, below a wrapper, of what is made with it when it was missing."""

Kind = TypeVar("Kind")


def save_wrapper(engine: Interface, entity: EntityId, data: bytes, metadata: Metadata) -> None:
    """Save a wrapper; one without a place is put below the root, whose index is made if need be."""
    try:
        engine.save_raw(entity, data, metadata)
    except CannotCreateOrphan:
        if engine.index.get(engine.env.root) is None:
            now = engine.now()
            engine.index.add_root(ChildInfo(engine.env.root, ZERO, Metadata(now, now)))
        engine.add_child_to(engine.env.root, entity, data, metadata)


def _read(engine: Interface, entity: EntityId, opened: Callable[[Decoder], Kind]) -> Kind | None:
    """Open what a wrapper names, None without a wrapper. Raises :class:`Undecodable`."""
    data = engine.find(entity)
    if data is None:
        return None
    decoder = Decoder(data)
    try:
        value = opened(decoder)
        decoder.take(EntityId)
        decoder.finish()
    except DecodeError as error:
        raise Undecodable(error) from error
    return value


def _new(engine: Interface, entity: EntityId | None, data: bytes) -> EntityId:
    wrapper = entity or engine.env.random_id()
    now = engine.now()
    save_wrapper(engine, wrapper, data + wrapper, Metadata(now, now))
    return wrapper


class JsHost:
    """Makes and opens the collections of one execution. ``new_*`` answer the id that the module keeps."""

    def __init__(self, engine: Interface) -> None:
        self.engine = engine

    def _inner(self, wrapper: EntityId | None, name: str = CONTAINER) -> EntityId | None:
        """The id to give to what a wanted wrapper names; None for a random one."""
        return collection_id(name, wrapper) if wrapper is not None and self.engine.rules.derived_ids else None

    def new_map(self, entity: EntityId | None = None) -> EntityId:
        return _new(self.engine, entity, bytes(UnorderedMap.create(self.engine, BLOB, BLOB, self._inner(entity)).id))

    def map(self, entity: EntityId) -> JsMap:
        return self._open(
            entity, lambda data: UnorderedMap.open(self.engine, data.take(EntityId), BLOB, BLOB), self.new_map
        )

    def new_set(self, entity: EntityId | None = None) -> EntityId:
        return _new(self.engine, entity, bytes(UnorderedSet.create(self.engine, BLOB, self._inner(entity)).id))

    def set(self, entity: EntityId) -> JsSet:
        return self._open(entity, lambda data: UnorderedSet.open(self.engine, data.take(EntityId), BLOB), self.new_set)

    def new_vector(self, entity: EntityId | None = None) -> EntityId:
        return _new(self.engine, entity, bytes(Vector.create(self.engine, BLOB, self._inner(entity)).id))

    def vector(self, entity: EntityId) -> JsVector:
        return self._open(entity, lambda data: Vector.open(self.engine, data.take(EntityId), BLOB), self.new_vector)

    def new_counter(self, entity: EntityId | None = None) -> EntityId:
        return _new(self.engine, entity, GCounter.create(self.engine, self._inner(entity)).to_bytes())

    def counter(self, entity: EntityId) -> GCounter:
        return self._open(entity, lambda data: GCounter.open(self.engine, data.take(EntityId)), self.new_counter)

    def new_user_storage(self, entity: EntityId | None = None) -> EntityId:
        made = UserStorage.create(self.engine, BLOB, self._inner(entity), self._inner(entity, ELEMENT))
        return _new(self.engine, entity, made.to_bytes())

    def user_storage(self, entity: EntityId) -> JsUserStorage:
        return self._open(
            entity,
            lambda data: UserStorage.open(self.engine, data.take(EntityId), data.take(EntityId), BLOB),
            self.new_user_storage,
        )

    def new_frozen_storage(self, entity: EntityId | None = None) -> EntityId:
        made = FrozenStorage.create(self.engine, BLOB, self._inner(entity), self._inner(entity, ELEMENT))
        return _new(self.engine, entity, made.to_bytes())

    def frozen_storage(self, entity: EntityId) -> JsFrozenStorage:
        return self._open(
            entity,
            lambda data: FrozenStorage.open(self.engine, data.take(EntityId), data.take(EntityId), BLOB),
            self.new_frozen_storage,
        )

    def new_register(self, entity: EntityId | None = None) -> EntityId:
        return _new(self.engine, entity, REGISTER.encode(register(self.engine, None)))

    def register(self, entity: EntityId) -> LwwRegister[bytes | None]:
        return self._open(entity, _take_register, self.new_register)

    def set_register(self, entity: EntityId, value: bytes | None) -> bool:
        """Write a register; False if it had the value. Its time moves either way."""
        before = self.register(entity)
        metadata = self.engine.touched(self.engine.index.need(entity).metadata)
        written = register(self.engine, value)
        save_wrapper(self.engine, entity, REGISTER.encode(written) + entity, metadata)
        return before.value != value

    def _open(
        self, entity: EntityId, opened: Callable[[Decoder], Kind], make: Callable[[EntityId | None], EntityId]
    ) -> Kind:
        found = _read(self.engine, entity, opened)
        if found is None:
            make(entity)
            found = _read(self.engine, entity, opened)
        if found is None:
            raise CannotCreateOrphan(entity)  # a tombstone has this id; nothing made under it can be read
        return found


def _take_register(data: Decoder) -> LwwRegister[bytes | None]:
    value, data.offset = REGISTER.decode_prefix(data.data, data.offset)
    return value


def persist_root_state(engine: Interface, document: bytes, created_at: int, updated_at: int) -> None:
    """Save the root document of a JavaScript module; times are ns, 0 means now.

    Raises :class:`~node.storage.faults.MergeFailure` under the rules of the reference once a document is there.
    """
    now = to_ns(engine.env.clock.next().time)
    created = created_at or now
    updated = max(now, min(max(updated_at, created) + 1, U64_MAX))
    engine.save_raw(engine.env.root, document, Metadata(created, updated))


def read_root_state(engine: Interface) -> bytes | None:
    """The root document, None without one."""
    return engine.raw(engine.env.root)
