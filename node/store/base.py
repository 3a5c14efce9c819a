"""The interface of a store: read a view, commit a batch. It knows rows, not what they mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol, TypeAlias

from node.store.columns import Column

Row: TypeAlias = tuple[bytes, bytes]
"""Key and value."""


class View(Protocol):
    """Rows that do not change under the reader's feet."""

    def get(self, column: Column, key: bytes) -> bytes | None:
        """One value, or None."""

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        """Rows whose key begins with ``prefix`` and is at least ``start``, in key order, read as they are wanted."""

    def close(self) -> None:
        """Give the view back. Reading it afterwards is a mistake of the caller."""


class Store(View, Protocol):
    """A database with one writer. What :meth:`commit` returned from is there after the process is killed."""

    def commit(self, batch: Batch) -> None:
        """Write a batch whole or not at all. Raises :class:`node.errors.StorageError`; then nothing was written."""

    def snapshot(self) -> View:
        """The rows as they are now, whatever is committed later."""


class Batch:
    """Changes that become visible together. The last change of a key counts."""

    __slots__ = ("changes",)

    def __init__(self) -> None:
        self.changes: dict[tuple[Column, bytes], bytes | None] = {}

    def put(self, column: Column, key: bytes, value: bytes) -> None:
        self.changes[column, key] = value

    def delete(self, column: Column, key: bytes) -> None:
        self.changes[column, key] = None

    def merge(self, other: Batch) -> None:
        """Add the changes of ``other``, deletions included; they win over those already here."""
        self.changes.update(other.changes)

    def delete_all(self, column: Column, keys: Iterable[bytes]) -> None:
        for key in keys:
            self.changes[column, key] = None

    def __len__(self) -> int:
        return len(self.changes)
