"""One value of two, by the type in the metadata of the incoming one."""

from __future__ import annotations

import pytest

from node.primitives import EntityId
from node.storage import crdt_type
from node.storage.collections.counter import GCounter, PnCounter
from node.storage.collections.text import ReplicatedGrowableArray
from node.storage.crdt_type import CrdtType
from node.storage.engine import Engine
from node.storage.entities import Metadata
from node.storage.env import INTEROP, REFERENCE, Rules
from node.storage.merge import merge_entity
from tests.vectors.storage_steps import Harness

NOW = 10**18


def engine(rules: Rules = INTEROP) -> Engine:
    harness = Harness(rules)
    harness.now = NOW
    return harness.engine()


def merge(one: Engine, existing: bytes, incoming: bytes, kind: CrdtType | None) -> bytes:
    return merge_entity(one, existing, incoming, Metadata(1, 1, crdt_type=kind))


LATER_WINS: list[CrdtType | None] = [
    None,
    crdt_type.LwwRegister("T"),
    crdt_type.UserStorage(),
    crdt_type.UnorderedMap("K", "V"),
    crdt_type.UnorderedSet("V"),
    crdt_type.Vector("V"),
    crdt_type.Custom("T"),
    crdt_type.GCounter(),
    crdt_type.PnCounter(),
    crdt_type.Rga(),
]


@pytest.mark.parametrize("kind", LATER_WINS, ids=repr)
def test_the_later_write_stands_unless_both_are_ids(kind: CrdtType | None) -> None:
    assert merge(engine(), b"old", b"new", kind) == b"new"


def test_frozen_values_stay() -> None:
    assert merge(engine(), b"old", b"new", crdt_type.FrozenStorage()) == b"old"


def test_counters_take_the_greater_number_of_each_executor() -> None:
    one = engine()
    left, right = GCounter.create(one), GCounter.create(one)
    left.increment()
    right.increment()
    right.increment()
    assert merge(one, left.to_bytes(), right.to_bytes(), crdt_type.GCounter()) == left.to_bytes()
    assert left.value() == 2


def test_texts_take_what_they_lack() -> None:
    one = engine()
    left, right = ReplicatedGrowableArray.create(one), ReplicatedGrowableArray.create(one)
    right.insert(0, "ab")
    assert merge(one, bytes(left.id), bytes(right.id), crdt_type.Rga()) == left.id
    assert left.text() == "ab"
    (entity, _) = left.chars.inner.ids()
    assert one.index.metadata(entity) == Metadata(0, 0)


def test_values_made_by_a_merge_have_no_time() -> None:
    one = engine()
    with one.merge_mode():
        assert one.now() == 0
        assert one.touched(Metadata(1, 2)) == Metadata(1, 2)
    assert one.now() == NOW


def test_pn_counters_of_two_ids_merge_on_both_sides() -> None:
    one = engine()
    left, right = PnCounter.create(one), PnCounter.create(one)
    left.increment()
    right.decrement()
    right.decrement()
    assert merge(one, left.to_bytes(), right.to_bytes(), crdt_type.PnCounter()) == left.to_bytes()
    assert left.value() == -1


def test_a_pn_counter_stored_as_one_id_stays_one() -> None:
    one = engine()
    left, right = PnCounter.create(one), PnCounter.create(one)
    right.increment()
    single = bytes(left.positive.id)
    assert merge(one, single, bytes(right.positive.id), crdt_type.PnCounter()) == single
    assert left.value() == 1
    assert merge(one, single, left.to_bytes(), crdt_type.PnCounter()) == left.to_bytes()
    assert merge(one, left.to_bytes(), single, crdt_type.PnCounter()) == left.to_bytes()


@pytest.mark.parametrize("size", [0, 31, 40, 65])
def test_data_that_are_no_pair_of_ids_are_replaced(size: int) -> None:
    for rules in (INTEROP, REFERENCE):
        one = engine(rules)
        pair = PnCounter.create(one).to_bytes()
        for existing, incoming in ((bytes(size), pair), (pair, bytes(size)), (bytes(size), pair[:32])):
            assert merge(one, existing, incoming, crdt_type.PnCounter()) == incoming


def test_the_reference_makes_a_half_also_for_data_that_it_then_refuses() -> None:
    one = engine(REFERENCE)
    merge(one, bytes(40), bytes(64), crdt_type.PnCounter())
    assert len(one.pending.actions) == 1


def test_the_reference_makes_up_the_other_half_of_a_pn_counter() -> None:
    one = engine(REFERENCE)
    single = bytes(PnCounter.create(one).positive.id)
    merged = merge(one, single, single, crdt_type.PnCounter())
    assert merged[:32] == single
    assert len(merged) == 64
    assert one.index.get(EntityId(merged[32:])) is not None
