"""Deltas of others: checks, waiting, cascades, failures, restarts; defects of the reference by name."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from node.context.owner.apply import FEED_ATTEMPTS, Received
from node.context.owner.content import new_delta
from node.dag.delta import CausalDelta, checkpoint
from node.errors import StorageError
from node.primitives import GENESIS, DeltaId
from node.storage.action import ACTIONS, Add, Update
from node.storage.entities import Metadata
from node.storage.keys import root_id
from node.store.base import Batch
from node.store.columns import Column, in_context
from tests.node.context.owner.world import CONTEXT, Node, entity, made


def chain(node: Node, count: int, name: str = "k") -> list[CausalDelta]:
    return [made(node.call("set", {f"{name}{n}": str(n)})) for n in range(count)]


def test_a_delta_of_a_member_is_applied(alice: Node, bob: Node) -> None:
    delta = made(alice.call("set", {"a": "1"}))
    report = bob.give(delta, alice)
    assert (report.applied, report.pending, report.rejected) == ([delta.id], [], [])
    assert bob.root == alice.root
    assert bob.value("a") == "1"
    assert bob.owner.heads().heads == (delta.id,)
    row = bob.owner.state.rows.delta(delta.id)
    assert row is not None
    assert row.applied


def test_concurrent_deltas_converge_and_keep_the_computed_root(alice: Node, bob: Node) -> None:
    ours, theirs = made(alice.call("set", {"a": "1"})), made(bob.call("set", {"b": "2"}))
    bob.give(ours, alice)
    alice.give(theirs, bob)
    assert alice.root == bob.root
    assert alice.root not in (ours.expected_root_hash, theirs.expected_root_hash)
    assert set(alice.owner.heads().heads) == {ours.id, theirs.id} == set(bob.owner.heads().heads)
    assert alice.owner.state.counts["merged"] == 1
    merge = made(alice.call("set", {"c": "3"}))
    assert set(merge.parents) == {ours.id, theirs.id}
    bob.give(merge, alice)
    assert bob.owner.heads().heads == (merge.id,)


def test_waiting_deltas_are_durable_and_released(alice: Node, bob: Node) -> None:
    deltas = chain(alice, 4)
    for delta in reversed(deltas[1:]):
        report = bob.give(delta, alice)
        assert report.pending == [delta.id]
    (waiting, *_) = bob.owner.pending()
    assert (waiting.waits_for, waiting.missing) == ("parents", [deltas[2].id])
    bob.restart()
    assert bob.owner.heads().pending == 3
    assert bob.owner.heads().missing == [deltas[0].id]
    report = bob.give(deltas[0], alice)
    assert report.applied == [d.id for d in deltas]
    assert bob.root == alice.root
    assert bob.owner.heads().pending == 0


def test_released_deltas_come_in_slices(alice: Node, bob: Node) -> None:
    deltas = chain(alice, 6)
    for delta in reversed(deltas[1:]):
        bob.give(delta, alice)
    report = bob.owner.apply([Received(deltas[0], alice.public)], "peer", limit=2)
    assert report.applied == [d.id for d in deltas[:3]]
    assert bob.owner.busy
    while bob.owner.work(lambda result: None, 2):
        pass
    assert bob.root == alice.root


def test_any_delivery_order_and_duplicates_converge(alice: Node, bob: Node) -> None:
    rng = random.Random(7)
    deltas = chain(alice, 8) + chain(bob, 8, "b")
    for seed in range(5):
        node = Node(3)
        node.copy_of(alice) if seed < 0 else node.copy_of(_fresh(alice))
        feed = deltas + rng.sample(deltas, 6)
        rng.shuffle(feed)
        for delta in feed:
            node.give(delta)
        assert node.owner.heads().pending == 0
        assert {node.value(f"k{n}") for n in range(8)} == {str(n) for n in range(8)}
        assert {node.value(f"b{n}") for n in range(8)} == {str(n) for n in range(8)}


def _fresh(alice: Node) -> Node:
    """The creator as it was right after the creation: the same genesis, nothing else."""
    node = Node(1)
    node.create(list(alice.owner.state.members))
    return node


def test_duplicates_are_harmless(alice: Node, bob: Node) -> None:
    delta = made(alice.call("set", {"a": "1"}))
    bob.give(delta, alice)
    before = dict(bob.store.scan(Column.DELTA))
    assert bob.give(delta, alice).duplicates == [delta.id]
    assert alice.give(delta, alice).duplicates == [delta.id]
    assert dict(bob.store.scan(Column.DELTA)) == before


def test_defect_a2_content_that_does_not_match_the_id_is_refused(alice: Node, bob: Node) -> None:
    delta = made(alice.call("set", {"a": "1"}))
    for forged in (
        replace(delta, parents=(DeltaId(b"\5" * 32),)),
        replace(delta, id=DeltaId(b"\5" * 32)),
        replace(delta, payload=b"\0\0\0\0"),
        replace(delta, payload=b"junk"),
        replace(delta, hlc=b"short"),
        checkpoint(DeltaId(b"\6" * 32), alice.root),
    ):
        report = bob.give(forged, alice)
        assert [delta_id for delta_id, _ in report.rejected] == [forged.id]
    assert bob.owner.state.counts["rejected: invalid"] == 6
    assert bob.owner.heads().pending == 0


def test_defect_d6_a_delta_without_parents_is_refused(alice: Node, bob: Node) -> None:
    delta = made(alice.call("set", {"a": "1"}))
    orphan = new_delta((), ACTIONS.decode(delta.payload), alice.clock().next(), delta.expected_root_hash, None)
    assert "no parents" in bob.give(orphan, alice).rejected[0][1]


def test_defect_a3_times_beyond_the_drift_are_refused(alice: Node, bob: Node) -> None:
    bob.now = alice.now
    for seconds, accepted in ((4, True), (6, False)):
        at = bob.now + seconds * 10**9
        action = Update(entity("a"), b'"late"', (), Metadata(at, at))
        delta = new_delta(bob.owner.heads().heads, [action], bob.clock().next(), alice.root, None)
        report = bob.give(delta, alice)
        assert bool(report.applied) == accepted
        if not accepted:
            assert "into the future; check the clocks" in report.rejected[0][1]
    alice.now += 60 * 10**9
    ahead = made(alice.call("set", {"b": "1"}))
    assert "ahead of the local clock" in bob.give(ahead, alice).rejected[0][1]
    bob.now = alice.now
    assert bob.give(ahead, alice).applied == [ahead.id]


def test_a_stranger_is_refused_until_known(alice: Node, bob: Node) -> None:
    delta = made(alice.call("set", {"a": "1"}))
    stranger = Node(9)
    assert "is not a member" in bob.give(delta, stranger).rejected[0][1]
    assert bob.owner.state.counts["rejected: not a member"] == 1
    bob.owner.update(bob.owner.state.config, [*bob.owner.state.members, stranger.public])  # type: ignore[arg-type]
    assert bob.give(delta, stranger).applied == [delta.id]


def test_defect_d20_a_delta_waits_for_its_application(alice: Node, bob: Node) -> None:
    first, second = chain(alice, 2)
    bob.installed = False
    assert bob.give(first, alice).pending == [first.id]
    bob.give(second, alice)
    assert {w.id: w.waits_for for w in bob.owner.pending()} == {first.id: "application", second.id: "parents"}
    bob.restart()
    assert bob.owner.resume() == []
    bob.installed = True
    assert bob.owner.resume() == [first.id, second.id]
    assert bob.root == alice.root


def test_defect_d1_a_failed_apply_keeps_the_delta_with_its_error(alice: Node, bob: Node) -> None:
    bad = made(alice.call("set", {"a": "poison"}))
    good = made(alice.call("set", {"b": "1"}))
    assert bob.give(bad, alice).pending == [bad.id]
    bob.give(good, alice)
    waiting = {w.id: w for w in bob.owner.pending()}
    assert (waiting[bad.id].waits_for, waiting[bad.id].error) == ("retry", "unreachable code reached")
    assert waiting[good.id].waits_for == "parents"
    assert bob.give(bad, alice).duplicates == [bad.id]
    bob.guest.do_calimero_sync_next = lambda call, doc: type(bob.guest).do_get(  # type: ignore[method-assign]
        bob.guest, replace(call, args=b'"x"'), doc
    )
    assert bob.give(bad, alice).applied == [bad.id, good.id]


def test_a_bad_delta_that_is_sent_again_and_again_is_left_alone(alice: Node, bob: Node) -> None:
    bad = made(alice.call("set", {"a": "poison"}))
    for _ in range(FEED_ATTEMPTS + 5):
        bob.give(bad, alice)
    (waiting,) = bob.owner.pending()
    assert waiting.attempts == FEED_ATTEMPTS
    assert bob.owner.resume() == []
    assert bob.owner.pending()[0].attempts == FEED_ATTEMPTS + 1


def test_defect_y10_one_refused_action_does_not_lose_the_others(alice: Node, bob: Node) -> None:
    delta = made(alice.call("set", {"a": "1", "b": "poison", "c": "3"}))
    assert bob.give(delta, alice).applied == [delta.id]
    assert [bob.value(name) for name in "abc"] == ["1", None, "3"]
    assert bob.owner.state.counts["skipped actions"] == 1


def test_defect_d9_unapplied_rows_are_applied_after_a_restart(alice: Node, bob: Node) -> None:
    first, second = chain(alice, 2)
    bob.give(second, alice)
    bob.restart()
    assert bob.value("k1") is None
    bob.give(first, alice)
    assert bob.value("k1") == "1"
    bob.restart()
    assert bob.owner.heads().heads == (second.id,)


def test_defect_d5_evicted_deltas_lose_their_rows(alice: Node, bob: Node) -> None:
    deltas = chain(alice, 6)
    bob.pending_limit = 2
    bob.restart()
    for delta in deltas[2:]:
        bob.give(delta, alice)
    assert bob.owner.state.dag.counts["evicted"] == 2
    assert bob.owner.state.rows.delta(deltas[2].id) is None
    assert bob.owner.state.rows.origin(deltas[2].id) is None
    for delta in deltas:
        bob.give(delta, alice)
    assert bob.root == alice.root


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", ["before", "after"])
@pytest.mark.parametrize("which", range(4))
def test_defect_d10_a_kill_at_any_commit_of_a_cascade(alice: Node, bob: Node, at: str, which: int) -> None:
    deltas = chain(alice, 4)
    for delta in reversed(deltas[1:]):
        bob.give(delta, alice)
    left = [which]

    def fault(point: str, batch: Batch) -> None:
        if point == at:
            if not left[0]:
                raise Killed
            left[0] -= 1

    bob.store.fault = fault
    with pytest.raises(Killed):
        bob.give(deltas[0], alice)
    bob.restart()
    bob.owner.resume()
    for delta in deltas:
        bob.give(delta, alice)
    assert bob.root == alice.root
    assert bob.owner.heads().heads == (deltas[3].id,)


def test_a_full_disk_is_told_and_loses_nothing(alice: Node, bob: Node) -> None:
    first, second = chain(alice, 2)
    bob.disk.capacity = bob.disk.used
    for delta in (first, second):
        with pytest.raises(StorageError, match="disk is full"):
            bob.give(delta, alice)
    bob.disk.capacity = None
    assert bob.give(second, alice).pending == [second.id]
    assert bob.give(first, alice).applied == [first.id, second.id]


def test_a_full_disk_in_a_cascade_leaves_the_child_to_a_retry(alice: Node, bob: Node) -> None:
    first, second = chain(alice, 2)
    bob.give(second, alice)
    original = bob.store.commit
    calls: list[int] = []

    def commit(batch: Batch) -> None:
        calls.append(1)
        if len(calls) == 2:
            raise StorageError("the disk is full")
        original(batch)

    bob.store.commit = commit  # type: ignore[method-assign]
    assert bob.give(first, alice).applied == [first.id]
    assert [w.error for w in bob.owner.pending()] == ["the disk is full"]
    assert bob.owner.resume() == [second.id]


def test_without_state_deltas_wait_for_the_snapshot(alice: Node) -> None:
    carol = Node(3)
    carol.join(alice)
    delta = made(alice.call("set", {"a": "1"}))
    genesis = alice.owner.delta(delta.parents[0])
    assert genesis is not None
    carol.give(delta, alice)
    assert carol.give(genesis, alice).pending == [genesis.id]
    assert {w.waits_for for w in carol.owner.pending()} == {"snapshot", "parents"}
    assert carol.root.is_zero


@pytest.mark.parametrize("begins", [True, False])
def test_trap_t14_the_beginning_of_a_context_is_not_replayed_on_its_state(bob: Node, begins: bool) -> None:
    """An author's state lacks what ``init`` added under ids that it changed later, so the delta would part them."""
    meta = Metadata(bob.now, bob.now)
    root = (Add if begins else Update)(root_id(CONTEXT), b'"r"', (), meta)
    orphan = Add(entity("orphan"), b'"o"', (), meta)
    delta = new_delta((GENESIS,), [root, orphan], bob.clock().next(), bob.root, None)
    before = bob.root
    assert bob.give(delta).applied == [delta.id]
    assert bob.value("orphan") == (None if begins else "o")
    assert (bob.root == before) is begins
    bob.restart()
    assert delta.id in bob.owner.heads().heads
    assert bob.give(delta).duplicates == [delta.id]


