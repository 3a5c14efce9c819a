"""A shard on disk: RocksDB with the reference's column families, one write batch per commit.

A shard directory holds a marker that names this format and the shard, so a foreign, a half-made or another shard's
directory is refused at start, with what to do. Memory is bounded for all shards of a process together. The write-ahead
log is bounded too: a family that is rarely written would otherwise keep every log file alive (seen in the field as
19 GB of log for 109 MB of data).
"""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, TypeAlias

from rocksdict import (
    BlockBasedOptions,
    Cache,
    ColumnFamily,
    Options,
    Rdict,
    RdictIter,
    WriteBatch,
    WriteBufferManager,
    WriteOptions,
)

from node.errors import StorageError, StoreUnusable
from node.store.base import Batch, Row
from node.store.columns import Column
from node.store.places import damaged, is_fresh

Durability: TypeAlias = Literal["default", "strict"]
"""``default``: a commit survives a killed process, as in the reference. ``strict``: also a lost power (fsync)."""

MEMTABLE_BUDGET: Final = 32 << 20
"""Bytes of unflushed rows of all shards of a process together; beyond it the largest family is flushed."""

CACHE_BUDGET: Final = 32 << 20
"""Bytes of decoded blocks of all shards of a process together. The reference takes 128 MiB for its one database."""

WAL_BUDGET: Final = 16 << 20
"""Bytes of write-ahead log per shard; beyond it the families that keep the oldest log alive are flushed."""

FAMILY_BUFFER: Final = 4 << 20
ARENA_BLOCK: Final = 32 << 10
"""Memtable and its smallest allocation: 10 families times 8 shards touch little memory while they are idle."""

OPEN_FILES: Final = 64
"""Table files kept open per shard, so that eight shards stay below the usual limit of 1024 descriptors."""

CHUNK: Final = 128
"""Rows that a scan of a snapshot reads ahead, so that several scans can share its iterator."""

MARKER: Final = b"calimero-shard"
FORMAT: Final = b"1"
_FAMILIES: Final = frozenset(Column) | {"default"}


class Memory:
    """The memory that all shards of one process share."""

    def __init__(self) -> None:
        self.cache = Cache(CACHE_BUDGET)
        self.buffers = WriteBufferManager(MEMTABLE_BUDGET, allow_stall=False)

    def options(self) -> Options:
        table = BlockBasedOptions()
        table.set_block_cache(self.cache)
        table.set_bloom_filter(10, block_based=False)
        options = Options(raw_mode=True)
        options.set_block_based_table_factory(table)
        options.set_write_buffer_manager(self.buffers)
        options.set_write_buffer_size(FAMILY_BUFFER)
        options.set_arena_block_size(ARENA_BLOCK)
        return options

    def database_options(self, *, create: bool) -> Options:
        options = self.options()
        options.create_if_missing(create)
        options.create_missing_column_families(create)
        options.set_max_open_files(OPEN_FILES)
        options.set_max_total_wal_size(WAL_BUDGET)
        options.set_keep_log_file_num(2)
        options.set_max_log_file_size(1 << 20)
        options.set_stats_dump_period_sec(0)
        options.set_max_background_jobs(2)
        return options


class RocksView:
    """The rows of all columns at one moment.

    An iterator of RocksDB never leaves the moment at which it was made, so one per column is the snapshot. (The
    binding's own snapshot object reads the newest rows when it iterates.)
    """

    def __init__(self, families: dict[Column, Rdict]) -> None:
        self._iterators = {column: family.iter() for column, family in families.items()}

    def get(self, column: Column, key: bytes) -> bytes | None:
        iterator = self._iterators[column]
        iterator.seek(key)
        return bytes(iterator.value()) if iterator.valid() and iterator.key() == key else None

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        position = max(prefix, start)
        while chunk := self._chunk(column, prefix, position):
            yield from chunk
            position = chunk[-1][0] + b"\0"

    def _chunk(self, column: Column, prefix: bytes, start: bytes) -> list[Row]:
        iterator = self._iterators[column]
        iterator.seek(start)
        return [row for row, _ in zip(read_rows(iterator, prefix), range(CHUNK), strict=False)]

    def close(self) -> None:
        self._iterators.clear()


