"""Replicas, one set of deltas, any causal order: one root. Where rules of the reference break that, it is named."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.crypto import ed25519
from node.primitives import EntityId, Hash, PrivateKey
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.register import RegisterShape, register
from node.storage.collections.shapes import BLOB, DIGEST, TEXT
from node.storage.delta import Actions, actions_of, encode_artifact, sign_actions
from node.storage.env import INTEROP, REFERENCE, REPAIRED, Rules, guest_env
from node.storage.native import (
    Method,
    NativeApp,
    State,
    counter_field,
    frozen_field,
    key_value_app,
    map_field,
    set_field,
    signed_counter_field,
    text_field,
    user_field,
    vector_field,
)
from node.storage.rows import MemoryRows
from tests.vectors.storage import C

START = 1_700_000_000 * 10**9
NODES = 3

MAP = map_field("map", TEXT, RegisterShape(TEXT))
SET = set_field("set", TEXT)
LIST = vector_field("list", TEXT)
UP = counter_field("up")
BOTH = signed_counter_field("both")
NOTE = text_field("note")
MINE = user_field("mine", BLOB)
STONE = frozen_field("stone", BLOB)
SHELVES = map_field("shelves", TEXT, DIGEST)
"""A map of maps: the value is the inner map's id, which is drawn at random by whoever makes it."""


def _map_set(state: State, args: bytes) -> None:
    state[MAP].insert(args[:1].decode(), register(state.engine, args.decode()))


def _map_remove(state: State, args: bytes) -> None:
    state[MAP].remove(args[:1].decode())


def _set_add(state: State, args: bytes) -> None:
    state[SET].insert(args[:1].decode())


def _set_remove(state: State, args: bytes) -> None:
    state[SET].remove(args[:1].decode())


def _push(state: State, args: bytes) -> None:
    state[LIST].push(args.decode())


def _pop(state: State, args: bytes) -> None:
    state[LIST].pop()


def _up(state: State, args: bytes) -> None:
    state[UP].increment()
    state[BOTH].decrement()


def _write(state: State, args: bytes) -> None:
    note = state[NOTE]
    note.insert(args[0] % (len(note) + 1), args.decode())


def _erase(state: State, args: bytes) -> None:
    state[NOTE].delete_range(0, 1)


def _mine(state: State, args: bytes) -> None:
    state[MINE].insert(args)


def _not_mine(state: State, args: bytes) -> None:
    state[MINE].remove()


def _stone(state: State, args: bytes) -> None:
    state[STONE].insert(args[:1])


def _shelf(state: State, args: bytes) -> None:
    found = state[SHELVES].get(args[:1].decode())
    if found is None:
        inner = UnorderedMap.create(state.engine, TEXT, TEXT)
        state[SHELVES].insert(args[:1].decode(), Hash(inner.id))
    else:
        inner = UnorderedMap.open(state.engine, EntityId(found), TEXT, TEXT)
    inner.insert(args.decode(), args.decode())


def _shelf_remove(state: State, args: bytes) -> None:
    state[SHELVES].remove(args[:1].decode())


def _read(state: State, args: bytes) -> bytes:
    shown = (
        sorted((key, item.value) for key, item in state[MAP].entries()),
        sorted(state[SET].values()),
        list(state[LIST].values()),
        (state[UP].value(), state[BOTH].value()),
        state[NOTE].text(),
        sorted(state[MINE].inner.entries()),
        sorted(state[STONE].inner.entries()),
        [
            (key, sorted(UnorderedMap.open(state.engine, EntityId(inner), TEXT, TEXT).entries()))
            for key, inner in sorted(state[SHELVES].entries())
        ],
    )
    return repr(shown).encode()


METHODS: dict[str, Method] = {
    "map_set": _map_set,
    "map_remove": _map_remove,
    "set_add": _set_add,
    "set_remove": _set_remove,
    "push": _push,
    "pop": _pop,
    "up": _up,
    "write": _write,
    "erase": _erase,
    "mine": _mine,
    "not_mine": _not_mine,
    "stone": _stone,
    "shelf": _shelf,
    "shelf_remove": _shelf_remove,
}


