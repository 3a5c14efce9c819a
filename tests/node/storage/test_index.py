"""The tree: operations that no whole sequence shows, rows, and the cache of long lists."""

from __future__ import annotations

import pytest

from node.codec import borsh
from node.errors import DecodeError
from node.primitives import EntityId
from node.storage.entities import ChildInfo, EntityIndex, Metadata
from node.storage.env import INTEROP, REFERENCE, REPAIRED, Rules
from node.storage.faults import UnknownEntity
from node.storage.index import CACHED_CHILDREN, ChildCache, Index, IndexNode
from node.storage.keys import index_key
from node.storage.rows import MemoryRows
from tests.vectors.storage import digest, eid, md

TOP = eid(9)


def info(number: int, created: int = 1) -> ChildInfo:
    return ChildInfo(eid(number), digest(number), md(created, created))


def tree(rules: Rules = INTEROP, rows: MemoryRows | None = None) -> Index:
    index = Index(MemoryRows() if rows is None else rows, rules)
    index.add_root(ChildInfo(TOP, digest(0), md(1, 1)))
    return index


def test_the_form_at_rest_is_borsh() -> None:
    rows = MemoryRows()
    index = tree(rows=rows)
    index.add_child_to(TOP, info(1))
    index.mark_deleted(eid(1), 7)
    index.flush()
    for entity in (TOP, eid(1)):
        found = borsh.decode(EntityIndex, rows[index_key(entity)])
        assert borsh.encode(found) == rows[index_key(entity)] == IndexNode.decode(rows[index_key(entity)]).encode()
    assert borsh.decode(EntityIndex, rows[index_key(eid(1))]).deleted_at == 7


RAW = borsh.encode(EntityIndex(TOP, None, (info(1),), digest(1), digest(2), md(1, 2), 5))


@pytest.mark.parametrize("end", range(len(RAW)))
def test_cut_rows_are_refused(end: int) -> None:
    with pytest.raises(DecodeError):
        IndexNode.decode(RAW[:end])


def test_rows_with_more_or_other_bytes_are_refused() -> None:
    with pytest.raises(DecodeError, match="1 bytes are left over"):
        IndexNode.decode(RAW + b"\0")
    with pytest.raises(DecodeError, match="option tag or count is damaged"):
        IndexNode.decode(RAW[:33] + b"\x02" + RAW[34:])


def test_what_is_not_there() -> None:
    index = tree()
    assert index.get(eid(1)) is None
    assert index.metadata(eid(1)) is None
    assert not index.is_deleted(eid(1))
    assert index.ancestors(eid(1)) == ()
    index.mark_deleted(eid(1), 5)
    with pytest.raises(UnknownEntity):
        index.children(eid(1))
    with pytest.raises(UnknownEntity):
        index.detach(eid(1), eid(2))


def test_a_detached_last_child_leaves_no_list() -> None:
    index = tree()
    index.detach(TOP, eid(1))
    before = index.need(TOP).full_hash
    index.add_child_to(TOP, info(1))
    index.add_child_to(TOP, info(2))
    index.detach(TOP, eid(1))
    assert index.children(TOP) is not None
    index.detach(TOP, eid(2))
    assert index.children(TOP) is None
    assert index.need(TOP).full_hash == before


def test_an_erased_index_leaves_no_tombstone() -> None:
    rows = MemoryRows()
    index = tree(rows=rows)
    index.add_child_to(TOP, info(1))
    index.flush()
    index.erase(eid(1))
    index.flush()
    assert index_key(eid(1)) not in rows
    assert index.get(eid(1)) is None


def test_an_entity_may_change_its_parent_and_leaves_its_row_behind() -> None:
    index = tree()
    index.add_child_to(TOP, info(1))
    index.add_child_to(TOP, info(2))
    index.add_child_to(eid(1), info(2))
    assert index.need(eid(2)).parent_id == eid(1)
    children = index.children(TOP)
    assert children is not None
    assert children.ids() == [eid(1), eid(2)]
    index.update_hash(eid(2), digest(77), 5)
    assert index.need(eid(2)).metadata.updated_at == 5


def test_trap_t3_one_id_in_two_rows() -> None:
    for rules, rows in ((REFERENCE, [1, 4]), (REPAIRED, [1])):
        index = tree(rules)
        index.add_child_to(TOP, info(1, created=4))
        index.add_child_to(TOP, info(1, created=1))
        children = index.children(TOP)
        assert children is not None
        assert [row.metadata.created_at for row in children] == rows
        index.update_hash(eid(1), digest(77), 5)
        assert children[0].merkle_hash == index.need(eid(1)).full_hash


def test_defect_s1_an_entity_stands_at_its_earliest_creation() -> None:
    index = tree(REPAIRED)
    index.add_child_to(TOP, info(1, created=4))
    index.add_child_to(TOP, info(2, created=3))
    index.reposition(eid(1), 9)
    index.reposition(eid(1), 2)
    children = index.children(TOP)
    assert children is not None
    assert [(row.id, row.metadata.created_at) for row in children] == [(eid(1), 2), (eid(2), 3)]
    assert index.need(eid(1)).metadata.created_at == 2


