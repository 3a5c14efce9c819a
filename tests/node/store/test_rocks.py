"""The database on disk: what is refused, what survives a kill, who may read the files."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from node.errors import StorageError, StoreUnusable
from node.store.base import Batch
from node.store.columns import Column
from node.store.rocks import Memory, RocksStore, destroy

S = Column.STATE


def one(key: bytes, value: bytes = b"v") -> Batch:
    batch = Batch()
    batch.put(S, key, value)
    return batch


def test_rows_are_there_after_reopening(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "0", 0)
    store.commit(one(b"a"))
    store.close()
    again = RocksStore(tmp_path / "0", 0, durability="strict", memory=Memory())
    assert again.get(S, b"a") == b"v"
    again.commit(one(b"b"))
    again.close()
    destroy(tmp_path / "0")
    assert not (tmp_path / "0").exists()


def test_defect_b5_files_belong_to_their_owner_alone(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "0", 0)
    assert (tmp_path / "0").stat().st_mode & 0o777 == 0o700
    assert {file.stat().st_mode & 0o077 for file in (tmp_path / "0").iterdir()} == {0}
    store.close()


def test_an_open_database_is_refused(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "0", 0)
    with pytest.raises(StoreUnusable, match="open in another process: stop that node first"):
        RocksStore(tmp_path / "0", 0)
    store.close()


def test_a_torn_database_is_refused_with_the_cure(tmp_path: Path) -> None:
    RocksStore(tmp_path / "0", 0).close()
    for file in (tmp_path / "0").glob("MANIFEST*"):
        os.truncate(file, 10)
    with pytest.raises(StoreUnusable, match=r"damaged.*Restore it from a backup"):
        RocksStore(tmp_path / "0", 0)


def test_foreign_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter.txt").write_text("dear")
    with pytest.raises(StoreUnusable, match="holds files but no database"):
        RocksStore(tmp_path / "papers", 0)
    (tmp_path / "file").write_text("x")
    with pytest.raises(StoreUnusable, match="no directory"):
        RocksStore(tmp_path / "file", 0)
    other = Rdict(str(tmp_path / "other"), Options(raw_mode=True))
    other.close()
    del other
    with pytest.raises(StoreUnusable, match="another program"):
        RocksStore(tmp_path / "other", 0)


def test_a_merod_database_is_not_taken_for_a_shard(tmp_path: Path) -> None:
    options = Options(raw_mode=True)
    options.create_missing_column_families(create_missing_cfs=True)
    merod = Rdict(str(tmp_path / "m"), options, column_families={str(c): Options(raw_mode=True) for c in Column})
    merod.close()
    del merod
    with pytest.raises(StoreUnusable, match="calimero node import"):
        RocksStore(tmp_path / "m", 0)


def test_shards_cannot_be_mixed_up(tmp_path: Path) -> None:
    RocksStore(tmp_path / "0", 0).close()
    with pytest.raises(StoreUnusable, match="holds shard 1:0, not 1:5"):
        RocksStore(tmp_path / "0", 5)


def test_a_kill_while_creating_leaves_nothing_that_blocks(tmp_path: Path) -> None:
    (tmp_path / "0.new").mkdir()
    (tmp_path / "0.new" / "CURRENT").write_text("half")
    RocksStore(tmp_path / "0", 0).close()
    assert not (tmp_path / "0.new").exists()


def test_a_failed_write_names_the_database_and_the_cure(tmp_path: Path) -> None:
    store = RocksStore(tmp_path / "0", 0)
    store._write_options.sync = True
    store._write_options.disable_wal = True  # type: ignore[method-assign,assignment]  # the engine refuses this pair: a write that fails for sure
    with pytest.raises(StorageError, match=r"cannot write to the database .*free some space"):
        store.commit(one(b"a"))
    store.close()


def _write_for_ever(path: str, told: Connection) -> None:
    store = RocksStore(Path(path), 0)
    for n in range(1_000_000):
        batch = Batch()
        for column in (S, Column.META, Column.DELTA):
            batch.put(column, b"last", b"%d" % n)
        store.commit(batch)
        told.send(n)


def test_defect_d10_a_killed_process_loses_no_commit_and_tears_none(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    for _ in range(2):
        mine, theirs = spawn.Pipe(duplex=False)
        child = spawn.Process(target=_write_for_ever, args=(str(tmp_path / "0"), theirs))
        child.start()
        theirs.close()
        while mine.recv() < 300:
            pass
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        last = 300
        while True:
            try:
                last = mine.recv()
            except (EOFError, OSError):
                break
        store = RocksStore(tmp_path / "0", 0)
        rows = {store.get(column, b"last") for column in (S, Column.META, Column.DELTA)}
        assert len(rows) == 1
        assert int(rows.pop() or b"-1") >= last
        store.close()
