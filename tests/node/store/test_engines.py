"""Both engines under one contract: order, atomicity, snapshots, random programs against a plain model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.errors import StorageError, StoreUnusable
from node.store.base import Batch, Store
from node.store.columns import Column
from node.store.memory import MemoryDisk, MemoryStore
from node.store.rocks import RocksStore

S = Column.STATE


@pytest.fixture(params=["memory", "rocks"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore() if request.param == "memory" else RocksStore(tmp_path / "shard", 3)
    yield made
    made.close()


def put(store: Store, **rows: str) -> None:
    batch = Batch()
    for key, value in rows.items():
        batch.put(S, key.encode(), value.encode())
    store.commit(batch)


def test_columns_are_apart(store: Store) -> None:
    batch = Batch()
    batch.put(Column.META, b"k", b"meta")
    batch.put(Column.GENERIC, b"k", b"generic")
    store.commit(batch)
    assert store.get(Column.META, b"k") == b"meta"
    assert store.get(Column.GENERIC, b"k") == b"generic"
    assert store.get(S, b"k") is None


def test_scan_is_ordered_and_bounded(store: Store) -> None:
    put(store, b1="2", a="0", b2="3", c="4", b="1")
    assert [key for key, _ in store.scan(S)] == [b"a", b"b", b"b1", b"b2", b"c"]
    assert list(store.scan(S, b"b")) == [(b"b", b"1"), (b"b1", b"2"), (b"b2", b"3")]
    assert [key for key, _ in store.scan(S, b"b", b"b1\0")] == [b"b2"]
    assert [key for key, _ in store.scan(S, b"b", b"a")] == [b"b", b"b1", b"b2"]
    assert list(store.scan(S, b"x")) == []


def test_last_change_of_a_batch_counts(store: Store) -> None:
    put(store, a="old")
    batch = Batch()
    batch.put(S, b"a", b"new")
    batch.delete(S, b"a")
    batch.delete(S, b"b")
    batch.put(S, b"b", b"kept")
    store.commit(batch)
    assert list(store.scan(S)) == [(b"b", b"kept")]


def test_a_snapshot_does_not_move(store: Store) -> None:
    put(store, a="1", b="2", c="3")
    view = store.snapshot()
    batch = Batch()
    batch.put(S, b"a", b"changed")
    batch.delete(S, b"b")
    batch.put(S, b"d", b"4")
    store.commit(batch)
    assert list(view.scan(S)) == [(b"a", b"1"), (b"b", b"2"), (b"c", b"3")]
    assert (view.get(S, b"a"), view.get(S, b"d")) == (b"1", None)
    assert list(store.scan(S)) == [(b"a", b"changed"), (b"c", b"3"), (b"d", b"4")]
    view.close()


def test_scans_of_one_snapshot_can_interleave(store: Store) -> None:
    batch = Batch()
    for n in range(500):
        batch.put(S, b"%04d" % n, b"v")
    store.commit(batch)
    view = store.snapshot()
    left, right = view.scan(S), view.scan(S, start=b"0250")
    pairs = [(next(left)[0], next(right)[0]) for _ in range(250)]
    assert pairs == [(b"%04d" % n, b"%04d" % (n + 250)) for n in range(250)]
    assert len(list(left)) == 250
    view.close()


KEYS = st.binary(min_size=1, max_size=3)
PROGRAM = st.lists(st.dictionaries(KEYS, st.one_of(st.none(), st.binary(max_size=4)), max_size=6), max_size=8)


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(program=PROGRAM, prefix=st.binary(max_size=2), start=st.binary(max_size=2))
def test_any_program_gives_the_rows_of_a_dict(
    store: Store, program: list[dict[bytes, bytes | None]], prefix: bytes, start: bytes
) -> None:
    clean = Batch()
    clean.delete_all(S, [key for key, _ in store.scan(S)])
    store.commit(clean)
    model: dict[bytes, bytes] = {}
    for changes in program:
        batch = Batch()
        for key, value in changes.items():
            model.pop(key, None)
            if value is None:
                batch.delete(S, key)
            else:
                batch.put(S, key, value)
                model[key] = value
        store.commit(batch)
    assert list(store.scan(S)) == sorted(model.items())
    wanted = [(k, v) for k, v in sorted(model.items()) if k.startswith(prefix) and k >= start]
    assert list(store.scan(S, prefix, start)) == wanted
    view = store.snapshot()
    assert list(view.scan(S, prefix, start)) == wanted
    view.close()


class Killed(BaseException):
    """The process ends here."""


def dies(at: str) -> Callable[[str, Batch], None]:
    def fault(point: str, batch: Batch) -> None:
        if point == at:
            raise Killed

    return fault


@pytest.mark.parametrize(("at", "survives"), [("before", False), ("after", True)])
def test_a_kill_around_the_commit_point(at: str, survives: bool) -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk, fault=dies(at))
    with suppress(Killed):
        put(store, a="1")
    store.close()
    assert MemoryStore(disk).get(S, b"a") == (b"1" if survives else None)


def test_lost_power_takes_a_suffix_of_the_commits() -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk)
    put(store, a="1")
    disk.sync()
    view = store.snapshot()
    for n in (2, 3, 4):
        put(store, a=str(n), b=str(n))
    assert disk.unsynced == 3
    disk.lose_power(keep=1)
    assert dict(store.scan(S)) == {b"a": b"2", b"b": b"2"}
    assert dict(view.scan(S)) == {b"a": b"1"}
    assert disk.used == 4


def test_strict_commits_survive_a_lost_power() -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk, strict=True)
    put(store, a="1")
    disk.lose_power()
    assert store.get(S, b"a") == b"1"


def test_a_full_disk_refuses_the_whole_batch() -> None:
    store = MemoryStore(MemoryDisk(capacity=5))
    put(store, ab="123")
    with pytest.raises(StorageError, match="disk is full"):
        put(store, ab="", c="1234567")
    assert dict(store.scan(S)) == {b"ab": b"123"}
    put(store, ab="1", c="1")


def test_one_process_holds_a_disk() -> None:
    disk = MemoryDisk()
    store = MemoryStore(disk)
    with pytest.raises(StoreUnusable, match="another process"):
        MemoryStore(disk)
    store.close()
    other = MemoryStore(disk)
    store.close()
    with pytest.raises(StorageError, match="closed"):
        put(store, a="1")
    put(other, a="1")


def test_batches_merge_key_by_key_with_deletes() -> None:
    """The reference merges by value and panics on deletes."""
    first, second = Batch(), Batch()
    first.put(S, b"a", b"1")
    first.put(S, b"b", b"1")
    second.delete(S, b"a")
    second.put(S, b"c", b"2")
    first.merge(second)
    assert first.changes == {(S, b"a"): None, (S, b"b"): b"1", (S, b"c"): b"2"}
    assert len(first) == 3