def test_defect_s1_a_deleted_entity_only_remembers_it() -> None:
    index = tree(REPAIRED)
    index.add_child_to(TOP, info(1, created=4))
    index.mark_deleted(eid(1), 5)
    index.detach(TOP, eid(1))
    index.reposition(eid(1), 2)
    assert index.children(TOP) is None
    index.revive(eid(1), md(6, 6))
    children = index.children(TOP)
    assert children is not None
    assert [row.metadata.created_at for row in children] == [2]
    index.reposition(TOP, 0)
    assert index.need(TOP).metadata.created_at == 0


def test_the_root_is_revived_without_a_parent() -> None:
    index = tree(REPAIRED)
    index.mark_deleted(TOP, 5)
    index.revive(TOP, md(6, 6))
    assert not index.is_deleted(TOP)


def test_defect_s7_a_tombstone_only_grows() -> None:
    for rules, expected in ((INTEROP, 9), (REFERENCE, 3)):
        index = tree(rules)
        index.mark_deleted(TOP, 9)
        index.mark_deleted(TOP, 3)
        assert index.need(TOP).deleted_at == expected


# -- the cache


def fill(rows: MemoryRows, count: int) -> None:
    index = tree(rows=rows)
    for number in range(count):
        entity = EntityId(number.to_bytes(32, "big"))
        index.add_child_to(TOP, ChildInfo(entity, digest(1), md(number, number)))
    index.close()


def use(rows: MemoryRows, cache: ChildCache, number: int, *, keep: bool = True) -> IndexNode:
    index = Index(rows, INTEROP, cache)
    index.add_child_to(TOP, info(number, created=10_000 + number))
    if keep:
        index.close()
    return index.need(TOP)


def test_a_cached_list_gives_the_same_rows() -> None:
    cached, plain, cache = MemoryRows(), MemoryRows(), ChildCache()
    for rows in (cached, plain):
        fill(rows, CACHED_CHILDREN)
    for number in range(200, 210):
        use(cached, cache, number)
        use(plain, ChildCache(), number)
    assert cached == plain


def test_a_run_that_was_dropped_does_not_spoil_the_cache() -> None:
    rows, cache = MemoryRows(), ChildCache()
    fill(rows, CACHED_CHILDREN)
    use(rows, cache, 200)
    before = dict(rows)
    use(rows, cache, 201, keep=False)
    assert rows == before
    use(rows, cache, 202)
    children = use(rows, cache, 203).children
    assert children is not None
    assert eid(201) not in children
    assert eid(202) in children


def test_a_list_is_used_with_its_own_row_only() -> None:
    rows, cache = MemoryRows(), ChildCache()
    fill(rows, CACHED_CHILDREN)
    children = use(rows, cache, 200).children
    assert children is not None
    assert cache.take(TOP, b"another row") is None
    cache.give(TOP, rows[index_key(TOP)], children)
    children.set_hash(0, digest(99))
    assert cache.take(TOP, rows[index_key(TOP)]) is None


def test_the_cache_drops_the_oldest_above_its_limit() -> None:
    rows = MemoryRows()
    fill(rows, CACHED_CHILDREN)
    node = IndexNode.decode(rows[index_key(TOP)])
    assert node.children is not None
    cache = ChildCache(limit=10)
    cache.give(eid(1), b"12345", node.children)
    cache.give(eid(2), b"123456", node.children)
    assert cache.take(eid(1), b"12345") is None
    assert cache.take(eid(2), b"123456") is node.children


def test_short_lists_are_not_cached() -> None:
    rows, cache = MemoryRows(), ChildCache()
    fill(rows, 3)
    use(rows, cache, 200)
    assert cache.take(TOP, rows[index_key(TOP)]) is None


def test_a_list_that_became_short_leaves_the_cache() -> None:
    rows, cache = MemoryRows(), ChildCache()
    fill(rows, CACHED_CHILDREN)
    index = Index(rows, INTEROP, cache)
    index.get(TOP)
    index.detach(TOP, EntityId(bytes(32)))
    index.close()
    assert cache.take(TOP, rows[index_key(TOP)]) is None


def test_a_list_that_was_only_read_stays_in_the_cache() -> None:
    rows, cache = MemoryRows(), ChildCache()
    fill(rows, CACHED_CHILDREN)
    index = Index(rows, INTEROP, cache)
    children = index.children(TOP)
    index.close()
    assert cache.take(TOP, rows[index_key(TOP)]) is children


def test_metadata_survives_a_hash_update() -> None:
    index = tree()
    index.add_child_to(TOP, ChildInfo(eid(1), digest(1), Metadata(3, 4, field_name="n")))
    index.update_hash(eid(1), digest(2), 9)
    assert index.metadata(eid(1)) == Metadata(3, 9, field_name="n")