def everything(rules: Rules = REPAIRED) -> NativeApp:
    return NativeApp((MAP, SET, LIST, UP, BOTH, NOTE, MINE, STONE, SHELVES), {**METHODS, "read": _read}, rules)


@dataclass
class Delta:
    number: int
    artifact: bytes
    needs: frozenset[int]


@dataclass
class Replica:
    """One node: rows, a clock that may stand still or lag, and the deltas that it has."""

    app: NativeApp
    key: PrivateKey
    skew: int
    rows: MemoryRows = field(default_factory=MemoryRows)
    has: set[int] = field(default_factory=set)
    root: Hash | None = None
    drawn: int = 0

    def __post_init__(self) -> None:
        self.me = ed25519.public_key(self.key)

    def _random(self, size: int) -> bytes:
        self.drawn += 1
        return random.Random(f"{self.skew}/{self.me}/{self.drawn}").randbytes(size)

    def call(self, world: World, method: str, args: bytes) -> None:
        env = guest_env(C, self.me, lambda: world.now + self.skew, self._random)
        outcome = (
            self.app.init(self.rows.get, env) if method == "init" else self.app.run(self.rows.get, env, method, args)
        )
        if outcome.root_hash is None:
            return
        self.rows.commit(outcome.writes)
        self.root = outcome.root_hash
        signed = sign_actions(actions_of(outcome.artifact), self.me, self.key)
        world.add(self, encode_artifact(Actions(signed)))

    def take(self, world: World, delta: Delta) -> None:
        assert delta.needs <= self.has
        env = guest_env(C, self.me, lambda: world.now + self.skew, self._random)
        outcome = self.app.sync_next(self.rows.get, env, delta.artifact)
        self.rows.commit(outcome.writes)
        self.root = outcome.root_hash
        self.has.add(delta.number)

    def open(self, world: World) -> list[Delta]:
        """Deltas that could be applied next."""
        return [delta for delta in world.deltas if delta.number not in self.has and delta.needs <= self.has]


class World:
    def __init__(self, app: NativeApp, skews: tuple[int, ...] = (0,) * NODES) -> None:
        self.now = START
        self.deltas: list[Delta] = []
        self.nodes = [Replica(app, PrivateKey(bytes([at + 1]) * 32), skew) for at, skew in enumerate(skews)]
        self.nodes[0].call(self, "init", b"")
        for node in self.nodes[1:]:
            node.take(self, self.deltas[0])

    def add(self, author: Replica, artifact: bytes) -> None:
        delta = Delta(len(self.deltas), artifact, frozenset(author.has))
        self.deltas.append(delta)
        author.has.add(delta.number)

    def settle(self, dice: random.Random) -> None:
        """Deliver everything everywhere, each node in a causal order of its own."""
        for node in self.nodes:
            while choices := node.open(self):
                node.take(self, dice.choice(choices))

    @property
    def roots(self) -> set[Hash | None]:
        return {node.root for node in self.nodes}


CALLS = st.tuples(
    st.integers(0, NODES - 1), st.sampled_from(sorted(METHODS)), st.sampled_from([b"a1", b"a2", b"b1", b"b2"])
)
HEARS = st.tuples(st.integers(0, NODES - 1), st.just("hear"), st.just(b""))
STEPS = st.lists(st.tuples(st.one_of(CALLS, CALLS, HEARS), st.sampled_from([0, 0, 1, 20_000, 10**9])), max_size=30)
SKEWS = st.tuples(*[st.sampled_from([0, 0, 1, -(10**9), 10**9])] * NODES)


def play(world: World, steps: list[tuple[tuple[int, str, bytes], int]], dice: random.Random) -> None:
    for (at, method, args), passed in steps:
        world.now += passed
        node = world.nodes[at]
        if method != "hear":
            node.call(world, method, args)
        elif choices := node.open(world):
            node.take(world, dice.choice(choices))
    world.now += 10**10
    world.settle(dice)


