"""Sweeping tombstones: only old ones, in slices, and nothing that merely looks like one."""

from __future__ import annotations

from node.codec import borsh
from node.storage.entities import EntityIndex
from node.storage.keys import index_key
from node.storage.tombstones import RETENTION_NS, deletion_time, sweep
from tests.vectors.storage import digest, eid, md

NOW = 10 * RETENTION_NS


def row(number: int, deleted_at: int | None) -> tuple[bytes, bytes]:
    index = EntityIndex(eid(number), None, None, digest(1), digest(2), md(1, 1), deleted_at)
    return index_key(eid(number)), borsh.encode(index)


def test_the_retention_is_exclusive() -> None:
    old, edge, young, alive = (row(1, NOW - RETENTION_NS - 1), row(2, NOW - RETENTION_NS), row(3, NOW), row(4, None))
    found = sweep([old, edge, young, alive], NOW)
    assert found.expired == [old[0]]
    assert (found.seen, found.cursor) == (4, None)


def test_defect_s21_a_sweep_looks_at_a_bounded_number_of_rows_and_goes_on() -> None:
    rows = sorted(row(number, 1) for number in range(10))
    expired, at = list[bytes](), 0
    while True:
        found = sweep(rows[at:], NOW, limit=4)
        expired += found.expired
        at += found.seen
        if found.cursor is None:
            break
        assert found.cursor == rows[at - 1][0]
        assert found.seen == 4
    assert expired == [key for key, _ in rows]


def test_data_that_end_like_a_tombstone_are_none() -> None:
    assert deletion_time(b"x" * 100 + b"\x01" + bytes(8)) is None
    assert deletion_time(b"") is None
    assert deletion_time(row(1, 5)[1]) == 5
