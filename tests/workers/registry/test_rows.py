"""The registry's file: durable, copied while in use, restored."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.errors import RegistryError
from workers.registry.rows import FILE, SqliteRows, restore


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
