"""The graph: order, cascades, failures, limits, restore; and the reference's defects that must be absent."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.dag.delta import MAX_PARENTS, Link
from node.dag.store import QUERY_LIMIT, DagStore, State
from node.errors import InvalidDelta, StorageError
from node.primitives import GENESIS, DeltaId


def did(n: int) -> DeltaId:
    return DeltaId(n.to_bytes(32, "big"))


def link(n: int, *parents: int) -> Link:
    return Link(did(n), tuple(did(p) for p in parents))


class Recorder:
    """An applier that keeps the order and fails on demand."""

    def __init__(self) -> None:
        self.order: list[DeltaId] = []
        self.failing: set[DeltaId] = set()

    def __call__(self, delta: Link) -> None:
        if delta.id in self.failing:
            raise StorageError(f"no room for {delta.id[-1]}")
        self.order.append(delta.id)


@pytest.fixture
def applier() -> Recorder:
    return Recorder()


@pytest.fixture
def dag(applier: Recorder) -> DagStore[Link]:
    return DagStore(applier)


def ids(deltas: list[Link]) -> list[int]:
    return [int.from_bytes(d.id, "big") for d in deltas]


def heads(dag: DagStore[Link]) -> set[int]:
    return {int.from_bytes(d, "big") for d in dag.heads}


def test_a_chain_in_order(dag: DagStore[Link]) -> None:
    assert dag.heads == ()
    assert dag.next_parents() == (GENESIS,)
    assert ids(dag.add(link(1, 0))) == [1]
    assert ids(dag.add(link(2, 1))) == [2]
    assert heads(dag) == {2}
    assert dag.next_parents() == (did(2),)
    assert len(dag) == 2
    assert dag.parents(did(2)) == (did(1),)
    assert dag.parents(did(9)) is None


def test_fork_and_merge(dag: DagStore[Link]) -> None:
    for delta in (link(1, 0), link(2, 1), link(3, 1)):
        dag.add(delta)
    assert heads(dag) == {2, 3}
    merge = link(4, 2, 3)
    assert dag.heads_after(merge) == (did(4),)
    assert dag.heads_after(link(5, 2)) == (did(3), did(5))
    dag.add(merge)
    assert heads(dag) == {4}


def test_waiting_deltas_cascade_in_causal_order(dag: DagStore[Link], applier: Recorder) -> None:
    assert dag.add(link(3, 2)) == []
    assert dag.add(link(2, 1)) == []
    assert dag.state(did(2)) is State.PENDING
    assert dag.missing_parents() == [did(1)]
    assert ids(dag.add(link(1, 0))) == [1, 2, 3]
    assert applier.order == [did(1), did(2), did(3)]
    assert (dag.pending_count, dag.missing_parents()) == (0, [])
    assert dag.state(did(3)) is State.APPLIED
    assert dag.state(did(4)) is State.UNKNOWN


def test_duplicates_are_counted_and_do_nothing(dag: DagStore[Link]) -> None:
    dag.add(link(1, 0))
    assert dag.add(link(1, 0)) == []
    assert dag.add(link(3, 2)) == []
    assert dag.add(link(3, 2)) == []
    assert dag.counts["duplicate"] == 2
    assert did(1) in dag
    assert did(3) in dag
    assert did(2) not in dag


def test_two_children_of_one_missing_parent(dag: DagStore[Link]) -> None:
    dag.add(link(2, 1))
    dag.add(link(3, 1))
    assert [entry.delta.id for entry in dag.pending()] == [did(2), did(3)]
    assert ids(dag.add(link(1, 0))) == [1, 2, 3]


@pytest.mark.parametrize("parents", [(), (1,), (2, 2), (2, 0)])
def test_defect_d6_impossible_ancestry_is_refused_and_counted(dag: DagStore[Link], parents: tuple[int, ...]) -> None:
    with pytest.raises(InvalidDelta):
        dag.add(link(1, *parents))
    assert dag.counts["invalid"] == 1
    assert did(1) not in dag
    assert dag.heads == ()


def test_defect_d1_a_failed_apply_leaves_no_trace(dag: DagStore[Link], applier: Recorder) -> None:
    applier.failing = {did(1)}
    with pytest.raises(StorageError):
        dag.add(link(1, 0))
    assert did(1) not in dag
    assert dag.heads == ()
    applier.failing.clear()
    assert ids(dag.add(link(1, 0))) == [1]


def test_defect_d2_a_failing_child_keeps_its_error_and_stops_nobody(dag: DagStore[Link], applier: Recorder) -> None:
    applier.failing = {did(2)}
    for delta in (link(2, 1), link(3, 1), link(4, 2), link(5, 3)):
        dag.add(delta, now_ns=7)
    assert ids(dag.add(link(1, 0))) == [1, 3, 5]
    failed = dag.waiting(did(2))
    assert failed is not None
    assert "no room for 2" in str(failed.error)
    assert (failed.attempts, failed.since_ns, failed.missing) == (1, 7, 0)
    assert dag.missing_parents() == []
    assert dag.retry() == []
    assert failed.attempts == 2
    applier.failing.clear()
    assert ids(dag.retry()) == [2, 4]
    assert dag.counts["failed"] == 2


def test_a_failed_child_can_be_fed_again(dag: DagStore[Link], applier: Recorder) -> None:
    applier.failing = {did(2)}
    dag.add(link(2, 1))
    dag.add(link(3, 2))
    dag.add(link(1, 0))
    with pytest.raises(StorageError):
        dag.add(link(2, 1))
    applier.failing.clear()
    assert ids(dag.add(link(2, 1))) == [2, 3]


def test_defect_d3_reverse_order_needs_no_stack() -> None:
    count = 100_000
    dag: DagStore[Link] = DagStore(lambda delta: None)
    chain = [link(n, n - 1) for n in range(1, count + 1)]
    for delta in reversed(chain[1:]):
        dag.add(delta)
    assert dag.missing_parents() == [did(1)]
    assert dag.add(chain[0]) == chain
    assert heads(dag) == {count}


def test_defect_d4_work_is_linear_in_the_edges(dag: DagStore[Link]) -> None:
    """A parent that arrives touches its own children only, however many others wait."""
    for n in range(2, 400):
        dag.add(link(n, n + 1000))
    dag.add(link(400, 1))
    assert ids(dag.add(link(1, 0))) == [1, 400]
    assert dag.pending_count == 398


def test_defect_d5_the_oldest_waiting_delta_is_evicted_and_counted(applier: Recorder) -> None:
    evicted: list[DeltaId] = []
    dag: DagStore[Link] = DagStore(applier, pending_limit=2, on_evict=lambda delta: evicted.append(delta.id))
    dag.add(link(10, 9))
    dag.add(link(11, 10))
    assert dag.counts["evicted"] == 0
    dag.add(link(13, 12))
    assert evicted == [did(10)]
    assert dag.counts["evicted"] == 1
    assert dag.missing_parents() == [did(12), did(10)]
    assert dag.state(did(10)) is State.UNKNOWN


def test_eviction_without_a_listener_only_counts(applier: Recorder) -> None:
    dag: DagStore[Link] = DagStore(applier, pending_limit=1)
    dag.add(link(3, 2))
    dag.add(link(5, 4))
    assert dag.missing_parents() == [did(4)]
    assert dag.counts["evicted"] == 1


def test_defect_d7_restoring_a_parent_wakes_its_children(dag: DagStore[Link], applier: Recorder) -> None:
    dag.add(link(2, 1))
    dag.restore([link(1, 0)])
    assert dag.ready_count == 1
    assert ids(dag.release()) == [2]
    assert applier.order == [did(2)]


def test_restore_takes_any_order_and_executes_nothing(dag: DagStore[Link], applier: Recorder) -> None:
    dag.restore([link(4, 2, 3), link(2, 1), link(1, 0), link(3, 1), link(5, 1)])
    assert heads(dag) == {4, 5}
    assert applier.order == []
    order = ids(list(dag.applied()))
    assert sorted(order) == [1, 2, 3, 4, 5]
    assert order.index(1) < order.index(2) < order.index(4)
    assert ids(list(dag.newest())) == order[::-1]


def test_restore_covers_what_a_snapshot_brought(dag: DagStore[Link]) -> None:
    dag.restore([link(6, 5), link(5, 0), link(8, 7)], checkpoints=[did(5)])
    assert heads(dag) == {6, 8}
    assert [dag.covers(did(n)) for n in (5, 6, 7, 8)] == [True, False, True, False]
    assert dag.partial


def test_a_history_that_begins_here_is_whole(dag: DagStore[Link]) -> None:
    dag.restore([link(1, 0), link(2, 1)])
    assert not dag.partial


def test_release_in_slices(dag: DagStore[Link]) -> None:
    for n in range(10, 1, -1):
        dag.add(link(n, n - 1))
    assert dag.insert(link(1, 0))
    assert ids(dag.release(3)) == [2, 3, 4]
    assert dag.ready_count == 1
    assert dag.add(link(5, 4)) == []
    assert ids(dag.release()) == [5, 6, 7, 8, 9, 10]


def test_a_crash_in_the_applier_leaves_the_child_ready() -> None:
    class Crash(BaseException):
        pass

    crash: list[Callable[[], None]] = []

    def apply(delta: Link) -> None:
        if crash and delta.id == did(2):
            raise Crash

    dag: DagStore[Link] = DagStore(apply)
    dag.add(link(2, 1))
    crash.append(lambda: None)
    with pytest.raises(Crash):
        dag.add(link(1, 0))
    crash.clear()
    assert ids(dag.release()) == [2]


def test_discard_forgets_a_waiting_delta(dag: DagStore[Link]) -> None:
    dag.add(link(3, 2))
    dag.add(link(5, 2, 4))
    dag.add(link(6, 3))
    assert dag.discard(did(3))
    assert not dag.discard(did(3))
    assert dag.missing_parents() == [did(2), did(4), did(3)]
    assert dag.discard(did(6))
    assert dag.missing_parents() == [did(2), did(4)]


def test_discard_of_a_ready_and_of_a_failed_delta(dag: DagStore[Link], applier: Recorder) -> None:
    applier.failing = {did(3)}
    dag.add(link(2, 1))
    dag.add(link(3, 1))
    dag.restore([link(1, 0)])
    assert ids(dag.release(1)) == [2]
    dag.add(link(8, 7))
    dag.restore([link(7, 0)])
    assert dag.discard(did(8))
    assert dag.release() == []
    assert dag.discard(did(3))
    assert dag.retry() == []
    assert dag.pending_count == 0


def test_discard_of_a_delta_with_one_parent_applied(dag: DagStore[Link]) -> None:
    dag.add(link(1, 0))
    dag.add(link(3, 1, 2))
    assert dag.discard(did(3))
    assert dag.missing_parents() == []


def test_a_parked_delta_waits_for_a_retry(dag: DagStore[Link], applier: Recorder) -> None:
    dag.park(link(1, 0), StorageError("not now"), now_ns=3)
    dag.park(link(1, 0), StorageError("again"), now_ns=4)
    dag.park(link(3, 2), StorageError("not now"))
    dag.add(link(2, 1))
    assert dag.missing_parents() == []
    assert [(e.delta.id, str(e.error)) for e in dag.pending() if e.error] == [(did(1), "not now")]
    with pytest.raises(InvalidDelta):
        dag.park(link(9), StorageError("not now"))
    assert ids(dag.retry()) == [1, 2, 3]


def test_the_applier_of_one_delta_can_be_replaced(dag: DagStore[Link], applier: Recorder) -> None:
    own: list[DeltaId] = []
    dag.add(link(2, 1))
    assert ids(dag.add(link(1, 0), apply=lambda delta: own.append(delta.id))) == [1, 2]
    assert own == [did(1)]
    assert applier.order == [did(2)]


def test_next_parents_are_capped_and_the_rest_stay_heads(dag: DagStore[Link]) -> None:
    dag.restore(link(n, 0) for n in range(1, MAX_PARENTS + 3))
    parents = dag.next_parents()
    assert len(parents) == MAX_PARENTS
    dag.add(Link(did(10**6), parents))
    assert len(dag.heads) == 3


def test_missing_parents_are_capped(dag: DagStore[Link]) -> None:
    for n in range(QUERY_LIMIT + 5):
        dag.add(link(10_000 + n, 20_000 + n))
    assert len(dag.missing_parents(10**9)) == QUERY_LIMIT
    assert dag.missing_parents(2) == [did(20_000), did(20_001)]


def test_checkpoint_releases_its_children_and_ignores_its_own_delta(dag: DagStore[Link], applier: Recorder) -> None:
    dag.add(link(6, 5))
    dag.add(link(5, 4))
    dag.restore_checkpoint(did(5))
    assert ids(dag.release()) == [6]
    assert dag.missing_parents() == []
    assert dag.add(link(5, 4)) == []
    dag.restore_checkpoint(did(5))
    assert heads(dag) == {6}
    assert applier.order == [did(6)]


def test_ancestors_of_a_checkpoint_are_covered_once_learnt(dag: DagStore[Link], applier: Recorder) -> None:
    """The reference applies such an ancestor again and makes it a head."""
    dag.restore_checkpoint(did(5))
    dag.add(link(9, 4))
    assert dag.covers(did(5))
    dag.learn(link(5, 4))
    assert not dag.covers(did(5))
    assert dag.covers(did(4))
    assert ids(dag.release()) == [9]
    assert dag.add(link(4, 3)) == []
    dag.learn(link(4, 3))
    dag.learn(link(3, 0))
    assert heads(dag) == {5, 9}
    assert applier.order == [did(9)]


def test_learning_takes_a_known_parent_off_the_heads(dag: DagStore[Link]) -> None:
    dag.restore([link(4, 0)])
    dag.restore_checkpoint(did(5))
    assert heads(dag) == {4, 5}
    dag.learn(link(5, 4))
    assert heads(dag) == {5}


def test_only_a_covered_delta_can_be_learnt(dag: DagStore[Link]) -> None:
    dag.add(link(1, 0))
    with pytest.raises(InvalidDelta, match="not covered"):
        dag.learn(link(1, 7))
    dag.restore_checkpoint(did(2))
    with pytest.raises(InvalidDelta, match="its own parent"):
        dag.learn(link(2, 2))


@st.composite
def histories(draw: st.DrawFn) -> list[Link]:
    """A random acyclic history: each delta names one to three earlier ones, or the beginning."""
    count = draw(st.integers(1, 25))
    made = [link(1, 0)]
    for n in range(2, count + 1):
        parents = draw(st.sets(st.integers(1, n - 1), min_size=1, max_size=3))
        made.append(link(n, *sorted(parents)))
    return made


@given(histories(), st.randoms(use_true_random=False), st.floats(0, 0.5))
def test_any_delivery_order_gives_the_same_graph(history: list[Link], rng: random.Random, again: float) -> None:
    order: list[DeltaId] = []
    dag: DagStore[Link] = DagStore(lambda delta: order.append(delta.id))
    feed = [*history, *(d for d in history if rng.random() < again)]
    rng.shuffle(feed)
    applied = [delta for fed in feed for delta in dag.add(fed)]
    assert order == [d.id for d in applied]
    assert sorted(order) == sorted(d.id for d in history)
    place = {delta_id: n for n, delta_id in enumerate(order)}
    assert all(p == GENESIS or place[p] < place[d.id] for d in history for p in d.parents)
    assert set(dag.heads) == {d.id for d in history} - {p for d in history for p in d.parents}
    assert (dag.pending_count, dag.missing_parents(), dag.ready_count) == (0, [], 0)


@given(histories(), st.randoms(use_true_random=False), st.sets(st.integers(1, 25)))
def test_missing_parents_name_exactly_what_is_absent(
    history: list[Link], rng: random.Random, withheld: set[int]
) -> None:
    dag: DagStore[Link] = DagStore(lambda delta: None)
    feed = [d for d in history if int.from_bytes(d.id, "big") not in withheld]
    rng.shuffle(feed)
    for delta in feed:
        dag.add(delta)
    waiting = [entry.delta for entry in dag.pending()]
    known = {d.id for d in feed} | {GENESIS}
    assert set(dag.missing_parents()) == {p for d in waiting for p in d.parents} - known
