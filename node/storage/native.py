"""Applications written in Python: fields and methods on the engine, in the place of a compiled module.

A native application names its fields once; their ids are the same on all nodes, so two nodes that start from the same
genesis delta and hear the same deltas, in any causal order, have the same root. All nodes of a context must run it
under the same rules, by default the repaired ones. What a call returns is what a module hands to its host.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from node.errors import NotFound
from node.primitives import Hash
from node.storage import crdt_type
from node.storage.action import Action
from node.storage.collections.collection import Collection
from node.storage.collections.counter import GCounter, PnCounter
from node.storage.collections.maps import UnorderedMap, UnorderedSet
from node.storage.collections.owned import FrozenStorage, UserStorage
from node.storage.collections.shapes import TEXT, KeyShape, Shape
from node.storage.collections.text import ReplicatedGrowableArray
from node.storage.collections.vector import Vector
from node.storage.engine import Engine
from node.storage.entities import Metadata
from node.storage.env import REPAIRED, Env, Rules
from node.storage.keys import collection_id
from node.storage.rows import OverlayRows

Kind = TypeVar("Kind", covariant=True)
Key = TypeVar("Key")
Value = TypeVar("Value")

Reader = Callable[[bytes], bytes | None]
"""Reads one committed row."""


@dataclass(frozen=True)
class Field(Generic[Kind]):
    """A named collection: how it is made at the start, and how it is opened in a call."""

    name: str
    create: Callable[[Engine, str], Kind]
    open: Callable[[Engine, str], Kind]


class State:
    """The fields of an application during one call."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def __getitem__(self, field: Field[Kind]) -> Kind:
        return field.open(self.engine, field.name)


Method = Callable[[State, bytes], bytes | None]
"""Takes the state and the arguments, answers what the caller gets."""


@dataclass(frozen=True, slots=True)
class NativeOutcome:
    """What a call left behind: rows (None for a removal), and if it changed anything, the root and the artifact.

    ``skipped`` are actions of another node that were refused one by one, with the reasons.
    """

    writes: dict[bytes, bytes | None]
    root_hash: Hash | None = None
    artifact: bytes = b""
    returns: bytes | None = None
    skipped: tuple[tuple[Action, str], ...] = ()


class NativeApp:
    """Fields and methods under one set of rules. Holds no state of its own."""

    def __init__(
        self, fields: tuple[Field[object], ...], methods: Mapping[str, Method], rules: Rules = REPAIRED
    ) -> None:
        self.fields = fields
        self.methods = dict(methods)
        self.rules = rules

    def init(self, read: Reader, env: Env) -> NativeOutcome:
        """Make the root and all fields: the genesis delta."""
        rows = OverlayRows(read)
        engine = Engine(rows, env, self.rules)
        now = engine.now()
        engine.save_raw(env.root, bytes(env.root), Metadata(now, now))
        for field in self.fields:
            field.create(engine, field.name)
        return _finish(engine, rows, None)

    def run(self, read: Reader, env: Env, method: str, args: bytes = b"") -> NativeOutcome:
        """Call a method. Raises :class:`NotFound` for one that is not there, and what the method raises."""
        if method not in self.methods:
            raise NotFound(f"the application has no method {method!r}; it has {', '.join(sorted(self.methods))}")
        rows = OverlayRows(read)
        engine = Engine(rows, env, self.rules)
        return _finish(engine, rows, self.methods[method](State(engine), args))

    def sync_next(self, read: Reader, env: Env, artifact: bytes) -> NativeOutcome:
        """Apply another node's artifact. Raises :class:`DecodeError`, :class:`StorageError`; nothing is kept then."""
        rows = OverlayRows(read)
        report = Engine(rows, env, self.rules).sync(artifact)
        root_hash = report.commit.root_hash if report.commit is not None else None
        return NativeOutcome(rows.writes, root_hash, skipped=tuple(report.skipped))


def _finish(engine: Engine, rows: OverlayRows, returns: bytes | None) -> NativeOutcome:
    if not engine.pending.actions:
        return NativeOutcome({}, returns=returns)
    commit = engine.flush_delta()
    return NativeOutcome(rows.writes, commit.root_hash, commit.artifact, returns)


