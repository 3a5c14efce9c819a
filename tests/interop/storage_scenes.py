"""Random scenes: sequences of operations that meet each other, from a seed alone.

Few keys, few ids and small time steps, so that writes collide, tie and overtake; the clock stands still, moves by less
than a clock step, or goes back. What one twin leaves pending may reach the other late, twice or never.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from node.crypto import ed25519
from node.primitives import PrivateKey, PublicKey
from node.storage.delta import Actions, encode_artifact, sign_actions
from node.storage.entities import Metadata
from tests.interop.storage_operations import ACTION, METADATA
from tests.interop.storage_oracle.driver import CONTEXT
from tests.interop.storage_twins import Twins
from tests.vectors.storage_sequences import TYPES, sequence

KEYS: Final = tuple(PrivateKey(bytes([number]) * 32) for number in (0x11, 0x22, 0x33))
PEOPLE: Final = {bytes(ed25519.public_key(key)): key for key in KEYS}
NAMES: Final = tuple(PEOPLE)

TICKS: Final = (0, 0, 1, 5_000, 16_000, 10**6, 10**9, 10**9, -(10**9))
"""Steps of the clock in ns: none, less and more than a step of the logical clock, plain ones, and one back."""

WORDS: Final = (b"", b"a", b"b", b"ab", b"\xff\x00")
TEXTS: Final = ("", "a", "bc", "d\u00e9f", "\U0001f600")

JS_METHODS: Final = {
    "map": ("insert", "insert", "insert", "get", "remove", "contains", "len", "entries"),
    "vector": ("push", "push", "push", "get", "update", "pop", "len", "clear"),
    "set": ("insert", "insert", "insert", "contains", "remove", "len", "values", "clear"),
    "lww": ("set", "set", "get", "clear", "timestamp"),
    "counter": ("increment", "increment", "value", "executor_count"),
    "user": ("insert", "insert", "get", "get_for_user", "contains", "contains_user", "remove", "entries"),
    "frozen": ("add", "add", "get", "contains"),
}
RUST_METHODS: Final = {
    "map": ("insert", "insert", "insert", "get", "remove", "contains", "len", "entries", "clear", "merge", "many"),
    "set": ("insert", "insert", "insert", "contains", "remove", "len", "values", "clear", "merge", "many"),
    "vector": ("push", "push", "push", "pop", "get", "update", "last", "len", "values", "clear", "merge", "many"),
    "gcounter": ("increment", "increment", "increment_for", "value", "positive", "merge", "many"),
    "pncounter": ("increment", "increment", "decrement", "value", "merge", "many"),
    "rga": ("insert", "insert", "insert", "delete", "delete_range", "text", "len", "merge", "many"),
    "user": ("insert", "insert", "get", "get_for_user", "contains_user", "remove", "merge"),
    "frozen": ("insert", "insert", "get", "contains", "merge"),
}


class Scene:
    """One replica's random operations. ``made`` are its collections as (kind, id or bytes)."""

    def __init__(self, dice: random.Random, twins: Twins) -> None:
        self.dice = dice
        self.twins = twins
        self.js: list[tuple[str, bytes]] = []
        self.rust: list[tuple[str, bytes]] = []
        self.hashes = [bytes(32)]
        self.entities = [CONTEXT]
        self.js_kinds = _some(dice, tuple(JS_METHODS))
        self.rust_kinds = _some(dice, tuple(RUST_METHODS))

    def start(self) -> None:
        """The root of an application, as ``init`` makes it."""
        now = self.twins.now
        self.do("tree.save_raw", id=CONTEXT, data=CONTEXT, metadata=METADATA.encode(Metadata(now, now)))

    def do(self, op: str, **arguments: Any) -> tuple[bool, Any]:
        return self.twins.do(op, **arguments)

    def tick(self) -> None:
        self.twins.now += self.dice.choice(TICKS)
        if self.dice.random() < 0.2:
            self.twins.act_as(self.dice.choice(NAMES))

    def step(self) -> None:
        """One random operation."""
        self.tick()
        kinds: list[Callable[[], None]] = [self.call_js] * 4 + [self.call_rust] * 4 + [self.touch_tree] * 2
        self.dice.choice(kinds)()

    # collections

    def call_js(self) -> None:
        if not self.js or self.dice.random() < 0.15:
            self._new_js()
            return
        kind, entity = self.dice.choice(self.js)
        method = self.dice.choice(JS_METHODS[kind])
        done, answer = self.do(f"js.{kind}.{method}", id=entity, **self._arguments(method))
        if done and method == "add":
            self.hashes.append(bytes.fromhex(answer))

    def _new_js(self) -> None:
        kind = self.dice.choice(self.js_kinds)
        wanted = {"id": self.dice.randbytes(32)} if self.dice.random() < 0.2 else {}
        done, answer = self.do(f"js.{kind}.new", **wanted)
        if done:
            self.js.append((kind, bytes.fromhex(answer)))

    def call_rust(self) -> None:
        if not self.rust or self.dice.random() < 0.15:
            self._new_rust()
            return
        place = self.dice.randrange(len(self.rust))
        kind, at = self.rust[place]
        method = self.dice.choice(RUST_METHODS[kind])
        arguments = self._arguments(method)
        if kind == "rga" and self.dice.random() < 0.8:
            arguments |= self._inside(at)
        if method == "many":
            arguments["steps"] = self._steps(kind)
        if method == "merge":
            arguments["other"] = self.dice.choice([other for name, other in self.rust if name == kind])
        done, answer = self.do(f"col.{kind}.{method}", at=at, **arguments)
        if done:
            self.rust[place] = kind, bytes.fromhex(answer["at"])
            if kind == "frozen" and method == "insert":
                self.hashes.append(bytes.fromhex(answer["value"]))

    def _inside(self, at: bytes) -> dict[str, int]:
        """Places that the text has."""
        _, answer = self.do("col.rga.len", at=at)
        start = self.dice.randint(0, answer["value"])
        return {"position": start, "start": start, "end": start + self.dice.randrange(3)}

    def _steps(self, kind: str) -> list[dict[str, Any]]:
        """Up to five methods for one object."""
        methods = [method for method in RUST_METHODS[kind] if method not in ("merge", "many")]
        chosen = [self.dice.choice(methods) for _ in range(self.dice.randrange(6))]
        return [{"method": method, **self._arguments(method)} for method in chosen]

    def _new_rust(self) -> None:
        kind = self.dice.choice(self.rust_kinds)
        if kind in ("map", "set", "vector") and self.dice.random() < 0.4:
            name = f"moved{self.dice.randrange(3)}"
            done, answer = self.do(f"col.{kind}.init", name=name, steps=self._steps(kind))
            if done:
                self.rust.append((kind, bytes.fromhex(answer["at"])))
            return
        field = {"name": f"{kind}{self.dice.randrange(2)}"} if self.dice.random() < 0.5 else {}
        done, answer = self.do(f"col.{kind}.new", **field)
        if done:
            self.rust.append((kind, bytes.fromhex(answer["at"])))

    def _arguments(self, method: str) -> dict[str, Any]:
        """More than any method takes: each reads what it needs."""
        start = self.dice.choice((0, 0, 0, 1, 3))
        optional = {} if method == "set" and self.dice.random() < 0.2 else {"value": self.dice.choice(WORDS)}
        return {
            **optional,
            "key": self.dice.choice(WORDS),
            "index": self.dice.randrange(5),
            "position": self.dice.choice((0, 0, 0, 0, 1, 2, 5)),
            "text": self.dice.choice(TEXTS),
            "start": start,
            "end": max(0, start + self.dice.randrange(-1, 4)),
            "executor": self.dice.choice(NAMES),
            "user": self.dice.choice(NAMES),
            "hash": self.dice.choice(self.hashes),
        }

    # entities

    def touch_tree(self) -> None:
        self.dice.choice((self._add_child, self._add_child, self._save_raw, self._remove, self._look))()

    def _add_child(self) -> None:
        entity = bytes([self.dice.randrange(1, 9)]) * 32
        chance, extra = self.dice.random(), dict[str, Any]()
        if chance < 0.2:
            extra["owner"] = self.dice.choice(NAMES)
        elif chance < 0.3:
            extra["frozen"] = True
        if self.dice.random() < 0.3:
            extra["updated_at"] = self.twins.now + self.dice.randrange(-2, 3) * 10**9
        parent = self.dice.choice([other for other in self.entities if other <= CONTEXT and other > entity])
        done, _ = self.do("tree.add_child", id=entity, parent=parent, data=self.dice.choice(WORDS), **extra)
        if done and entity not in self.entities:
            self.entities.append(entity)

    def _save_raw(self) -> None:
        entity = self.dice.choice(self.entities)
        data = CONTEXT if entity == CONTEXT else self.dice.choice(WORDS)
        created = self.twins.now - self.dice.randrange(3) * 10**9
        metadata = Metadata(created, created + self.dice.randrange(3) * 10**9, crdt_type=self.dice.choice(TYPES))
        self.do("tree.save_raw", id=entity, data=data, metadata=METADATA.encode(metadata))

    def _remove(self) -> None:
        self.do("tree.remove_child", parent=self.dice.choice(self.entities), id=self.dice.choice(self.entities))

    def _look(self) -> None:
        entity = self.dice.choice(self.entities)
        for op in ("tree.visible", "tree.deleted", "tree.comparison_data"):
            self.do(op, id=entity)


