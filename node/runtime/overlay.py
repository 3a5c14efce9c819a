"""What a guest has written, in front of what is committed: reads see it at once, a failed call drops it whole.

Never writes through. Keys are the 32-byte keys of the store; the guest's keys are padded by the host functions.
Source of the rule: core 0.10.0: crates/context/src/handlers/execute/storage.rs.
"""

from __future__ import annotations

from typing import Final

from node.runtime import faults
from node.runtime.call import Reader
from node.runtime.limits import MAX_READ_CACHE, MAX_WRITTEN_BYTES, MAX_WRITTEN_ROWS

_UNREAD: Final = object()


class Overlay:
    """``writes`` maps a key to its new value, or None for a removal, in the order of the first change.

    ``known`` has the rows that were read or written, as the guest sees them; absent ones are None.
    """

    __slots__ = ("_cached", "_held", "_read", "known", "writes")

    def __init__(self, read: Reader) -> None:
        self._read = read
        self.known: dict[bytes, bytes | None] = {}
        self._cached = 0
        self._held = 0
        self.writes: dict[bytes, bytes | None] = {}

    def read(self, key: bytes) -> bytes | None:
        row = self.known.get(key, _UNREAD)
        if row is _UNREAD:
            return self._fetch(key)
        return row  # type: ignore[return-value]  # the sentinel is gone

    def _fetch(self, key: bytes) -> bytes | None:
        value = self._read(key)
        cost = len(key) + (len(value) if value is not None else 0)
        if self._cached + cost <= MAX_READ_CACHE:
            self._cached += cost
            self.known[key] = value
        return value

    def get(self, key: bytes) -> bytes | None:
        """As :meth:`read`; with :meth:`put` and :meth:`remove` the rows that the storage engine works on."""
        return self.read(key)

    def put(self, key: bytes, value: bytes) -> None:
        self.write(key, value)

    def remove(self, key: bytes) -> None:
        self.write(key, None)

    def touched(self, key: bytes) -> bool:
        """Whether the guest has read or written the row (as far as reads are remembered)."""
        return key in self.known

    def swap(self, key: bytes, value: bytes | None) -> bytes | None:
        """Put (or with None remove) a row and give what it was. Raises HostError beyond the bounds of one call."""
        old = self.known.get(key, _UNREAD)
        if old is _UNREAD:
            old = self._fetch(key)
        self.write(key, value)
        return old  # type: ignore[return-value]  # the sentinel is gone

    def write(self, key: bytes, value: bytes | None) -> None:
        """As :meth:`swap` without the answer."""
        writes = self.writes
        held = self._held + (len(value) if value else 0)
        if before := writes.get(key):
            held -= len(before)
        if held > MAX_WRITTEN_BYTES:
            raise faults.too_much("bytes of changed rows", MAX_WRITTEN_BYTES)
        if len(writes) >= MAX_WRITTEN_ROWS and key not in writes:
            raise faults.too_much("number of changed rows", MAX_WRITTEN_ROWS)
        self._held = held
        writes[key] = self.known[key] = value
