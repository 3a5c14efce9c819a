"""Rows and the layer of changes over them."""

from __future__ import annotations

from node.storage.rows import MemoryRows, OverlayRows


def test_an_overlay_reads_through_and_keeps_its_changes() -> None:
    below = MemoryRows({b"a": b"1", b"b": b"2"})
    over = OverlayRows(below.get)
    over.put(b"a", b"new")
    over.remove(b"b")
    over.put(b"c", b"3")
    assert [over.get(key) for key in (b"a", b"b", b"c", b"d")] == [b"new", None, b"3", None]
    assert below == {b"a": b"1", b"b": b"2"}
    below.commit(over.writes)
    assert below == {b"a": b"new", b"c": b"3"}
    below.remove(b"unknown")
