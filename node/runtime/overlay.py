"""What a guest has written, in front of what is committed: reads see it at once, a failed call drops it whole.

Never writes through. Keys are the 32-byte keys of the store; the guest's keys are padded by the host functions.
Source of the rule: core 0.10.0: crates/context/src/handlers/execute/storage.rs.
"""

from __future__ import annotations

from typing import TypeAlias

from node.runtime import faults
from node.runtime.call import Reader
from node.runtime.limits import MAX_READ_CACHE, MAX_WRITTEN_BYTES, MAX_WRITTEN_ROWS

Cell: TypeAlias = list[bytes | None]
"""The one place of a row: its value as the guest sees it, None for an absent one."""


class Overlay:
    """``known`` has the rows that were read or written; ``changed`` those of them that were written or removed, in the
    order of the first change. Both hold the same cell of a row, so writing it again is one assignment."""

    __slots__ = ("_cached", "_held", "_read", "changed", "known")

    def __init__(self, read: Reader) -> None:
        self._read = read
        self.known: dict[bytes, Cell] = {}
        self.changed: dict[bytes, Cell] = {}
        self._cached = 0
        self._held = 0

    @property
    def writes(self) -> dict[bytes, bytes | None]:
        """Key to new value, or None for a removal, in the order of the first change."""
        return {key: cell[0] for key, cell in self.changed.items()}

    def read(self, key: bytes) -> bytes | None:
        cell = self.known.get(key)
        return cell[0] if cell is not None else self._fetch(key)

    def _fetch(self, key: bytes) -> bytes | None:
        value = self._read(key)
        cost = len(key) + (len(value) if value is not None else 0)
        if self._cached + cost <= MAX_READ_CACHE:
            self._cached += cost
            self.known[key] = [value]
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
        old = self.read(key)
        self.write(key, value)
        return old

    def write(self, key: bytes, value: bytes | None) -> None:
        """As :meth:`swap` without the answer."""
        cell = self.changed.get(key)
        held = self._held + (len(value) if value else 0)
        if cell is not None and (before := cell[0]):
            held -= len(before)
        if held > MAX_WRITTEN_BYTES:
            raise faults.too_much("bytes of changed rows", MAX_WRITTEN_BYTES)
        if cell is None:
            cell = self._change(key)
        self._held = held
        cell[0] = value

    def _change(self, key: bytes) -> Cell:
        if len(self.changed) >= MAX_WRITTEN_ROWS:
            raise faults.too_much("number of changed rows", MAX_WRITTEN_ROWS)
        cell = self.changed[key] = self.known.setdefault(key, [None])
        return cell
