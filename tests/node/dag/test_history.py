"""Ancestry, time travel, difference and blame on small graphs."""

from __future__ import annotations

import pytest

from node.dag.delta import Link
from node.dag.history import (
    Change,
    Version,
    ancestors,
    between,
    blame,
    diff,
    is_ancestor,
    state_at,
)
from node.dag.store import DagStore
from node.errors import NotFound
from node.primitives import GENESIS, DeltaId, EntityId


def did(n: int) -> DeltaId:
    return DeltaId(n.to_bytes(32, "big"))


def eid(name: str) -> EntityId:
    return EntityId(name.encode().ljust(32, b"."))


A, B = eid("a"), eid("b")
PARENTS = {1: (0,), 2: (1,), 3: (1,), 4: (2, 3), 5: (4,)}
CHANGES: dict[int, list[Change]] = {
    1: [Change(A, b"a1", 10), Change(B, b"b1", 10)],
    2: [Change(A, b"a2", 20)],
    3: [Change(A, b"a3", 30)],
    4: [Change(B, None, 40)],
    5: [Change(A, b"late", 15)],
}


@pytest.fixture
def graph() -> DagStore[Link]:
    dag: DagStore[Link] = DagStore(lambda delta: None)
    for n, parents in PARENTS.items():
        dag.add(Link(did(n), tuple(did(p) for p in parents)))
    return dag


def changes(delta_id: DeltaId) -> list[Change]:
    return CHANGES[int.from_bytes(delta_id, "big")]


def test_ancestors_come_nearest_first_and_stop(graph: DagStore[Link]) -> None:
    assert list(ancestors(graph, [did(4)])) == [did(4), did(2), did(3), did(1)]
    assert list(ancestors(graph, [did(4)], stop=frozenset([did(2)]))) == [did(4), did(3), did(1)]
    assert list(ancestors(graph, [did(77), GENESIS])) == []


def test_is_ancestor(graph: DagStore[Link]) -> None:
    assert is_ancestor(graph, did(1), did(5))
    assert is_ancestor(graph, GENESIS, did(1))
    assert not is_ancestor(graph, did(2), did(3))


def test_between_is_what_the_other_side_lacks(graph: DagStore[Link]) -> None:
    assert between(graph, [did(2)], [did(5)]) == [did(3), did(4), did(5)]
    assert between(graph, [did(5)], [did(2)]) == []


def test_state_at_each_delta(graph: DagStore[Link]) -> None:
    assert state_at(graph, did(2), changes) == {A: Version(b"a2", 20, did(2)), B: Version(b"b1", 10, did(1))}
    assert state_at(graph, did(5), changes) == {A: Version(b"a3", 30, did(3)), B: Version(None, 40, did(4))}
    assert state_at(graph, GENESIS, changes) == {}


def test_state_starts_from_a_snapshot(graph: DagStore[Link]) -> None:
    base = {A: Version(b"snapshot", 25, did(9))}
    assert state_at(graph, did(2), changes, base=base)[A] == base[A]


def test_an_unknown_delta_has_no_state(graph: DagStore[Link]) -> None:
    with pytest.raises(NotFound, match="not applied here"):
        state_at(graph, did(99), changes)


def test_diff_names_each_differing_entry(graph: DagStore[Link]) -> None:
    rows = diff(graph, did(2), did(4), changes)
    assert [(row.entity, row.before and row.before.data, row.after and row.after.data) for row in rows] == [
        (A, b"a2", b"a3"),
        (B, b"b1", None),
    ]
    assert diff(graph, did(4), did(5), changes) == []
    assert [row.before for row in diff(graph, GENESIS, did(1), changes)] == [None, None]


def test_blame_lists_the_holder_first(graph: DagStore[Link]) -> None:
    found = blame(graph, A, graph.heads, changes)
    assert [version.delta_id for version in found] == [did(3), did(2), did(5), did(1)]


def test_equal_times_go_to_the_later_delta(graph: DagStore[Link]) -> None:
    same = {1: [Change(A, b"x", 5)], 2: [Change(A, b"y", 5)]}
    found = blame(graph, A, [did(2)], lambda d: same[int.from_bytes(d, "big")])
    assert [version.data for version in found] == [b"y", b"x"]
