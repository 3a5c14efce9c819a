"""A store in memory for tests and the simulator, with the crash behaviour of the real one.

A :class:`MemoryDisk` is what survives a crash; a :class:`MemoryStore` is one process's hold on it. The log of a real
database is written in order, so a lost power loses a suffix of the commits, never one from the middle.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

from node.errors import StorageError, StoreUnusable
from node.store.base import Batch, Row
from node.store.columns import Column

Point: TypeAlias = Literal["before", "after"]
"""A place in a commit where something can go wrong: nothing is durable yet, or everything is."""

Fault: TypeAlias = Callable[[Point, Batch], None]
"""Called at each point of each commit; raises to make the commit fail or the process die there."""


class Rows:
    """One column: values by key and the keys in order."""

    __slots__ = ("keys", "shared", "values")

    def __init__(self, values: dict[bytes, bytes] | None = None, keys: list[bytes] | None = None) -> None:
        self.values = values if values is not None else {}
        self.keys = keys if keys is not None else []
        self.shared = False

    def set(self, key: bytes, value: bytes | None) -> None:
        if value is not None:
            if key not in self.values:
                insort(self.keys, key)
            self.values[key] = value
        elif self.values.pop(key, None) is not None:
            del self.keys[bisect_left(self.keys, key)]

    def writable(self) -> Rows:
        """Itself, or a copy when a snapshot holds it."""
        return Rows(dict(self.values), list(self.keys)) if self.shared else self


class MemoryView:
    """Reads columns; a snapshot when nobody writes to them any more."""

    def __init__(self, columns: dict[Column, Rows]) -> None:
        self._columns = columns

    def get(self, column: Column, key: bytes) -> bytes | None:
        return self._columns[column].values.get(key)

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        rows = self._columns[column]
        position = bisect_left(rows.keys, max(prefix, start))
        for key in rows.keys[position:]:
            if not key.startswith(prefix):
                return
            yield key, rows.values[key]

    def close(self) -> None:
        self._columns = {}


class MemoryDisk:
    """The durable part. ``capacity`` is the number of bytes of keys and values that fit; None: no limit."""

    def __init__(self, *, capacity: int | None = None) -> None:
        self.columns = {column: Rows() for column in Column}
        self.capacity = capacity
        self.used = 0
        self.holder: MemoryStore | None = None
        self._unsynced: list[list[tuple[Column, bytes, bytes | None]]] = []

    def write(self, batch: Batch, *, sync: bool) -> None:
        """Raises :class:`StorageError` when the batch does not fit."""
        grown = self.used + sum(self._growth(column, key, value) for (column, key), value in batch.changes.items())
        if self.capacity is not None and grown > self.capacity:
            raise StorageError("the disk is full: free some space; nothing of this commit was written")
        self.used = grown
        self._unsynced.append([(c, k, self.columns[c].values.get(k)) for c, k in batch.changes])
        for (column, key), value in batch.changes.items():
            self.columns[column] = self.columns[column].writable()
            self.columns[column].set(key, value)
        if sync:
            self._unsynced.clear()

    def sync(self) -> None:
        """Everything written so far survives a lost power."""
        self._unsynced.clear()

    @property
    def unsynced(self) -> int:
        """Commits that a lost power may take."""
        return len(self._unsynced)

    def lose_power(self, keep: int = 0) -> None:
        """Undo the commits since the last sync, except the first ``keep`` of them."""
        lost, self._unsynced = self._unsynced[keep:], self._unsynced[:keep]
        for undo in reversed(lost):
            for column, key, value in undo:
                self.used += self._growth(column, key, value)
                self.columns[column] = self.columns[column].writable()
                self.columns[column].set(key, value)
        self._unsynced.clear()

    def _growth(self, column: Column, key: bytes, value: bytes | None) -> int:
        old = self.columns[column].values.get(key)
        new_size = 0 if value is None else len(key) + len(value)
        return new_size - (0 if old is None else len(key) + len(old))


class MemoryStore:
    """A process's hold on a disk. ``strict`` commits survive a lost power, others only a killed process."""

    def __init__(self, disk: MemoryDisk | None = None, *, strict: bool = False, fault: Fault | None = None) -> None:
        self.disk = disk or MemoryDisk()
        if self.disk.holder is not None:
            raise StoreUnusable("the database is open in another process: stop that one first")
        self.disk.holder = self
        self.fault = fault
        self._strict = strict

    def get(self, column: Column, key: bytes) -> bytes | None:
        return self.disk.columns[column].values.get(key)

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        return MemoryView(self.disk.columns).scan(column, prefix, start)

    def commit(self, batch: Batch) -> None:
        if self.disk.holder is not self:
            raise StorageError("the store is closed: open it again before writing")
        if self.fault is not None:
            self.fault("before", batch)
        self.disk.write(batch, sync=self._strict)
        if self.fault is not None:
            self.fault("after", batch)

    def snapshot(self) -> MemoryView:
        for rows in self.disk.columns.values():
            rows.shared = True
        return MemoryView(dict(self.disk.columns))

    def close(self) -> None:
        """Also the way to let a crashed process go: the disk keeps what it has."""
        if self.disk.holder is self:
            self.disk.holder = None
