"""The registry's file: durable, copied while in use, restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import RegistryError
from workers.registry.rows import FILE, KEPT, SqliteRows, backup, replace, restore


def test_rows_survive_and_a_removed_one_is_gone(tmp_path: Path) -> None:
    rows = SqliteRows(tmp_path)
    rows.commit({b"a": b"1", b"b": b"2"})
    rows.commit({b"a": None, b"b": b"3"})
    rows.close()
    again = SqliteRows(tmp_path)
    assert (again.get(b"a"), again.get(b"b"), len(again)) == (None, b"3", 1)
    again.close()


def test_the_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    SqliteRows(tmp_path / "new").close()
    assert (tmp_path / "new" / FILE).stat().st_mode & 0o077 == 0


def test_a_backup_is_restored(tmp_path: Path) -> None:
    rows = SqliteRows(tmp_path / "one")
    rows.commit({b"a": b"1"})
    assert rows.backup(tmp_path / "copy.db") == 1
    with pytest.raises(RegistryError, match="exists already"):
        rows.backup(tmp_path / "copy.db")
    rows.close()
    assert restore(tmp_path / "copy.db", tmp_path / "two") == 1
    restored = SqliteRows(tmp_path / "two")
    assert restored.get(b"a") == b"1"
    restored.close()


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"not a database" * 100)
    with pytest.raises(RegistryError, match="restore a backup"):
        SqliteRows(tmp_path)
    with pytest.raises(RegistryError, match="no registry backup"):
        restore(tmp_path / FILE, tmp_path / "other")


def test_a_registry_is_backed_up_while_it_runs_and_kept_when_it_is_replaced(tmp_path: Path) -> None:
    running = SqliteRows(tmp_path / "one")
    running.commit({b"a": b"1"})
    assert backup(tmp_path / "one", tmp_path / "copy.db") == 1
    running.commit({b"b": b"2"})
    running.close()
    for _ in range(2):
        assert replace(tmp_path / "copy.db", tmp_path / "one") == (1, tmp_path / "one" / KEPT)
    assert replace(tmp_path / "copy.db", tmp_path / "fresh") == (1, None)
    with pytest.raises(RegistryError, match="there is no registry"):
        backup(tmp_path / "nowhere", tmp_path / "other.db")
    with pytest.raises(RegistryError, match="does not exist"):
        replace(tmp_path / "nothing.db", tmp_path / "one")
