"""The database of a merod 0.10.0 home: one RocksDB with the ten families. Read when it is stopped, or made new.

Nothing is ever written into a database that another program made.
Source of the layout: core 0.10.0: crates/store/impl/rocksdb/src/lib.rs.
"""

from __future__ import annotations

import fcntl
import gc
from collections.abc import Iterable, Iterator
from pathlib import Path

from rocksdict import AccessType, Options, Rdict

from node.crypto.rest import StorageKey
from node.errors import SealError, StoreUnusable
from node.store.base import Batch, Row
from node.store.columns import Column
from node.store.rocks import read_rows, write_batch


class ForeignReader:
    """Rows of a stopped merod, decrypted when ``key`` is the one of a database that is encrypted at rest.

    Raises :class:`StoreUnusable` if it runs, is damaged, or is no merod database, and when a value does not open.
    """

    def __init__(self, path: Path, key: StorageKey | None = None) -> None:
        _check(path)
        self._path = path
        self._key = key
        families = {str(column): Options(raw_mode=True) for column in Column}
        try:
            self._database = Rdict(
                str(path), Options(raw_mode=True), column_families=families, access_type=AccessType.read_only()
            )
        except Exception as error:
            raise StoreUnusable(f"the database {path} cannot be read: {error}; let merod repair it first") from error
        self._families = {column: self._database.get_column_family(column) for column in Column}

    def get(self, column: Column, key: bytes) -> bytes | None:
        value: bytes | None = self._families[column].get(key)
        return None if value is None else self._opened(value)

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        iterator = self._families[column].iter()
        iterator.seek(max(prefix, start))
        return ((row, self._opened(value)) for row, value in read_rows(iterator, prefix))

    def _opened(self, value: bytes) -> bytes:
        if self._key is None:
            return value
        try:
            return self._key.open(value)
        except SealError as error:
            raise StoreUnusable(f"the database {self._path} is not encrypted with this storage key: {error}") from error

    def close(self) -> None:
        for family in self._families.values():
            family.close()
        self._families.clear()
        self._database.close()
        gc.collect()


def _check(path: Path) -> None:
    if not (path / "CURRENT").exists():
        raise StoreUnusable(f"{path} holds no database: name the home directory of a merod node")
    found = set(Rdict.list_cf(str(path)))
    if not set(Column) <= found:
        raise StoreUnusable(f"{path} is no database of merod 0.10.0; its families are {sorted(found)}")
    if _locked(path / "LOCK"):
        raise StoreUnusable(f"the database {path} is in use: stop that merod first")


def _locked(lock: Path) -> bool:
    """RocksDB holds a POSIX lock on this file while the database is open for writing."""
    if not lock.exists():
        return False
    with lock.open("r+b") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
        fcntl.lockf(file, fcntl.LOCK_UN)
    return False


def write_foreign(path: Path, batches: Iterable[Batch]) -> None:
    """Make a new database in merod's layout. Raises :class:`StoreUnusable` if the directory is not empty."""
    if path.exists() and any(path.iterdir()):
        raise StoreUnusable(f"{path} is not empty: choose another directory")
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.create_missing_column_families(create_missing_cfs=True)
    families = {str(column): Options(raw_mode=True) for column in Column}
    database = Rdict(str(path), options, column_families=families)
    handles = {column: database.get_column_family_handle(column) for column in Column}
    for batch in batches:
        database.write(write_batch(batch, handles))
    handles.clear()
    database.close()
    del database
    gc.collect()
    (path / "rocksdict-config.json").unlink(missing_ok=True)  # the binding's own note, foreign to merod