def test_a_row_that_vanished_is_reported_not_invented(alice: Node, bob: Node) -> None:
    first, second = chain(alice, 2)
    bob.give(second, alice)
    batch = Batch()
    batch.delete(Column.DELTA, in_context(CONTEXT, second.id))
    bob.store.commit(batch)
    assert bob.give(first, alice).applied == [first.id]
    (waiting,) = bob.owner.pending()
    assert "is gone" in waiting.error


def test_own_delta_known_from_a_peer_with_the_same_id(alice: Node, bob: Node) -> None:
    """Two nodes that do the same on the same heads make one id; whoever comes second has it already."""
    alice.now = bob.now
    mine, theirs = made(alice.call("set", {"a": "1"})), made(bob.call("set", {"a": "1"}))
    if mine.id == theirs.id:
        assert bob.give(mine, alice).duplicates == [mine.id]
    else:
        assert bob.give(mine, alice).applied == [mine.id]


def test_a_local_call_releases_what_waits_for_it(alice: Node, bob: Node) -> None:
    """After a lost power the own delta is gone, and a peer's answer to it waits until it is back."""
    alice.disk.sync()
    lost = made(alice.call("set", {"a": "1"}))
    bob.give(lost, alice)
    answer = made(bob.call("set", {"b": "2"}))
    alice.disk.lose_power()
    alice.restart()
    assert alice.give(answer, bob).pending == [answer.id]
    assert alice.owner.heads().missing == [lost.id]
    assert alice.give(lost).applied == [lost.id, answer.id]
    assert alice.root == bob.root


def test_the_report_of_heads_has_the_genesis_only_once(alice: Node) -> None:
    assert alice.owner.heads().heads != (GENESIS,)
    assert json.dumps(len(alice.owner.heads().heads)) == "1"