def _some(dice: random.Random, kinds: tuple[str, ...]) -> list[str]:
    """A few kinds, so that a scene goes deep into them; sometimes all."""
    return dice.sample(kinds, dice.choice((1, 2, 3, len(kinds))))


def alone(seed: int, twins: Twins, steps: int = 25) -> None:
    """One replica on its own."""
    dice = random.Random(seed)
    twins.reset(executor=NAMES[0])
    scene = Scene(dice, twins)
    if dice.random() < 0.9:
        scene.start()
    for _ in range(steps):
        scene.step()


def apply_actions(seed: int, twins: Twins) -> None:
    """Remote actions of every kind, forged and repeated, one by one; errors too must be equal."""
    twins.reset()
    for action in sequence(seed):
        twins.do("tree.apply", action=ACTION.encode(action))


def together(seed: int, first: Twins, second: Twins, steps: int = 24) -> None:
    """Two replicas that exchange what they did."""
    dice = random.Random(seed)
    first.reset(executor=NAMES[0])
    second.reset(executor=NAMES[1])
    here, there = Scene(dice, first), Scene(dice, second)
    here.start()
    waiting: list[tuple[Scene, bytes]] = []
    _send(here, there, waiting)
    for _ in range(steps):
        actor, other = (here, there) if dice.random() < 0.5 else (there, here)
        actor.step()
        _send(actor, other, waiting)
        _learn(actor, other)
        if dice.random() < 0.6:
            _deliver(dice, waiting)
    while waiting:
        _deliver(dice, waiting)
    _compare(here, there)


