"""Comparing two replicas entity by entity until both are equal."""

from __future__ import annotations

import pytest

from node.primitives import EntityId
from node.storage.action import Add, Compare, Update
from node.storage.compare import compare_affective, compare_trees, describe
from node.storage.delta import Comparison, Comparisons, decode_artifact, encode_artifact
from node.storage.engine import Engine
from node.storage.entities import ChildInfo
from node.storage.index import ZERO
from tests.vectors.storage import ROOT, C, digest, eid, md
from tests.vectors.storage_steps import Harness

NOW = 10**18


def replica(*entities: tuple[int, int, bytes, int]) -> Engine:
    """A root with entities (id, id of the parent or 0, data, time)."""
    harness = Harness()
    harness.now = NOW
    engine = harness.engine()
    engine.save_raw(ROOT, bytes(C), md(1, 1))
    for number, parent, data, time in entities:
        engine.add_child_to(eid(parent) if parent else ROOT, eid(number), data, md(time, time))
    engine.pending.clear()
    return engine


def test_equal_entities_need_nothing() -> None:
    here, there = replica((1, 0, b"a", 5)), replica((1, 0, b"a", 5))
    assert compare_trees(here, describe(there, ROOT)) == ([], [])


def test_an_entity_that_is_missing_here_is_taken() -> None:
    here, there = replica(), replica((1, 0, b"a", 5))
    ((action,), remote) = compare_trees(here, describe(there, eid(1)))
    assert isinstance(action, Add)
    assert (action.data, remote) == (b"a", [])
    empty = Comparison(None, describe(there, eid(1)).comparison_data)
    assert compare_trees(here, empty) == ([], [])


def test_a_description_of_what_is_not_here() -> None:
    data = describe(replica(), eid(1)).comparison_data
    assert (data.full_hash, data.own_hash, data.children, data.ancestors) == (ZERO, ZERO, {}, ())


@pytest.mark.parametrize(("mine", "theirs", "taken"), [(5, 6, True), (5, 5, True), (6, 5, False)])
def test_of_two_values_the_later_is_taken(mine: int, theirs: int, taken: bool) -> None:
    here, there = replica((1, 0, b"mine", mine)), replica((1, 0, b"theirs", theirs))
    local, remote = compare_trees(here, describe(there, eid(1)))
    assert [type(action) for action in (*local, *remote)] == [Update]
    assert bool(local) is taken


def test_without_foreign_data_ours_are_offered() -> None:
    here, there = replica((1, 0, b"mine", 5)), replica((1, 0, b"theirs", 6))
    foreign = Comparison(None, describe(there, eid(1)).comparison_data)
    local, remote = compare_trees(here, foreign)
    assert (local, [type(action) for action in remote]) == ([], [Update])


def test_children_are_compared_by_hash() -> None:
    here = replica((1, 0, b"same", 5), (2, 0, b"mine", 5), (3, 0, b"only here", 5))
    there = replica((1, 0, b"same", 5), (2, 0, b"theirs", 5), (4, 0, b"only there", 5))
    local, remote = compare_trees(here, describe(there, ROOT))
    assert local == [Compare(eid(2))]
    assert [(type(action), action.id) for action in remote] == [(Compare, eid(2)), (Add, eid(3)), (Compare, eid(4))]


def test_a_side_without_children() -> None:
    here, there = replica((1, 0, b"a", 5)), replica()
    assert [type(action) for action in compare_trees(here, describe(there, ROOT))[1]] == [Add]
    assert compare_trees(there, describe(here, ROOT)) == ([], [Compare(eid(1))])


def test_a_child_without_data_is_not_offered() -> None:
    here = replica()
    here.index.add_child_to(ROOT, ChildInfo(eid(1), digest(1), md(5, 5)))
    assert compare_trees(here, describe(replica(), ROOT)) == ([], [])


def test_defect_s17_an_offered_entity_comes_with_its_own_chain() -> None:
    here, there = replica((1, 0, b"top", 5), (2, 1, b"low", 6)), replica((1, 0, b"top", 5))
    (action,) = compare_trees(here, describe(there, eid(1)))[1]
    assert isinstance(action, Add)
    assert [link.id for link in action.ancestors] == [eid(1), ROOT]


def test_exchanging_comparisons_makes_two_replicas_equal() -> None:
    here = replica((1, 0, b"top", 5), (2, 1, b"low", 6), (5, 0, b"old", 5))
    there = replica((1, 0, b"top", 5), (3, 1, b"other", 7), (5, 0, b"old", 5))
    there.save_raw(eid(5), b"new", md(5, 9))
    there.pending.clear()
    for _ in range(6):
        for one, other in ((here, there), (there, here)):
            for entity in (ROOT, eid(1), eid(5), eid(2), eid(3)):
                compare_affective(one, describe(other, entity))
                one.pending.clear()
    assert here.root_hash == there.root_hash


def test_an_artifact_of_comparisons_is_answered_with_actions() -> None:
    here, there = replica((1, 0, b"mine", 5)), replica()
    report = here.sync(encode_artifact(Comparisons((describe(there, ROOT),))))
    assert report.commit is not None
    answer = decode_artifact(report.commit.artifact)
    assert [type(action) for action in getattr(answer, "actions", ())] == [Add]


def test_no_comparison_asks_for_one_of_the_root() -> None:
    here = replica((1, 0, b"mine", 5))
    report = here.sync(b"")
    assert report.commit is not None
    assert decode_artifact(report.commit.artifact) == Comparisons((describe(here, ROOT),))


def test_ids_are_entities() -> None:
    assert EntityId(C) == ROOT
