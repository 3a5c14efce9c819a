"""The oracle's operations as they are done on the engine: same names, same arguments, same answers.

One table, OPERATIONS. Values are registers of bytes where the oracle has them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import msgspec

from node.codec import borsh
from node.errors import InvalidDelta
from node.primitives import EntityId, Hash, PublicKey
from node.storage import crdt_type
from node.storage.action import Action, Add
from node.storage.collections.counter import GCounter, PnCounter
from node.storage.collections.maps import UnorderedMap, UnorderedSet
from node.storage.collections.owned import FrozenStorage, UserStorage
from node.storage.collections.register import LwwRegister, RegisterShape, merge_registers, register
from node.storage.collections.shapes import BLOB
from node.storage.collections.text import ReplicatedGrowableArray
from node.storage.collections.vector import Vector
from node.storage.compare import compare_affective, compare_trees, describe
from node.storage.delta import Comparison, ComparisonData
from node.storage.engine import Engine
from node.storage.entities import FROZEN, PUBLIC, Metadata, StorageType, User
from node.storage.hlc import HybridTimestamp
from node.storage.js import JsHost
from node.storage.keys import collection_id

Arguments: TypeAlias = dict[str, Any]
Operation: TypeAlias = Callable[[Engine, Arguments], Any]
Method: TypeAlias = Callable[[Any, Arguments], Any]
Register: TypeAlias = LwwRegister[bytes]

ACTION: Final = borsh.codec(Action)
COMPARISON: Final = borsh.codec(ComparisonData)
METADATA: Final = borsh.codec(Metadata)
REGISTER: Final[RegisterShape[bytes]] = RegisterShape(BLOB)

BYTES: Final = "alloc::vec::Vec<u8>"
REGISTER_TYPE: Final = f"calimero_storage::collections::lww_register::LwwRegister<{BYTES}>"


# -- operations: entities, actions, comparisons, clock


def _id(arguments: Arguments, name: str = "id") -> EntityId:
    return EntityId(arguments[name])


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _apply(engine: Engine, a: Arguments) -> None:
    engine.apply_action(ACTION.decode(a["action"]))


def _sync(engine: Engine, a: Arguments) -> list[str]:
    commit = engine.sync(a["artifact"]).commit
    return ["", ""] if commit is None else [commit.root_hash.hex(), commit.artifact.hex()]


def _save_raw(engine: Engine, a: Arguments) -> str | None:
    return _hex(engine.save_raw(_id(a), a["data"], METADATA.decode(a["metadata"])))


def _storage_type(a: Arguments) -> StorageType:
    if "owner" in a:
        return User(PublicKey(a["owner"]))
    return FROZEN if a.get("frozen") else PUBLIC


def _add_child(engine: Engine, a: Arguments) -> dict[str, object]:
    now = engine.now()
    metadata = Metadata(now, a.get("updated_at", now), _storage_type(a))
    written = engine.add_child_to(EntityId(a["parent"]), _id(a), a["data"], metadata)
    return {"id": _id(a).hex(), "written": written}


def _comparison_data(engine: Engine, a: Arguments) -> str:
    return COMPARISON.encode(describe(engine, _id(a)).comparison_data).hex()


def _foreign(a: Arguments) -> Comparison:
    return Comparison(a.get("data"), COMPARISON.decode(a["comparison"]))


def _compare(engine: Engine, a: Arguments) -> dict[str, list[str]]:
    local, remote = compare_trees(engine, _foreign(a))
    return {"local": _encoded(local), "remote": _encoded(remote)}


def plain_comparison(actions: Iterable[Action]) -> list[Action]:
    """What both sides of a comparison agree on.

    There an Add gets the chain of its parent instead of its own, and an entity with two rows is sometimes named twice.
    """
    chainless = (
        msgspec.structs.replace(action, ancestors=()) if isinstance(action, Add) else action for action in actions
    )
    return list(dict.fromkeys(chainless))


def compared(answer: dict[str, list[str]]) -> dict[str, list[Action]]:
    """The actions in an answer of ``tree.compare``, for comparing with another one."""
    decoded = {side: [ACTION.decode(bytes.fromhex(raw)) for raw in actions] for side, actions in answer.items()}
    return {side: plain_comparison(actions) for side, actions in decoded.items()}


def _encoded(actions: Iterable[Action]) -> list[str]:
    return [ACTION.encode(action).hex() for action in actions]


def _update_hlc(engine: Engine, a: Arguments) -> bool:
    try:
        engine.env.clock.observe(HybridTimestamp.parse(a["remote"]))
    except InvalidDelta:
        return False
    return True


TREE: Final[dict[str, Operation]] = {
    "tree.apply": _apply,
    "tree.sync": _sync,
    "tree.save_raw": _save_raw,
    "tree.add_child": _add_child,
    "tree.remove_child": lambda e, a: e.remove_child_from(EntityId(a["parent"]), _id(a)),
    "tree.visible": lambda e, a: _hex(e.find(_id(a))),
    "tree.deleted": lambda e, a: e.index.is_deleted(_id(a)),
    "tree.comparison_data": _comparison_data,
    "tree.compare": _compare,
    "tree.compare_affective": lambda e, a: compare_affective(e, _foreign(a)),
    "tree.hlc": lambda e, a: bytes(e.env.clock.next()).hex(),
    "tree.update_hlc": _update_hlc,
}

# -- operations: collections of JavaScript applications


def _new(make: Callable[[JsHost, EntityId | None], EntityId]) -> Operation:
    return lambda engine, a: make(JsHost(engine), _id(a) if "id" in a else None).hex()


def _pairs(entries: Iterable[tuple[bytes, bytes]]) -> list[list[str]]:
    return [[key.hex(), value.hex()] for key, value in entries]


def _hexes(values: Iterable[bytes]) -> list[str]:
    return [value.hex() for value in values]


def _set_register(engine: Engine, a: Arguments) -> None:
    JsHost(engine).set_register(_id(a), a.get("value"))


def _clear_register(engine: Engine, a: Arguments) -> None:
    JsHost(engine).set_register(_id(a), None)


def _js(kind: str, methods: dict[str, Method]) -> dict[str, Operation]:
    """Operations on what ``JsHost.<kind>`` opens."""

    def operation(method: Method) -> Operation:
        return lambda engine, a: method(getattr(JsHost(engine), OPENERS[kind])(_id(a)), a)

    return {f"js.{kind}.{name}": operation(method) for name, method in methods.items()}


OPENERS: Final = {
    "map": "map",
    "vector": "vector",
    "set": "set",
    "lww": "register",
    "counter": "counter",
    "user": "user_storage",
    "frozen": "frozen_storage",
}

JS: Final[dict[str, Operation]] = {
    **{f"js.{kind}.new": _new(getattr(JsHost, f"new_{opener}")) for kind, opener in OPENERS.items()},
    **_js(
        "map",
        {
            "insert": lambda c, a: _hex(c.insert(a["key"], a["value"])),
            "get": lambda c, a: _hex(c.get(a["key"])),
            "remove": lambda c, a: _hex(c.remove(a["key"])),
            "contains": lambda c, a: c.contains(a["key"]),
            "len": lambda c, a: len(c),
            "entries": lambda c, a: _pairs(c.entries()),
        },
    ),
    **_js(
        "vector",
        {
            "push": lambda c, a: c.push(a["value"]),
            "get": lambda c, a: _hex(c.get(a["index"])),
            "update": lambda c, a: _hex(c.update(a["index"], a["value"])),
            "pop": lambda c, a: _hex(c.pop()),
            "len": lambda c, a: len(c),
            "clear": lambda c, a: c.clear(),
        },
    ),
    **_js(
        "set",
        {
            "insert": lambda c, a: c.insert(a["value"]),
            "contains": lambda c, a: c.contains(a["value"]),
            "remove": lambda c, a: c.remove(a["value"]),
            "len": lambda c, a: len(c),
            "values": lambda c, a: _hexes(c.values()),
            "clear": lambda c, a: c.clear(),
        },
    ),
    **_js("lww", {"get": lambda c, a: _hex(c.value), "timestamp": lambda c, a: bytes(c.timestamp).hex()}),
    "js.lww.set": _set_register,
    "js.lww.clear": _clear_register,
    **_js(
        "counter",
        {
            "increment": lambda c, a: c.increment(),
            "value": lambda c, a: c.value(),
            "executor_count": lambda c, a: c.count_of(PublicKey(a["executor"])),
        },
    ),
    **_js(
        "user",
        {
            "insert": lambda c, a: _hex(c.insert(a["value"])),
            "get": lambda c, a: _hex(c.get()),
            "get_for_user": lambda c, a: _hex(c.get(PublicKey(a["user"]))),
            "contains": lambda c, a: c.contains(),
            "contains_user": lambda c, a: c.contains(PublicKey(a["user"])),
            "remove": lambda c, a: _hex(c.remove()),
            "entries": lambda c, a: _pairs(c.inner.entries()),
        },
    ),
    **_js(
        "frozen",
        {
            "add": lambda c, a: c.insert(a["value"]).hex(),
            "get": lambda c, a: _hex(c.get(_hash(a))),
            "contains": lambda c, a: c.contains(_hash(a)),
        },
    ),
}


def _hash(a: Arguments) -> Hash:
    return Hash(a["hash"])


# -- operations: collections of Rust applications


def _ids(at: bytes) -> tuple[EntityId, ...]:
    return tuple(EntityId(at[start : start + 32]) for start in range(0, len(at), 32))


def _at(collection: Any) -> str:
    """The bytes of a collection as a value."""
    written: bytes = collection.to_bytes() if hasattr(collection, "to_bytes") else bytes(collection.id)
    return written.hex()


def _old(value: Register | None) -> str | None:
    return None if value is None else value.value.hex()


def _stamped(collection: Any, a: Arguments) -> Register:
    """A register over the argument ``value``, written now."""
    inner = collection.inner if not isinstance(collection, UserStorage) else collection.inner.inner
    return register(inner.engine, a["value"])


@dataclass(frozen=True)
class RustKind:
    """One kind of collection: how it is made, made for a field and opened, its methods and its merge."""

    create: Callable[[Engine], Any]
    field: Callable[[Engine, str], Any]
    opened: Callable[[Engine, bytes], Any]
    methods: dict[str, Method]
    merge: Callable[[Any, Any], None] = lambda ours, theirs: ours.merge(theirs)

    def operations(self, kind: str) -> dict[str, Operation]:
        """The operations ``col.KIND.*``."""
        own: dict[str, Operation] = {"new": self._new, "init": self._init, "many": self._many, "merge": self._merge}
        methods = {name: self._on(method) for name, method in self.methods.items()}
        return {f"col.{kind}.{name}": operation for name, operation in (own | methods).items()}

    def _new(self, engine: Engine, a: Arguments) -> dict[str, object]:
        return _both(self.field(engine, a["name"]) if "name" in a else self.create(engine), None)

    def _init(self, engine: Engine, a: Arguments) -> dict[str, object]:
        collection = self.create(engine)
        values = self._steps(collection, a)
        self.methods["reassign"](collection, a)
        return _both(collection, values)

    def _many(self, engine: Engine, a: Arguments) -> dict[str, object]:
        collection = self.opened(engine, a["at"])
        return _both(collection, self._steps(collection, a))

    def _steps(self, collection: Any, a: Arguments) -> list[object]:
        return [self.methods[step["method"]](collection, step) for step in a["steps"]]

    def _merge(self, engine: Engine, a: Arguments) -> dict[str, object]:
        collection = self.opened(engine, a["at"])
        self.merge(collection, self.opened(engine, a["other"]))
        return _both(collection, None)

    def _on(self, method: Method) -> Operation:
        def run(engine: Engine, a: Arguments) -> dict[str, object]:
            collection = self.opened(engine, a["at"])
            value = method(collection, a)
            return _both(collection, value)

        return run


def _both(collection: Any, value: object) -> dict[str, object]:
    return {"at": _at(collection), "value": value}


def _reassign(collection: Any, a: Arguments, kind: crdt_type.CrdtType) -> None:
    if collection.id != collection_id(a["name"]):
        collection.rename(a["name"], kind)


def _map(engine: Engine, at: bytes) -> UnorderedMap[bytes, Register]:
    return UnorderedMap.open(engine, _ids(at)[0], BLOB, REGISTER)


def _user_field(engine: Engine, name: str) -> UserStorage[Register]:
    """The element has a random id until the field is given its name; only then it follows from it."""
    made = UserStorage.field(engine, REGISTER, name, REGISTER_TYPE)
    return UserStorage(made.inner, engine.env.random_id())


def _frozen_field(engine: Engine, name: str) -> FrozenStorage[bytes]:
    made = FrozenStorage.field(engine, BLOB, name, FROZEN_TYPE)
    return FrozenStorage(made.inner, engine.env.random_id(), BLOB)


MAP_TYPE: Final = crdt_type.UnorderedMap(BYTES, REGISTER_TYPE)
SET_TYPE: Final = crdt_type.UnorderedSet(BYTES)
VECTOR_TYPE: Final = crdt_type.Vector(REGISTER_TYPE)
FROZEN_TYPE: Final = f"calimero_storage::collections::frozen_value::FrozenValue<{BYTES}>"

RUST: Final[dict[str, RustKind]] = {
    "map": RustKind(
        lambda e: UnorderedMap.create(e, BLOB, REGISTER),
        lambda e, name: UnorderedMap.field(e, BLOB, REGISTER, name, MAP_TYPE),
        _map,
        {
            "insert": lambda c, a: _old(c.insert(a["key"], _stamped(c, a))),
            "get": lambda c, a: _old(c.get(a["key"])),
            "remove": lambda c, a: _old(c.remove(a["key"])),
            "contains": lambda c, a: c.contains(a["key"]),
            "len": lambda c, a: len(c),
            "entries": lambda c, a: [[key.hex(), value.value.hex()] for key, value in c.entries()],
            "clear": lambda c, a: c.clear(),
            "reassign": lambda c, a: _reassign(c, a, MAP_TYPE),
        },
        lambda ours, theirs: ours.merge(theirs, merge_registers),
    ),
    "set": RustKind(
        lambda e: UnorderedSet.create(e, BLOB),
        lambda e, name: UnorderedSet.field(e, BLOB, name, SET_TYPE),
        lambda e, at: UnorderedSet.open(e, _ids(at)[0], BLOB),
        {
            "insert": lambda c, a: c.insert(a["value"]),
            "contains": lambda c, a: c.contains(a["value"]),
            "remove": lambda c, a: c.remove(a["value"]),
            "len": lambda c, a: len(c),
            "values": lambda c, a: _hexes(c.values()),
            "clear": lambda c, a: c.clear(),
            "reassign": lambda c, a: _reassign(c, a, SET_TYPE),
        },
    ),
    "vector": RustKind(
        lambda e: Vector.create(e, REGISTER),
        lambda e, name: Vector.field(e, REGISTER, name, VECTOR_TYPE),
        lambda e, at: Vector.open(e, _ids(at)[0], REGISTER),
        {
            "push": lambda c, a: c.push(_stamped(c, a)),
            "pop": lambda c, a: _old(c.pop()),
            "get": lambda c, a: _old(c.get(a["index"])),
            "update": lambda c, a: _old(c.update(a["index"], _stamped(c, a))),
            "last": lambda c, a: _old(c.last()),
            "len": lambda c, a: len(c),
            "values": lambda c, a: [value.value.hex() for value in c.values()],
            "clear": lambda c, a: c.clear(),
            "reassign": lambda c, a: _reassign(c, a, VECTOR_TYPE),
        },
        lambda ours, theirs: ours.merge(theirs, merge_registers),
    ),
    "gcounter": RustKind(
        GCounter.create,
        GCounter.field,
        lambda e, at: GCounter.open(e, _ids(at)[0]),
        {
            "increment": lambda c, a: c.increment(),
            "increment_for": lambda c, a: c.increment(PublicKey(a["executor"])),
            "value": lambda c, a: c.value(),
            "positive": lambda c, a: c.count_of(PublicKey(a["executor"])),
        },
    ),
    "pncounter": RustKind(
        PnCounter.create,
        PnCounter.field,
        lambda e, at: PnCounter.open(e, _ids(at)[0], _ids(at)[1]),
        {
            "increment": lambda c, a: c.increment(),
            "decrement": lambda c, a: c.decrement(),
            "value": lambda c, a: c.value(),
        },
    ),
    "rga": RustKind(
        ReplicatedGrowableArray.create,
        ReplicatedGrowableArray.field,
        lambda e, at: ReplicatedGrowableArray.open(e, _ids(at)[0]),
        {
            "insert": lambda c, a: c.insert(a["position"], a["text"]),
            "delete": lambda c, a: c.delete(a["position"]),
            "delete_range": lambda c, a: c.delete_range(a["start"], a["end"]),
            "text": lambda c, a: c.text(),
            "len": lambda c, a: len(c),
        },
    ),
    "user": RustKind(
        lambda e: UserStorage.create(e, REGISTER),
        _user_field,
        lambda e, at: UserStorage.open(e, _ids(at)[0], _ids(at)[1], REGISTER),
        {
            "insert": lambda c, a: _old(c.insert(_stamped(c, a))),
            "get": lambda c, a: _old(c.get()),
            "get_for_user": lambda c, a: _old(c.get(PublicKey(a["user"]))),
            "contains_user": lambda c, a: c.contains(PublicKey(a["user"])),
            "remove": lambda c, a: _old(c.remove()),
        },
        lambda ours, theirs: ours.inner.merge(theirs.inner, merge_registers),
    ),
    "frozen": RustKind(
        lambda e: FrozenStorage.create(e, BLOB),
        _frozen_field,
        lambda e, at: FrozenStorage.open(e, _ids(at)[0], _ids(at)[1], BLOB),
        {
            "insert": lambda c, a: c.insert(a["value"]).hex(),
            "get": lambda c, a: _hex(c.get(_hash(a))),
            "contains": lambda c, a: c.contains(_hash(a)),
        },
        lambda ours, theirs: ours.inner.merge(theirs.inner, lambda left, right: left),
    ),
}

OPERATIONS: Final[dict[str, Operation]] = {
    **TREE,
    **JS,
    **{name: run for kind, table in RUST.items() for name, run in table.operations(kind).items()},
}
