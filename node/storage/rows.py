"""The rows that the engine works on: 32-byte keys to bytes, and a layer of changes over them.

The same engine runs inside a host call, in a native application, in tree sync and in tests; only the rows differ.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol


class Rows(Protocol):
    """A place to read and write state rows."""

    def get(self, key: bytes) -> bytes | None: ...
    def put(self, key: bytes, value: bytes) -> None: ...
    def remove(self, key: bytes) -> None: ...


class OverlayRows:
    """Changes over rows that are only read; ``writes`` is what has to be committed, None for a removal."""

    def __init__(self, read: Callable[[bytes], bytes | None]) -> None:
        self._read = read
        self.writes: dict[bytes, bytes | None] = {}

    def get(self, key: bytes) -> bytes | None:
        if key in self.writes:
            return self.writes[key]
        return self._read(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.writes[key] = value

    def remove(self, key: bytes) -> None:
        self.writes[key] = None


class MemoryRows(dict[bytes, bytes]):
    """Rows in memory."""

    def put(self, key: bytes, value: bytes) -> None:
        self[key] = value

    def remove(self, key: bytes) -> None:
        self.pop(key, None)

    def commit(self, writes: Mapping[bytes, bytes | None]) -> None:
        """Take over the writes of an overlay."""
        for key, value in writes.items():
            if value is None:
                self.remove(key)
            else:
                self[key] = value
