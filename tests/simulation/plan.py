"""What happens in a run: writes and faults with their times, drawn from the seed before anything moves.

A plan is data, so that a failing one can be cut down and run again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import Final, Literal

FaultKind = Literal[
    "partition",
    "one way",
    "flap",
    "drop",
    "delay",
    "duplicate",
    "reorder",
    "reset streams",
    "crash before",
    "crash after",
    "kill",
    "disk full",
    "slow apply",
    "clock skew",
    "clock jump",
    "late join",
    "leave",
    "liar",
    "registry down",
    "no application",
    "unexplained",
    "small graph",
]

KINDS: Final[tuple[FaultKind, ...]] = FaultKind.__args__  # type: ignore[attr-defined]

CALM: Final = 3.0
"""Seconds before the first fault: the nodes meet."""

HOT_KEYS: Final = 3
"""Keys of a run in which everybody writes and removes the same few."""

FINAL: Final = 12.0
"""Seconds between the last write of a key and its removal for good: more than clocks differ, a jump included."""

TROUBLE: Final = 30.0
"""Seconds in which writes and faults happen."""


@dataclass(frozen=True, slots=True)
class Write:
    """A call at a node. ``value`` None removes the key."""

    at: float
    node: int
    key: str
    value: str | None


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from ``at`` on, for ``lasts`` seconds; the other fields as the kind needs them."""

    at: float
    kind: FaultKind
    node: int
    other: int
    lasts: float
    amount: float


@dataclass(frozen=True, slots=True)
class Plan:
    """One run. ``late`` nodes join during it, ``interop`` uses the storage rules that 0.10.0 applications have.

    By those rules a write that is later than a removal stays hidden under the tombstone and is counted in the hash
    where it came after it (S11, in the application): states part for good. Such a run removes keys for good only.
    """

    seed: int
    nodes: int
    late: tuple[int, ...]
    writes: tuple[Write, ...]
    faults: tuple[Fault, ...]
    interop: bool = False

    @property
    def heal_at(self) -> float:
        """When the last fault is over and the last write was made."""
        ends = [fault.at + fault.lasts for fault in self.faults]
        return max([CALM, *ends, *(write.at for write in self.writes)]) + 0.5

    def without(self, *, writes: set[int] = frozenset(), faults: set[int] = frozenset()) -> Plan:  # type: ignore[assignment]
        """The plan without some of its parts, by number."""
        return replace(
            self,
            writes=tuple(w for number, w in enumerate(self.writes) if number not in writes),
            faults=tuple(f for number, f in enumerate(self.faults) if number not in faults),
        )


@dataclass(slots=True)
class Shape:
    """Sizes of the runs."""

    nodes: tuple[int, int] = (2, 5)
    writes: int = 100
    keys: int = 20
    kinds: tuple[FaultKind, ...] = field(default=KINDS)


def draw(seed: int, shape: Shape | None = None) -> Plan:
    """The plan of a seed."""
    shape = shape or Shape()
    rng = random.Random(seed)
    nodes = rng.randint(*shape.nodes)
    kinds = [kind for kind in shape.kinds if rng.random() < 0.35]
    struck = [_fault(rng, kind, nodes) for kind in kinds for _ in range(rng.randint(1, 3))]
    faults = tuple(sorted((*struck, *_lies_to_joiners(rng, struck)), key=_at))
    late = tuple(sorted({f.node for f in faults if f.kind == "late join" and f.node != 0}))
    interop = rng.random() < 0.2
    hot = rng.random() < 0.25
    removals = 0.0 if interop else 0.4 if hot else 0.15
    keys = HOT_KEYS if hot else shape.keys
    writes = [_write(rng, number, keys, nodes, removals) for number in range(shape.writes)]
    writes = [close for write in writes for close in _burst(rng, write)][: shape.writes]
    if interop:
        writes += _last_removals(rng, writes, nodes)
    return Plan(seed, nodes, late, tuple(sorted(writes, key=_at)), faults, interop)


def _last_removals(rng: random.Random, writes: list[Write], nodes: int) -> list[Write]:
    """Some keys are removed when nobody writes them any more, now and then by two nodes."""
    last: dict[str, float] = {}
    for write in writes:
        last[write.key] = max(write.at, last.get(write.key, 0))
    return [
        Write(round(at + FINAL + rng.random() * 4, 4), rng.randrange(nodes), key, None)
        for key, at in sorted(last.items())
        for _ in range(rng.choice((0, 0, 1, 2)))
    ]


def _lies_to_joiners(rng: random.Random, faults: list[Fault]) -> list[Fault]:
    """Now and then whoever a joiner asks is a liar."""
    joins = [fault for fault in faults if fault.kind == "late join" and rng.random() < 0.3]
    return [replace(join, kind="liar", node=0, other=join.node, lasts=2.0) for join in joins if join.node]


def _burst(rng: random.Random, write: Write) -> list[Write]:
    """Now and then one client writes three times within microseconds."""
    if rng.random() > 0.04:
        return [write]
    return [replace(write, at=write.at + number * 3e-6, key=f"{write.key}-{number}") for number in range(3)]


def _at(item: Write | Fault) -> float:
    return item.at


def _fault(rng: random.Random, kind: FaultKind, nodes: int) -> Fault:
    node = rng.randrange(nodes)
    other = (node + rng.randrange(1, nodes)) % nodes
    at = CALM + rng.random() * TROUBLE * 0.7
    return Fault(round(at, 3), kind, node, other, round(rng.uniform(0.2, 12), 3), rng.random())


def _write(rng: random.Random, number: int, keys: int, nodes: int, removals: float) -> Write:
    at = round(CALM + rng.random() ** 1.5 * TROUBLE, 4)
    key = f"k{rng.randrange(keys)}"
    value = None if rng.random() < removals else f"v{number}" + "x" * (rng.random() < 0.02) * 70_000
    return Write(at, rng.randrange(nodes), key, value)
