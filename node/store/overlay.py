"""A store view with changes on top that are not committed yet: reads see the change first, scans stay in order."""

from __future__ import annotations

from collections.abc import Iterator

from node.store.base import Batch, Row, View
from node.store.columns import Column


class Overlay:
    """Reads through ``base``; :meth:`put` and :meth:`delete` collect in :attr:`batch`, which the caller commits."""

    def __init__(self, base: View) -> None:
        self._base = base
        self.batch = Batch()

    def get(self, column: Column, key: bytes) -> bytes | None:
        try:
            return self.batch.changes[column, key]
        except KeyError:
            return self._base.get(column, key)

    def put(self, column: Column, key: bytes, value: bytes) -> None:
        self.batch.put(column, key, value)

    def delete(self, column: Column, key: bytes) -> None:
        self.batch.delete(column, key)

    def scan(self, column: Column, prefix: bytes = b"", start: bytes = b"") -> Iterator[Row]:
        """Both layers in one order: each key once, the change wins, deleted keys are left out."""
        changes = {
            key: value
            for (of, key), value in self.batch.changes.items()
            if of == column and key >= start and key.startswith(prefix)
        }
        return merged(self._base.scan(column, prefix, start), changes)

    def close(self) -> None:
        """The base belongs to the caller and stays open."""


def merged(rows: Iterator[Row], changes: dict[bytes, bytes | None]) -> Iterator[Row]:
    """Lay ``changes`` (None: deleted) over ordered rows."""
    keys = sorted(changes, reverse=True)
    for key, value in rows:
        while keys and keys[-1] < key:
            yield from _change(keys.pop(), changes)
        if keys and keys[-1] == key:
            yield from _change(keys.pop(), changes)
        else:
            yield key, value
    while keys:
        yield from _change(keys.pop(), changes)


def _change(key: bytes, changes: dict[bytes, bytes | None]) -> Iterator[Row]:
    value = changes[key]
    if value is not None:
        yield key, value
