"""Counters: one number per executor, so that concurrent steps of different executors add up.

Source: core 0.10.0: crates/storage/src/collections/counter.rs.
"""

from __future__ import annotations

from typing import Final

from node.primitives import EntityId, PublicKey
from node.storage import crdt_type
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.shapes import NUMBER, TEXT
from node.storage.faults import InvalidData
from node.storage.interface import Interface

U64_MAX: Final = 2**64 - 1
I64_MAX: Final = 2**63 - 1

Counts = UnorderedMap[str, int]
"""Executor's key in lower-case hex to its number of steps."""


def _open(engine: Interface, entity: EntityId) -> Counts:
    return UnorderedMap.open(engine, entity, TEXT, NUMBER)


def _step(counts: Counts, executor: PublicKey, word: str) -> None:
    current = counts.get(executor.hex()) or 0
    if current == U64_MAX:
        raise InvalidData(f"Counter {word} overflow: value already at u64::MAX")
    counts.insert(executor.hex(), current + 1)


def _raise_to(counts: Counts, other: Counts) -> None:
    for executor, theirs in list(other.entries()):
        if theirs > (counts.get(executor) or 0):
            counts.insert(executor, theirs)


class GCounter:
    """A counter that only grows."""

    def __init__(self, positive: Counts) -> None:
        self.positive = positive

    @classmethod
    def open(cls, engine: Interface, entity: EntityId) -> GCounter:
        """The counter whose map has an id."""
        return cls(_open(engine, entity))

    @classmethod
    def create(cls, engine: Interface, entity: EntityId | None = None) -> GCounter:
        """Make a counter, by default with random ids; one more is drawn for the steps down, which are never stored."""
        positive = UnorderedMap.create(engine, TEXT, NUMBER, entity)
        engine.env.random_id()
        return cls(positive)

    @classmethod
    def field(cls, engine: Interface, name: str) -> GCounter:
        """The counter of a top-level field."""
        kind = crdt_type.GCounter()
        return cls(UnorderedMap.field(engine, TEXT, NUMBER, f"__counter_internal_{name}_positive", kind))

    def to_bytes(self) -> bytes:
        """The counter as a value inside other data."""
        return bytes(self.positive.id)

    def increment(self, executor: PublicKey | None = None) -> None:
        """One step up, for the executor of the call unless another is named. Raises :class:`InvalidData`."""
        _step(self.positive, executor or self.positive.inner.engine.env.executor, "increment")

    def count_of(self, executor: PublicKey) -> int:
        return self.positive.get(executor.hex()) or 0

    def value(self) -> int:
        """The sum over all executors. Raises :class:`InvalidData` above 2^64-1."""
        total = sum(count for _, count in self.positive.entries())
        if total > U64_MAX:
            raise InvalidData("Counter sum overflow: exceeded u64::MAX")
        return total

    def merge(self, other: GCounter) -> None:
        """The greater number of each executor."""
        _raise_to(self.positive, other.positive)


class PnCounter:
    """A counter that goes up and down: two that only grow."""

    def __init__(self, positive: Counts, negative: Counts) -> None:
        self.positive = positive
        self.negative = negative

    @classmethod
    def open(cls, engine: Interface, positive: EntityId, negative: EntityId) -> PnCounter:
        """The counter whose maps have these ids."""
        return cls(_open(engine, positive), _open(engine, negative))

    @classmethod
    def create(cls, engine: Interface) -> PnCounter:
        """Make a counter with random ids."""
        return cls(UnorderedMap.create(engine, TEXT, NUMBER), UnorderedMap.create(engine, TEXT, NUMBER))

    @classmethod
    def field(cls, engine: Interface, name: str) -> PnCounter:
        """The counter of a top-level field."""
        up, down = (f"__counter_internal_{name}_{side}" for side in ("positive", "negative"))
        counts = crdt_type.UnorderedMap("alloc::string::String", "u64")
        return cls(
            UnorderedMap.field(engine, TEXT, NUMBER, up, crdt_type.PnCounter()),
            UnorderedMap.field(engine, TEXT, NUMBER, down, counts),
        )

    def to_bytes(self) -> bytes:
        """The counter as a value inside other data."""
        return self.positive.id + self.negative.id

    def increment(self, executor: PublicKey | None = None) -> None:
        """One step up. Raises :class:`InvalidData`."""
        _step(self.positive, executor or self.positive.inner.engine.env.executor, "increment")

    def decrement(self, executor: PublicKey | None = None) -> None:
        """One step down. Raises :class:`InvalidData`."""
        _step(self.negative, executor or self.negative.inner.engine.env.executor, "decrement")

    def value(self) -> int:
        """Steps up less steps down. Raises :class:`InvalidData` outside 64 bits with a sign."""
        return _signed_sum(self.positive, "positive") - _signed_sum(self.negative, "negative")

    def merge(self, other: PnCounter) -> None:
        """The greater number of each executor, on both sides."""
        _raise_to(self.positive, other.positive)
        _raise_to(self.negative, other.negative)


def _signed_sum(counts: Counts, word: str) -> int:
    total = 0
    for _, count in counts.entries():
        if count > I64_MAX:
            raise InvalidData(f"Counter value {count} exceeds i64::MAX, cannot represent in signed counter")
        total += count
        if total > I64_MAX:
            raise InvalidData(f"Counter {word} sum overflow: exceeded i64::MAX")
    return total