def _send(actor: Scene, other: Scene, waiting: list[tuple[Scene, bytes]]) -> None:
    """What is pending, signed by whoever acted."""
    actions = actor.twins.actions
    if actions:
        executor = actor.twins.executor
        signed = sign_actions(actions, PublicKey(executor), PEOPLE[executor])
        waiting.append((other, encode_artifact(Actions(signed))))


def _learn(actor: Scene, other: Scene) -> None:
    """Ids travel outside of the state too: the other one may use a collection before it arrives."""
    for mine, theirs in ((actor.js, other.js), (actor.rust, other.rust)):
        theirs.extend(item for item in mine if item not in theirs)


def _deliver(dice: random.Random, waiting: list[tuple[Scene, bytes]]) -> None:
    if not waiting:
        return
    place = dice.randrange(len(waiting))
    scene, artifact = waiting[place] if dice.random() < 0.1 else waiting.pop(place)
    scene.tick()
    scene.do("tree.sync", artifact=artifact)


def _compare(here: Scene, there: Scene) -> None:
    """Tree comparison of what each has with what the other has."""
    for entity in dict.fromkeys((*here.entities, *there.entities)):
        found, described = there.do("tree.comparison_data", id=entity)
        if not found:
            continue
        seen, data = there.do("tree.visible", id=entity)
        foreign: dict[str, Any] = {"comparison": bytes.fromhex(described)}
        if seen and data is not None:
            foreign["data"] = bytes.fromhex(data)
        here.do("tree.compare", **foreign)
        here.do("tree.compare_affective", **foreign)
