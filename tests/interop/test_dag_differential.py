"""The graph beside the reference's crate: the same deltas in the same order of delivery, with equal results after each.

Compared after every step: whether the delta was applied, what it released, heads, waiting deltas, missing parents. The
reference releases unrelated deltas in the order of a hash map, so of an order only causality is compared. Where the
graph departs from the reference on purpose, a test of its own shows both.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from node.dag.delta import Link
from node.dag.store import DagStore
from node.errors import InvalidDelta, StorageError
from node.primitives import GENESIS, DeltaId

pytestmark = pytest.mark.interop

FOLDER: Final = Path(__file__).parent / "dag_oracle"
BUILD: Final = ("cargo", "build", "--release", "--locked", "--quiet")
SEQUENCES: Final = 2_000


class Step(NamedTuple):
    """Outcome of one operation; ``order`` is what it applied, the rest is the state after it."""

    result: str
    order: list[int]
    heads: set[int]
    pending: set[int]
    missing: set[int]


class Reference:
    """The crate's graph in a process of its own."""

    def __init__(self, program: Path) -> None:
        self._process = subprocess.Popen([program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __call__(self, operation: str, number: int | None = None, *parents: int) -> Step:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        words = [
            operation,
            *([] if number is None else [str(number)]),
            *([",".join(map(str, parents))] if parents else []),
        ]
        self._process.stdin.write(" ".join(words) + "\n")
        self._process.stdin.flush()
        result, *lists = self._process.stdout.readline().rstrip("\n").split(";")
        order, heads, pending, missing = ([int(n) for n in part.split(",") if n] for part in lists)
        return Step(result, order, set(heads), set(pending), set(missing))

    def close(self) -> None:
        self._process.communicate(timeout=10)


class Ours:
    """The same operations on our graph."""

    def __init__(self) -> None:
        self._order: list[int] = []
        self.failing: set[int] = set()
        self.dag: DagStore[Link] = DagStore(self._apply)

    def _apply(self, delta: Link) -> None:
        if number(delta.id) in self.failing:
            raise StorageError("told to")
        self._order.append(number(delta.id))

    def __call__(self, operation: str, delta_id: int | None = None, *parents: int) -> Step:
        result = self._run(operation, Link(did(delta_id or 0), tuple(map(did, parents))))
        order, self._order = self._order, []
        heads = {number(head) for head in self.dag.heads} or {0}  # the reference counts the genesis as a head
        pending = {number(entry.delta.id) for entry in self.dag.pending()}
        return Step(result, order, heads, pending, {number(parent) for parent in self.dag.missing_parents()})

    def _run(self, operation: str, delta: Link) -> str:
        match operation:
            case "add":
                try:
                    return str(bool(self.dag.add(delta))).lower()
                except (InvalidDelta, StorageError):
                    return "error"
            case "restore":
                known = delta.id in self.dag
                self.dag.restore([delta])
                return str(not known).lower()
            case "process":
                return str(len(self.dag.retry()))
            case _:
                gone = [entry.delta.id for entry in self.dag.pending()]
                return str(sum(self.dag.discard(delta_id) for delta_id in gone))


def did(n: int) -> DeltaId:
    return DeltaId(n.to_bytes(32, "big"))


def number(delta_id: DeltaId) -> int:
    return int.from_bytes(delta_id, "big")


@pytest.fixture(scope="module")
def program() -> Path:
    assert shutil.which("cargo"), "the crate is built on demand; install cargo"
    subprocess.run([*BUILD, "--manifest-path", FOLDER / "Cargo.toml"], check=True, timeout=900)
    return FOLDER / "target" / "release" / "dag_oracle"


@pytest.fixture
def reference(program: Path) -> Iterator[Reference]:
    reference = Reference(program)
    yield reference
    reference.close()


def history(rng: random.Random) -> dict[int, tuple[int, ...]]:
    """Deltas with their parents, by number: chains, forks and merges of a few writers."""
    deltas: dict[int, tuple[int, ...]] = {}
    for n in range(1, rng.randint(2, 24)):
        known = [*deltas][-6:]
        parents = rng.sample(known, min(len(known), rng.choice((1, 1, 1, 2, 3))))
        deltas[n] = tuple(parents) if parents and rng.random() < 0.95 else (0,)
    return deltas


def deliveries(rng: random.Random, deltas: dict[int, tuple[int, ...]]) -> list[tuple[str, int]]:
    """A start that restores the oldest, then the rest in any order, some twice, some never, with sweeps between."""
    restored = rng.choice((0, 0, len(deltas) // 3))
    names = [n for n in deltas if n > restored and rng.random() < 0.93]
    names += rng.choices(names, k=len(names) // 5) if names else []
    rng.shuffle(names)
    steps = [("restore", n) for n in deltas if n <= restored] + [("add", n) for n in names]
    if rng.random() < 0.2:
        steps.insert(rng.randint(restored, len(steps)), ("sweep", 0))
        steps += [("add", n) for n in names]
    return [*steps, ("process", 0)]


def check(ours: Step, theirs: Step, deltas: dict[int, tuple[int, ...]], applied: set[int]) -> None:
    assert ours._replace(order=[]) == theirs._replace(order=[])
    assert sorted(ours.order) == sorted(theirs.order)
    for order in (ours.order, theirs.order):
        seen = {0, *applied}
        for n in order:
            assert seen.issuperset(deltas[n])
            seen.add(n)


@pytest.mark.timeout(1200)
def test_random_deliveries(reference: Reference) -> None:
    released = waited = 0
    for seed in range(SEQUENCES):
        rng, ours = random.Random(seed), Ours()
        deltas, applied = history(rng), set[int]()
        reference("new")
        for operation, n in deliveries(rng, deltas):
            call = (operation, n, *deltas[n]) if n else (operation,)
            mine, theirs = ours(*call), reference(*call)
            try:
                check(mine, theirs, deltas, applied)
            except AssertionError as error:
                raise AssertionError(f"seed {seed}, {call}: {error}") from error
            applied.update(mine.order, [n] if operation == "restore" else [])
            released, waited = released + len(mine.order[1:]), waited + len(mine.pending)
    assert released > SEQUENCES
    assert waited > SEQUENCES


@pytest.mark.parametrize("parents", [(), (1,), (2, 2), (2, 0)], ids=["none", "itself", "twice", "zero beside one"])
def test_departure_d6_impossible_ancestry_is_refused(reference: Reference, parents: tuple[int, ...]) -> None:
    """The reference applies the first at once, keeps the second for ever and takes the others."""
    ours = Ours()
    for graph in (ours, reference):
        assert graph("add", 2, 0).result == "true"
    theirs = reference("add", 1, *parents)
    assert theirs.result == ("false" if parents == (1,) else "true")
    mine = ours("add", 1, *parents)
    assert (mine.result, mine.heads, mine.pending) == ("error", {2}, set())


def test_departure_d1_a_failed_delta_can_be_fed_again(reference: Reference) -> None:
    """The reference calls it known for ever, and never asks for it either."""
    ours = Ours()
    ours.failing = {1}
    reference("fail", 1)
    assert ours("add", 1, 0).result == reference("add", 1, 0).result == "error"
    ours.failing = set()
    reference("heal", 1)
    assert reference("add", 1, 0).result == "false"
    assert reference("add", 2, 1) == Step("false", [], {0}, {2}, set())
    assert ours("add", 1, 0) == Step("true", [1], {1}, set(), set())


def test_departure_d2_a_failing_child_stops_nobody(reference: Reference) -> None:
    """The reference answers an error for the parent that it applied, and loses the child."""
    ours = Ours()
    ours.failing = {2}
    reference("fail", 2)
    for graph in (ours, reference):
        graph("add", 2, 1)
        graph("add", 3, 2)
    theirs, mine = reference("add", 1, 0), ours("add", 1, 0)
    assert (theirs.result, theirs.order, theirs.pending) == ("error", [1], {3})
    assert (mine.result, mine.order, mine.pending) == ("true", [1], {2, 3})
    ours.failing = set()
    reference("heal", 2)
    assert reference("process").order == []
    assert ours("process").order == [2, 3]


def test_departure_d7_a_restored_parent_releases_its_children(reference: Reference) -> None:
    """The reference leaves them until some later apply."""
    ours = Ours()
    for graph in (ours, reference):
        graph("add", 2, 1)
    assert reference("restore", 1, 0) == Step("true", [], {1}, {2}, set())
    ours("restore", 1, 0)
    assert ours.dag.ready_count == 1
    assert [number(delta.id) for delta in ours.dag.release()] == [2]
    assert reference("process").order == [2]


def test_departure_an_ancestor_of_a_snapshot_is_covered(reference: Reference) -> None:
    """The reference executes it again and makes it a head."""
    ours = Ours()
    reference("restore", 5, 0)
    ours.dag.restore_checkpoint(did(5))
    assert reference("add", 5, 4).result == "false"
    assert reference("add", 4, 0) == Step("true", [4], {4, 5}, set(), set())
    ours.dag.learn(Link(did(5), (did(4),)))
    ours.dag.learn(Link(did(4), (GENESIS,)))
    assert ours("add", 4, 0) == Step("false", [], {5}, set(), set())