@settings(max_examples=150)
@given(STEPS, SKEWS, st.integers(0, 2**32))
def test_any_causal_order_gives_one_root(
    steps: list[tuple[tuple[int, str, bytes], int]], skews: tuple[int, ...], seed: int
) -> None:
    world = World(everything(), skews)
    play(world, steps, random.Random(seed))
    assert len(world.roots) == 1
    texts = {
        node.app.run(node.rows.get, guest_env(C, node.me, lambda: 0, bytes), "read").returns for node in world.nodes
    }
    assert len(texts) == 1


def both_orders(
    rules: Rules, first: tuple[int, str, bytes], second: tuple[int, str, bytes], gap: int
) -> set[Hash | None]:
    """Two replicas change the state without knowing of each other; a third hears them in the other order."""
    world = World(key_value_app(rules))
    for at, method, args in (first, second):
        world.now += gap
        world.nodes[at].call(world, method, args)
    left, right = world.deltas[1:]
    for node, order in ((world.nodes[0], (right,)), (world.nodes[1], (left,)), (world.nodes[2], (right, left))):
        for delta in order:
            node.take(world, delta)
    return world.roots


EXCEPTIONS = {
    "T4: two writes of one time": ((0, "set", b"k=1"), (1, "set", b"k=2"), 0),
    "T3: one key created at two times": ((0, "set", b"k=1"), (1, "set", b"k=2"), 1),
}


@pytest.mark.parametrize("rules", [REFERENCE, INTEROP], ids=["reference", "interop"])
@pytest.mark.parametrize("name", EXCEPTIONS)
def test_documented_exception_of_the_reference(name: str, rules: Rules) -> None:
    assert len(both_orders(rules, *EXCEPTIONS[name])) > 1


@pytest.mark.parametrize("name", EXCEPTIONS)
def test_the_exceptions_are_gone_with_all_repairs(name: str) -> None:
    assert len(both_orders(REPAIRED, *EXCEPTIONS[name])) == 1


@pytest.mark.parametrize("rules", [REFERENCE, INTEROP, REPAIRED], ids=["reference", "interop", "repaired"])
def test_writes_of_different_keys_need_no_repair(rules: Rules) -> None:
    assert len(both_orders(rules, (0, "set", b"k=1"), (1, "set", b"l=2"), 1)) == 1


def test_defect_s6_delete_and_update_of_one_time() -> None:
    """Delete wins ties, whoever hears what first."""
    world = World(key_value_app(REPAIRED))
    world.nodes[0].call(world, "set", b"k=1")
    world.settle(random.Random(0))
    world.now += 10
    world.nodes[0].call(world, "remove", b"k")
    world.nodes[1].call(world, "set", b"k=2")
    world.settle(random.Random(1))
    assert len(world.roots) == 1
    for node in world.nodes:
        assert node.app.run(node.rows.get, guest_env(C, node.me, lambda: 0, bytes), "get", b"k").returns is None


def test_defect_s11_a_later_write_brings_a_deleted_key_back() -> None:
    for rules, expected in ((REPAIRED, b"2"), (INTEROP, None), (REFERENCE, None)):
        world = World(key_value_app(rules))
        node = world.nodes[0]
        for method, args in (("set", b"k=1"), ("remove", b"k"), ("set", b"k=2")):
            world.now += 10
            node.call(world, method, args)
        env = guest_env(C, node.me, lambda: 0, bytes)
        assert node.app.run(node.rows.get, env, "get", b"k").returns == expected


def test_defect_s7_an_older_delete_does_not_move_a_tombstone_back() -> None:
    """A deleted at 25 and at 30 is dead for a write at 27, in both orders of the deletes."""
    outcomes = set()
    for order in ((1, 2), (2, 1)):
        world = World(key_value_app(REPAIRED))
        world.nodes[0].call(world, "set", b"k=1")
        world.settle(random.Random(0))
        world.now += 25
        world.nodes[0].call(world, "remove", b"k")
        world.now += 5
        world.nodes[1].call(world, "remove", b"k")
        for number in order:
            world.nodes[2].take(world, world.deltas[number + 1])
        outcomes.add(world.nodes[2].root)
        world.settle(random.Random(0))
        assert len(world.roots) == 1
    assert len(outcomes) == 1
