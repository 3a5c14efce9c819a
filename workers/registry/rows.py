"""The registry's rows on disk: one SQLite file, fsync on every write.

The registry is small and precious, and it must be copied while it runs; SQLite does both without a second format.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from node.errors import RegistryError

FOLDER: Final = "registry"
"""The registry's directory in that of its node."""

FILE: Final = "registry.db"
KEPT: Final = "before-restore.db"
"""What the last restore replaced."""

_SCHEMA: Final = "CREATE TABLE IF NOT EXISTS row (key BLOB PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"


class SqliteRows:
    """Rows in ``folder``; :class:`node.context.registry.entries.RegistryRows`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path = folder / FILE
        fresh = not self.path.exists()
        try:
            self._db = sqlite3.connect(self.path, isolation_level=None)
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
            self._db.execute(_SCHEMA)
        except sqlite3.DatabaseError as error:
            raise RegistryError(
                f"{self.path} is damaged or no registry ({error}); move it away and restore a backup in its place"
            ) from error
        if fresh:
            self.path.chmod(0o600)

    def get(self, key: bytes) -> bytes | None:
        found = self._db.execute("SELECT value FROM row WHERE key = ?", (key,)).fetchone()
        return None if found is None else bytes(found[0])

    def commit(self, changes: Mapping[bytes, bytes | None]) -> None:
        """Write all of ``changes`` or none. Raises :class:`RegistryError` when the disk refuses."""
        try:
            self._db.execute("BEGIN IMMEDIATE")
            for key, value in changes.items():
                self._change(key, value)
            self._db.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise RegistryError(f"the registry could not be written, nothing was changed: {error}") from error

    def _change(self, key: bytes, value: bytes | None) -> None:
        if value is None:
            self._db.execute("DELETE FROM row WHERE key = ?", (key,))
        else:
            self._db.execute("INSERT OR REPLACE INTO row VALUES (?, ?)", (key, value))

    def __len__(self) -> int:
        return int(self._db.execute("SELECT count(*) FROM row").fetchone()[0])

    def backup(self, target: Path) -> int:
        """Copy the registry into a new file while it runs; the number of rows. Raises :class:`RegistryError`."""
        if target.exists():
            raise RegistryError(f"{target} exists already; choose another name for the backup")
        copy = sqlite3.connect(target)
        try:
            self._db.backup(copy)
        finally:
            copy.close()
        target.chmod(0o600)
        return len(self)

    def close(self) -> None:
        self._db.close()


def backup(folder: Path, target: Path) -> int:
    """Copy the registry in ``folder`` into a new file, also while its node runs; the number of rows.

    Raises :class:`RegistryError`.
    """
    if not (folder / FILE).is_file():
        raise RegistryError(f"there is no registry in {folder}: this node serves none, or never did")
    rows = SqliteRows(folder)
    try:
        return rows.backup(target)
    finally:
        rows.close()


def restore(backup: Path, folder: Path) -> int:
    """Put a backup in place of the registry in ``folder``; the number of rows. The node must be stopped.

    Raises :class:`RegistryError` when the backup cannot be read, and then leaves the registry as it is.
    """
    if not backup.is_file():
        raise RegistryError(f"{backup} does not exist")
    try:
        source = sqlite3.connect(f"file:{backup}?mode=ro", uri=True)
        count = int(source.execute("SELECT count(*) FROM row").fetchone()[0])
    except sqlite3.DatabaseError as error:
        raise RegistryError(f"{backup} is no registry backup: {error}") from error
    rows = SqliteRows(folder)
    try:
        source.backup(rows._db)
    finally:
        source.close()
        rows.close()
    return count


def replace(source: Path, folder: Path) -> tuple[int, Path | None]:
    """:func:`restore`, and keep a copy of the registry that was there; its path, None when there was none."""
    kept: Path | None = None
    if (folder / FILE).is_file():
        kept, fresh = folder / KEPT, folder / f".{KEPT}"
        fresh.unlink(missing_ok=True)
        backup(folder, fresh)
        count = restore(source, folder)
        fresh.replace(kept)
        return count, kept
    return restore(source, folder), None
