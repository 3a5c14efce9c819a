"""The tree for those who compare or look at it, and leaves of another replica."""

from __future__ import annotations

import pytest

from node.codec import borsh
from node.errors import NotFound, StorageError
from node.primitives import EntityId
from node.storage import crdt_type
from node.storage.action import Add
from node.storage.entities import FROZEN, ChildInfo, Metadata
from node.storage.faults import ActionRefused
from node.storage.keys import index_key
from node.storage.tree import Leaf, apply_leaf, apply_tombstone, chain, entity, leaf_action, level, walk
from node.sync.wire import LeafMetadata, TreeLeafData, TreeNode
from tests.vectors.storage import ROOT, C, digest, eid, md, text
from tests.vectors.storage_steps import Harness

NOW = 10**18


def replica(*entities: tuple[int, int, bytes, int]) -> Harness:
    """A root with entities (id, id of the parent or 0, data, time)."""
    harness = Harness()
    harness.now = NOW
    engine = harness.engine()
    engine.save_raw(ROOT, bytes(C), md(1, 1))
    for number, parent, data, time in entities:
        engine.add_child_to(eid(parent) if parent else ROOT, eid(number), data, md(time, time))
    engine.flush()
    return harness


TREE = replica((1, 0, b"top", 5), (2, 1, b"low", 6), (3, 0, b"leaf", 7))


def test_entities() -> None:
    read = TREE.rows.get
    root, low = entity(read, ROOT), entity(read, eid(2))
    assert root is not None
    assert low is not None
    assert (root.children, root.is_leaf, root.is_tombstone) == ((eid(1), eid(3)), False, False)
    assert (low.data, low.children, low.is_leaf) == (b"low", (), True)
    assert entity(read, eid(9)) is None


def test_a_damaged_row_is_named() -> None:
    with pytest.raises(StorageError, match=f"index of {'01' * 32}"):
        entity({index_key(eid(1)): b"\x01"}.get, eid(1))


def test_levels() -> None:
    read = TREE.rows.get
    assert [(parent, node.index.id) for parent, node in level(read, (ROOT,), 9)] == [(ROOT, eid(1)), (ROOT, eid(3))]
    assert [node.index.id for _, node in level(read, (eid(1), eid(3), eid(9), eid(1)), 9)] == [eid(2)]
    assert len(level(read, (ROOT,), 1)) == 1


def test_a_walk_goes_level_by_level_to_its_limits() -> None:
    read = TREE.rows.get
    assert [(depth, node.index.id) for depth, node in walk(read, ROOT, 5, 9)] == [
        (0, ROOT),
        (1, eid(1)),
        (1, eid(3)),
        (2, eid(2)),
    ]
    assert [node.index.id for _, node in walk(read, ROOT, 1, 9)] == [ROOT, eid(1), eid(3)]
    assert [node.index.id for _, node in walk(read, ROOT, 5, 2)] == [ROOT, eid(1)]
    assert list(walk(read, eid(9), 5, 9)) == []


def test_a_row_without_its_entity_is_passed_over() -> None:
    harness = replica((1, 0, b"top", 5))
    harness.rows.remove(index_key(eid(1)))
    assert level(harness.rows.get, (ROOT,), 9) == []
    assert [node.index.id for _, node in walk(harness.rows.get, ROOT, 5, 9)] == [ROOT]


def test_chains() -> None:
    assert [link.id for link in chain(TREE.rows.get, eid(2))] == [eid(1), ROOT]
    assert chain(TREE.rows.get, ROOT) == ()
    broken = replica((1, 0, b"top", 5), (2, 1, b"low", 6))
    broken.rows.remove(index_key(eid(1)))
    with pytest.raises(NotFound, match="missing or stands twice"):
        chain(broken.rows.get, eid(2))


def test_a_chain_that_is_a_circle_ends() -> None:
    harness = replica((1, 0, b"top", 5))
    top = entity(harness.rows.get, eid(1))
    assert top is not None
    circle = borsh.encode(type(top.index)(eid(1), eid(1), None, digest(1), digest(1), md(1, 1)))
    harness.rows.put(index_key(eid(1)), circle)
    with pytest.raises(NotFound, match="stands twice"):
        chain(harness.rows.get, eid(1))


LINKS = (ChildInfo(eid(1), digest(0), md(5, 5)), ChildInfo(ROOT, digest(0), md(1, 1)))
LOW = Leaf(eid(2), b"low", 6, None, 6, LINKS)


def test_defect_y7_y8_a_leaf_keeps_its_place_and_its_creation() -> None:
    here = replica((1, 0, b"top", 5), (3, 0, b"leaf", 7))
    engine = here.engine()
    assert apply_leaf(engine, LOW)
    engine.flush()
    assert here.root_hash == TREE.root_hash


def test_defect_y7_a_leaf_without_a_place_is_not_hung_anywhere() -> None:
    engine = replica((1, 0, b"top", 5)).engine()
    for leaf in (LOW._replace(ancestors=None), LOW._replace(created_at=None)):
        with pytest.raises(NotFound, match="its place in the tree is not guessed"):
            apply_leaf(engine, leaf)


def test_a_known_leaf_takes_later_data_in_its_place() -> None:
    here = replica((1, 0, b"top", 5), (2, 1, b"old", 6))
    engine = here.engine()
    leaf = Leaf(eid(2), b"new", 9, crdt_type.LwwRegister("T"))
    assert apply_leaf(engine, leaf)
    assert engine.find(eid(2)) == b"new"
    assert engine.index.metadata(eid(2)) == md(6, 9)
    assert apply_leaf(engine, leaf._replace(data=b"older", updated_at=8))
    assert engine.find(eid(2)) == b"new"


def test_defect_y6_a_leaf_without_a_type_is_one() -> None:
    action = leaf_action(replica().engine(), LOW)
    assert isinstance(action, Add)
    assert action.metadata == Metadata(6, 6)


def test_defect_y9_a_frozen_leaf_that_is_here_is_no_change() -> None:
    engine = replica().engine()
    engine.add_child_to(ROOT, eid(1), b"ice", Metadata(5, 5, FROZEN))
    assert not apply_leaf(engine, Leaf(eid(1), b"ice", 9))


def test_defect_y5_tombstones_are_merged() -> None:
    here = replica((1, 0, b"top", 5), (3, 0, b"leaf", 7))
    engine = here.engine()
    assert not apply_tombstone(engine, eid(9), 8, md(1, 1))
    assert not apply_tombstone(engine, eid(3), 6, md(7, 7))
    assert apply_tombstone(engine, eid(3), 8, md(7, 7))
    assert engine.find(eid(3)) is None
    assert not apply_tombstone(engine, eid(3), 9, md(7, 7))
    assert engine.root_hash == replica((1, 0, b"top", 5)).root_hash
    engine.add_child_to(ROOT, eid(4), b"ice", Metadata(5, 5, FROZEN))
    with pytest.raises(ActionRefused):
        apply_tombstone(engine, eid(4), 8, md(7, 7))


def test_13_2_tree_nodes() -> None:
    metadata = LeafMetadata(crdt_type.GCounter(), 100, 0, bytes(32), None)
    leaf = TreeNode(eid(1), digest(2), (), TreeLeafData(eid(1), b"\xaa\xbb", metadata))
    assert borsh.encode(leaf) == text("[01×32]  [02×32] 00000000 [01×33] 02000000aabb0164 [00×48]")
    inner = TreeNode(eid(1), digest(2), (EntityId(eid(3)),), None)
    assert borsh.encode(inner) == text("[01×32]  [02×32] 01000000 [03×32] 00")