# -- fields


def map_field(
    name: str, key: KeyShape[Key], value: Shape[Value], key_type: str = "K", value_type: str = "V"
) -> Field[UnorderedMap[Key, Value]]:
    """Keys to values; the type names go into metadata."""
    kind = crdt_type.UnorderedMap(key_type, value_type)
    return Field(
        name,
        lambda engine, field: UnorderedMap.field(engine, key, value, field, kind),
        lambda engine, field: UnorderedMap.open(engine, collection_id(field), key, value),
    )


def set_field(name: str, value: KeyShape[Value], element_type: str = "V") -> Field[UnorderedSet[Value]]:
    """Values, each once."""
    kind = crdt_type.UnorderedSet(element_type)
    return Field(
        name,
        lambda engine, field: UnorderedSet.field(engine, value, field, kind),
        lambda engine, field: UnorderedSet.open(engine, collection_id(field), value),
    )


def vector_field(name: str, value: Shape[Value], element_type: str = "V") -> Field[Vector[Value]]:
    """A list that grows at its end."""
    kind = crdt_type.Vector(element_type)
    return Field(
        name,
        lambda engine, field: Vector.field(engine, value, field, kind),
        lambda engine, field: Vector(Collection(engine, collection_id(field), value)),
    )


def counter_field(name: str) -> Field[GCounter]:
    """A counter that only grows."""
    inner = f"__counter_internal_{name}_positive"
    return Field(name, GCounter.field, lambda engine, _: GCounter.open(engine, collection_id(inner)))


def signed_counter_field(name: str) -> Field[PnCounter]:
    """A counter that goes up and down."""
    up, down = (collection_id(f"__counter_internal_{name}_{side}") for side in ("positive", "negative"))
    return Field(name, PnCounter.field, lambda engine, _: PnCounter.open(engine, up, down))


def text_field(name: str) -> Field[ReplicatedGrowableArray]:
    """A text that several people write."""
    return Field(
        name,
        ReplicatedGrowableArray.field,
        lambda engine, field: ReplicatedGrowableArray.open(engine, collection_id(field)),
    )


def user_field(name: str, value: Shape[Value], value_type: str = "V") -> Field[UserStorage[Value]]:
    """One value per member."""
    inner = collection_id(f"__user_storage_{name}")
    return Field(
        name,
        lambda engine, field: UserStorage.field(engine, value, field, value_type),
        lambda engine, field: UserStorage.open(engine, inner, collection_id(field), value),
    )


def frozen_field(name: str, value: Shape[Value], value_type: str = "V") -> Field[FrozenStorage[Value]]:
    """Values that never change."""
    inner = collection_id(f"__frozen_storage_{name}")
    return Field(
        name,
        lambda engine, field: FrozenStorage.field(engine, value, field, value_type),
        lambda engine, field: FrozenStorage.open(engine, inner, collection_id(field), value),
    )


# -- a small application, for simulations and as an example

ITEMS = map_field("items", TEXT, TEXT, "String", "String")
VISITS = counter_field("visits")


def _set(state: State, args: bytes) -> bytes | None:
    key, _, value = args.decode().partition("=")
    old = state[ITEMS].insert(key, value)
    return None if old is None else old.encode()


def _get(state: State, args: bytes) -> bytes | None:
    value = state[ITEMS].get(args.decode())
    return None if value is None else value.encode()


def _remove(state: State, args: bytes) -> bytes | None:
    old = state[ITEMS].remove(args.decode())
    return None if old is None else old.encode()


def _visit(state: State, args: bytes) -> bytes | None:
    state[VISITS].increment()
    return str(state[VISITS].value()).encode()


def key_value_app(rules: Rules = REPAIRED) -> NativeApp:
    """Methods ``set`` (``key=value``), ``get``, ``remove`` (key) and ``visit``, which counts."""
    methods: dict[str, Method] = {"set": _set, "get": _get, "remove": _remove, "visit": _visit}
    return NativeApp((ITEMS, VISITS), methods, rules)