class RocksStore:
    """One shard directory. Raises :class:`StoreUnusable` when it cannot be used as it is."""

    def __init__(
        self, path: Path, shard: int, *, durability: Durability = "default", memory: Memory | None = None
    ) -> None:
        self.path = path
        self._open(shard, memory or Memory())
        self._write_options = WriteOptions()
        self._write_options.sync = durability == "strict"

    def _open(self, shard: int, memory: Memory) -> None:
        marker = FORMAT + b":" + str(shard).encode()
        if is_fresh(self.path):
            _create(self.path, marker, memory)
        _check_families(self.path)
        self._database = _open_database(self.path, memory, create=False)
        self._families = {column: self._database.get_column_family(column) for column in Column}
        self._handles = {column: self._database.get_column_family_handle(column) for column in Column}
        restrict(self.path)
        found = self._database.get(MARKER)
        if found != marker:
            self.close()
            raise StoreUnusable(_explain_marker(self.path, found, shard))

    def get(self, column: Column, key: bytes) -> bytes | None:
        value: bytes | None = self._families[column].get(key)
        return value

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        iterator = self._families[column].iter()
        iterator.seek(max(prefix, start))
        return read_rows(iterator, prefix)

    def commit(self, batch: Batch) -> None:
        native = write_batch(batch, self._handles)
        try:
            self._database.write(native, self._write_options)
        except Exception as error:
            raise StorageError(
                f"cannot write to the database {self.path}: {error}; nothing of this commit was written. "
                "If the disk is full, free some space and restart the node"
            ) from error

    def snapshot(self) -> RocksView:
        return RocksView(self._families)

    def close(self) -> None:
        """Flush and let go of the directory. The engine closes with the last reference to it."""
        families, self._families, self._handles = self._families, {}, {}
        for family in families.values():
            family.close()
        families.clear()
        self._database.close()
        gc.collect()  # open views keep the lock of the directory; those nobody holds any more go now


def write_batch(batch: Batch, handles: Mapping[Column, ColumnFamily]) -> WriteBatch:
    """The engine's form of a batch."""
    native = WriteBatch(raw_mode=True)
    for (column, key), value in batch.changes.items():
        if value is None:
            native.delete(key, handles[column])
        else:
            native.put(key, value, handles[column])
    return native


def read_rows(iterator: RdictIter, prefix: bytes) -> Iterator[Row]:
    """Rows from where an iterator stands while the keys begin with ``prefix``. Raises :class:`StorageError`."""
    while iterator.valid():
        key = bytes(iterator.key())
        if not key.startswith(prefix):
            return
        yield key, bytes(iterator.value())
        iterator.next()
    try:
        iterator.status()
    except Exception as error:
        raise StorageError(f"the database cannot be read: {error}; restore it from a backup or sync again") from error


def _open_database(path: Path, memory: Memory, *, create: bool) -> Rdict:
    families = {str(column): memory.options() for column in Column}
    try:
        return Rdict(str(path), memory.database_options(create=create), column_families=families)
    except Exception as error:
        raise StoreUnusable(_explain(path, str(error))) from error


def _create(path: Path, marker: bytes, memory: Memory) -> None:
    """Make a new shard beside its place and move it there, so that a kill leaves no half-made database behind."""
    aside = path.with_name(f"{path.name}.new")
    if aside.exists():
        shutil.rmtree(aside)
    aside.mkdir(parents=True, mode=0o700)
    database = _open_database(aside, memory, create=True)
    database[MARKER] = marker
    database.close()
    del database
    gc.collect()
    aside.replace(path)


def examine(path: Path) -> None:
    """Look at a shard's directory without opening it. Raises :class:`StoreUnusable`."""
    if not is_fresh(path):
        _check_families(path)


def _check_families(path: Path) -> None:
    try:
        found = set(Rdict.list_cf(str(path)))
    except Exception as error:
        raise StoreUnusable(_explain(path, str(error))) from error
    if found != _FAMILIES:
        raise StoreUnusable(
            f"the database {path} is damaged or belongs to another program (its families are {sorted(found)}). "
            "Restore it from a backup, move it away, or choose another home"
        )


def _explain(path: Path, text: str) -> str:
    if "lock" in text.lower():
        return f"the database {path} is open in another process: stop that node first"
    return damaged(path, text.strip())


def _explain_marker(path: Path, found: bytes | None, shard: int) -> str:
    if found is None:
        return f"{path} is no shard of this node. A merod home is taken over with `calimero node import HOME`"
    held = found.decode(errors="replace")
    return f"{path} holds shard {held}, not {FORMAT.decode()}:{shard}: the directories were mixed up"


def restrict(path: Path) -> None:
    """Make a directory tree readable by its owner alone, files that the engine made included."""
    path.chmod(0o700)
    for file in path.iterdir():
        with suppress(FileNotFoundError):  # the engine removes old files at any time
            file.chmod(0o600)


def destroy(path: Path) -> None:
    """Remove a closed shard."""
    shutil.rmtree(path)
