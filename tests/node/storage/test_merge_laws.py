"""Merging two instances: commutative, associative and idempotent for every type that promises it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.primitives import EntityId, Hash, PublicKey
from node.storage.collections.counter import GCounter, PnCounter
from node.storage.collections.maps import UnorderedMap, UnorderedSet
from node.storage.collections.owned import FrozenStorage, UserStorage
from node.storage.collections.register import LwwRegister, RegisterShape, merge_registers
from node.storage.collections.shapes import DIGEST, TEXT
from node.storage.collections.text import CharId, ReplicatedGrowableArray, RgaChar
from node.storage.collections.vector import Vector
from node.storage.engine import Engine
from node.storage.entities import User
from node.storage.env import INTEROP
from node.storage.hlc import HybridTimestamp
from tests.vectors.storage_steps import Harness

SHAPE = RegisterShape(TEXT)

REGISTERS = st.builds(
    LwwRegister,
    st.sampled_from("abc"),
    st.builds(HybridTimestamp, st.integers(0, 2), st.integers(1, 2)),
    st.sampled_from([PublicKey(b"x" * 32), PublicKey(b"y" * 32)]),
)


@given(REGISTERS, REGISTERS, REGISTERS)
def test_registers(one: LwwRegister[str], two: LwwRegister[str], three: LwwRegister[str]) -> None:
    def merge(left: LwwRegister[str], right: LwwRegister[str]) -> LwwRegister[str]:
        return merge_registers(left, right, SHAPE)

    assert merge(one, two) == merge(two, one)
    assert merge(merge(one, two), three) == merge(one, merge(two, three))
    assert merge(one, one) == one


def test_defect_s5_registers_of_one_time_and_node() -> None:
    stamp, node = HybridTimestamp(1, 1), PublicKey(b"x" * 32)
    left, right = LwwRegister("a", stamp, node), LwwRegister("b", stamp, node)
    assert merge_registers(left, right) == left
    assert merge_registers(right, left) == right
    assert merge_registers(left, right, SHAPE) == merge_registers(right, left, SHAPE) == right


# -- instances of collections: each is filled from a plain value, merged, and read back as one

EXECUTORS = [PublicKey(bytes([number]) * 32) for number in range(3)]
Fill = Callable[[Engine, object], object]


def g_counter(engine: Engine, value: object) -> GCounter:
    counter = GCounter.create(engine)
    assert isinstance(value, tuple)
    for executor, steps in zip(EXECUTORS, value, strict=True):
        for _ in range(steps):
            counter.increment(executor)
    return counter


def pn_counter(engine: Engine, value: object) -> PnCounter:
    counter = PnCounter.create(engine)
    assert isinstance(value, tuple)
    for executor, (up, down) in zip(EXECUTORS, value, strict=True):
        for _ in range(up):
            counter.increment(executor)
        for _ in range(down):
            counter.decrement(executor)
    return counter


class MergingMap:
    """A map whose values are merged by taking the greater."""

    def __init__(self, engine: Engine, value: object) -> None:
        self.map = UnorderedMap.create(engine, TEXT, TEXT)
        assert isinstance(value, dict)
        for key, item in value.items():
            self.map.insert(key, item)

    def merge(self, other: MergingMap) -> None:
        self.map.merge(other.map, max)


def unordered_set(engine: Engine, value: object) -> UnorderedSet[str]:
    made = UnorderedSet.create(engine, TEXT)
    assert isinstance(value, frozenset)
    for item in value:
        made.insert(item)
    return made


def text(engine: Engine, value: object) -> ReplicatedGrowableArray:
    made = ReplicatedGrowableArray.create(engine)
    assert isinstance(value, frozenset)
    for number, left in value:
        here, before = (CharId(HybridTimestamp(at, 1), 0) for at in (number, left))
        made.chars.insert(here, RgaChar(ord("a") + number, before))
    return made


class Owned:
    """The values of members, each written by its owner."""

    def __init__(self, engine: Engine, value: object) -> None:
        self.storage = UserStorage.create(engine, TEXT)
        assert isinstance(value, dict)
        for owner, item in value.items():
            self.storage.inner.insert(owner, item, User(owner))

    def merge(self, other: Owned) -> None:
        self.storage.inner.merge(other.storage.inner, max)


class Frozen:
    """Values under their hash; equal keys have equal values, so the one that is here stays."""

    def __init__(self, engine: Engine, value: object) -> None:
        self.storage = FrozenStorage.create(engine, TEXT)
        assert isinstance(value, frozenset)
        for item in value:
            self.storage.insert(item)

    def merge(self, other: Frozen) -> None:
        self.storage.inner.merge(other.storage.inner, lambda mine, _: mine)


class Nested:
    """A map of counters: values that are in both maps are merged as counters."""

    def __init__(self, engine: Engine, value: object) -> None:
        self.engine = engine
        self.map = UnorderedMap.create(engine, TEXT, DIGEST)
        assert isinstance(value, dict)
        for key, counts in value.items():
            self.map.insert(key, Hash(g_counter(engine, counts).to_bytes()))

    def counter(self, raw: Hash) -> GCounter:
        return GCounter.open(self.engine, EntityId(raw))

    def merge(self, other: Nested) -> None:
        self.map.merge(other.map, self._merged)

    def _merged(self, mine: Hash, theirs: Hash) -> Hash:
        self.counter(mine).merge(self.counter(theirs))
        return mine


COUNTS = st.tuples(*[st.integers(0, 3)] * 3)
PAIRS = st.tuples(*[st.tuples(st.integers(0, 2), st.integers(0, 2))] * 3)
TABLES = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"))
SETS = st.frozensets(st.sampled_from("abcd"))
PROFILES = st.dictionaries(st.sampled_from(EXECUTORS), st.sampled_from("xyz"))
SHELVES = st.dictionaries(st.sampled_from("ab"), st.tuples(*[st.integers(0, 2)] * 3))
CHARS = st.frozensets(st.sampled_from([(1, 0), (2, 1), (3, 1), (4, 3), (5, 9)]))


def read(made: object) -> object:
    match made:
        case GCounter():
            return made.value(), sorted(made.positive.entries())
        case PnCounter():
            return made.value(), sorted(made.positive.entries()), sorted(made.negative.entries())
        case MergingMap():
            return dict(made.map.entries())
        case Owned():
            return dict(made.storage.inner.entries())
        case Frozen():
            return dict(made.storage.inner.entries())
        case Nested():
            return {key: made.counter(raw).value() for key, raw in made.map.entries()}
        case UnorderedSet():
            return frozenset(made.values())
        case ReplicatedGrowableArray():
            return made.text()
    raise AssertionError(made)


LAWS: dict[str, tuple[Fill, st.SearchStrategy[object]]] = {
    "GCounter": (g_counter, COUNTS),
    "PnCounter": (pn_counter, PAIRS),
    "UnorderedMap": (MergingMap, TABLES),
    "UnorderedSet": (unordered_set, SETS),
    "Text": (text, CHARS),
    "UserStorage": (Owned, PROFILES),
    "FrozenStorage": (Frozen, SETS),
    "Nested": (Nested, SHELVES),
}


def engine() -> Engine:
    harness = Harness(INTEROP)
    harness.now = 10**18
    return harness.engine()


def joined(fill: Fill, *values: object) -> object:
    """The values merged from left to right, as one value."""
    one = engine()
    made = [fill(one, value) for value in values]
    for other in made[1:]:
        made[0].merge(other)  # type: ignore[attr-defined]
    return read(made[0])


@pytest.mark.parametrize("name", LAWS)
def test_defect_s23_merge_laws(name: str) -> None:
    fill, values = LAWS[name]

    @settings(max_examples=40)
    @given(values, values, values)
    def check(one: object, two: object, three: object) -> None:
        assert joined(fill, one, two) == joined(fill, two, one)
        assert joined(fill, one, one) == joined(fill, one)
        assert joined(fill, one, two, three) == joined(fill, two, three, one) == joined(fill, three, one, two)

    check()


@pytest.mark.parametrize("kind", ["map", "set", "text"])
def test_defect_s12_a_merge_does_not_bring_back_what_was_deleted(kind: str) -> None:
    one = engine()
    if kind == "map":
        table, other = MergingMap(one, {"a": "x"}).map, MergingMap(one, {"a": "y", "b": "z"}).map
        table.remove("a")
        table.merge(other, max)
        assert dict(table.entries()) == {"b": "z"}
    elif kind == "set":
        values, more = unordered_set(one, frozenset("a")), unordered_set(one, frozenset("ab"))
        values.remove("a")
        values.merge(more)
        assert set(values.values()) == {"b"}
    else:
        note, longer = text(one, frozenset({(1, 0)})), text(one, frozenset({(1, 0), (2, 0)}))
        note.delete(0)
        note.merge(longer)
        assert note.text() == "c"


def test_vectors_promise_only_that_nothing_is_lost_at_the_end() -> None:
    one = engine()
    left, right = Vector.create(one, TEXT), Vector.create(one, TEXT)
    for value in "ab":
        left.push(value)
    for value in "xyz":
        right.push(value)
    left.merge(right, max)
    assert list(left.values()) == ["x", "y", "z"]
    before = copy.copy(list(left.values()))
    left.merge(Vector.create(one, TEXT), max)
    assert list(left.values()) == before
