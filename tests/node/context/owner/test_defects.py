"""Defects of the reference's delta store, by number, on one context and its rows: none of them is here."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from node.context.owner.content import new_delta
from node.dag.delta import CausalDelta
from node.errors import StorageError
from node.primitives import GENESIS, DeltaId
from node.storage.action import ACTIONS, Update
from node.storage.entities import Metadata
from node.store.base import Batch
from node.store.columns import Column
from tests.node.context.owner.test_apply import Killed
from tests.node.context.owner.test_snapshot import ROWS, TREE
from tests.node.context.owner.world import Node, entity, made

AHEAD = 6 * 10**9
"""One second more than clocks may differ."""


def no_parents(alice: Node, delta: CausalDelta) -> CausalDelta:
    return new_delta((), ACTIONS.decode(delta.payload), alice.clock().next(), delta.expected_root_hash, None)


def late_entry(alice: Node, delta: CausalDelta) -> CausalDelta:
    at = alice.now + AHEAD
    action = Update(entity("a"), b'"late"', (), Metadata(at, at))
    return new_delta(delta.parents, [action], alice.clock().next(), alice.root, None)


def late_clock(alice: Node, delta: CausalDelta) -> CausalDelta:
    alice.now += AHEAD
    actions = ACTIONS.decode(delta.payload)
    forged = new_delta(delta.parents, actions, alice.clock().next(), delta.expected_root_hash, None)
    alice.now -= AHEAD
    return forged


IMPOSSIBLE = {
    "another id": (lambda alice, delta: replace(delta, id=DeltaId(b"\5" * 32)), "does not have the id of its content"),
    "other parents": (
        lambda alice, delta: replace(delta, parents=(DeltaId(b"\5" * 32),)),
        "does not have the id of its content",
    ),
    "no parents": (no_parents, "has no parents"),
    "its own parent": (lambda alice, delta: replace(delta, parents=(delta.id,)), "is its own parent"),
    "the zero id beside a parent": (lambda alice, delta: replace(delta, parents=(*delta.parents, GENESIS)), "zero id"),
    "an entry beyond the drift": (late_entry, "into the future"),
    "a clock beyond the drift": (late_clock, "ahead of the local clock"),
}
"""What no honest author sends: how to make it of a good delta, and what the refusal says."""


@pytest.mark.parametrize("case", IMPOSSIBLE)
def test_what_no_honest_author_sends_is_refused_and_counted(alice: Node, bob: Node, case: str) -> None:
    forge, words = IMPOSSIBLE[case]
    delta = made(alice.call("set", {"a": "1"}))
    bob.now = alice.now
    forged = forge(alice, delta)
    rows = dict(bob.store.scan(Column.DELTA))
    report = bob.give(forged, alice)
    assert [delta_id for delta_id, _ in report.rejected] == [forged.id]
    assert words in report.rejected[0][1]
    assert bob.owner.state.counts["rejected: invalid"] == 1
    assert dict(bob.store.scan(Column.DELTA)) == rows
    assert bob.owner.heads().pending == 0
    assert bob.give(delta, alice).applied == [delta.id]


class Counted:
    """A guest that remembers which methods were run."""

    def __init__(self, node: Node) -> None:
        self.methods: list[str] = []
        run = node.guest.run

        def counted(call):  # type: ignore[no-untyped-def]
            self.methods.append(call.method)
            return run(call)

        node.guest.run = counted  # type: ignore[method-assign]


def test_defect_d8_what_a_found_parent_released_is_not_executed_again(alice: Node, bob: Node) -> None:
    """``applied`` is in the commit of the effects, for a delta that waited as for one that did not."""
    first, second = made(alice.call("set", {"a": "1"})), made(alice.call("set", {"b": "2"}))
    assert bob.give(second, alice).pending == [second.id]
    assert bob.give(first, alice).applied == [first.id, second.id]
    guest = Counted(bob)
    bob.restart()
    assert bob.owner.resume() == []
    bob.give(first, alice)
    bob.give(second, alice)
    assert guest.methods == []
    assert bob.owner.heads().heads == (second.id,)


def test_defect_d11_a_call_between_two_deltas_builds_on_the_heads_of_its_state(alice: Node, bob: Node) -> None:
    """State, delta and heads of an apply are one batch, so no call can see one without the others."""
    batches: list[set[Column]] = []
    commit = bob.store.commit

    def noted(batch: Batch) -> None:
        batches.append({column for column, _ in batch.changes})
        commit(batch)

    bob.store.commit = noted  # type: ignore[method-assign]
    heads = bob.owner.heads().heads
    for n in range(5):
        theirs = made(alice.call("set", {"a": str(n)}))
        batches.clear()
        bob.give(theirs, alice)
        assert [found for found in batches if found & {Column.STATE, Column.META}] == [
            {Column.STATE, Column.META, Column.DELTA, Column.GENERIC}
        ]
        ours = made(bob.call("set", {"b": str(n)}))
        assert ours.parents == (theirs.id,)
        alice.give(ours, bob)
        assert bob.owner.heads().heads == alice.owner.heads().heads == (ours.id,) != heads


def test_defect_d11_a_call_after_an_apply_that_was_not_written_builds_on_the_old_heads(alice: Node, bob: Node) -> None:
    theirs = made(alice.call("set", {"a": "1"}))
    before = bob.owner.heads().heads

    def full(point: str, batch: Batch) -> None:
        raise StorageError("no space left on device")

    bob.store.fault = full
    with pytest.raises(StorageError):
        bob.give(theirs, alice)
    bob.store.fault = None
    ours = made(bob.call("set", {"b": "2"}))
    assert ours.parents == before
    bob.give(theirs, alice)
    assert set(bob.owner.heads().heads) == {ours.id, theirs.id}
    assert bob.value("a") == "1"


@pytest.mark.parametrize("at", ["before", "after"])
def test_defect_y12_a_kill_leaves_the_whole_snapshot_or_nothing(alice: Node, at: str) -> None:
    """State, root and heads of a snapshot are one batch: a state without a root cannot come to be."""
    carol = Node(3)
    carol.join(alice)
    carol.owner.installer.begin(TREE.full_hash, alice.owner.heads().heads)
    carol.owner.installer.put(ROWS)

    def killed(point: str, batch: Batch) -> None:
        if point == at and any(column is Column.STATE for column, _ in batch.changes):
            raise Killed

    carol.store.fault = killed
    with pytest.raises(Killed):
        carol.owner.finish_install()
    carol.restart()
    rows = dict(carol.owner.state.rows.state_rows())
    if at == "before":
        assert (rows, carol.root.is_zero, carol.owner.heads().heads) == ({}, True, ())
        carol.owner.installer.begin(TREE.full_hash, alice.owner.heads().heads)
        carol.owner.installer.put(ROWS)
        carol.owner.finish_install()
        rows = dict(carol.owner.state.rows.state_rows())
    assert (rows, carol.root) == (dict(ROWS), TREE.full_hash)
    assert carol.owner.heads().heads == alice.owner.heads().heads


def test_defect_d19_a_start_holds_ancestry_and_not_payloads(alice: Node, bob: Node) -> None:
    """Rows of 5 MB in all: a start reads every one of them and keeps none."""
    size, count = 100_000, 50
    deltas = [made(alice.call("set", {"k": str(n) * (size // len(str(n)))})) for n in range(count)]
    for delta in deltas[: count // 2] + deltas[count // 2 + 1 :]:
        bob.give(delta, alice)
    bob.restart()
    tracemalloc.start()
    try:
        assert bob.owner.state.dag.pending_count == count - count // 2 - 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * size
