"""The latest events of the node, numbered, so that a client can go on where it stopped. Bounded by count and bytes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Final

__all__ = ["MAX_BYTES", "MAX_EVENTS", "History", "Page"]

MAX_EVENTS: Final = 10_000
"""Enough for minutes of a busy node; who was away for longer reads the state itself."""

MAX_BYTES: Final = 32 << 20
"""Characters of all kept events; an application may put a megabyte into one."""


@dataclass(frozen=True, slots=True)
class Page:
    """Events behind a cursor, oldest first. ``lost``: some that were asked for are no longer kept."""

    events: list[str]
    cursor: int
    lost: bool


class History:
    """A ring of JSON texts. Numbers start at 1 and grow by one; a cursor is the number of the last event seen."""

    def __init__(self, max_events: int = MAX_EVENTS, max_bytes: int = MAX_BYTES) -> None:
        self._rows: deque[str] = deque()
        self._max_events, self._max_bytes = max_events, max_bytes
        self._size = 0
        self.last = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, event: str) -> int:
        """Keep an event; its number."""
        self.last += 1
        self._rows.append(event)
        self._size += len(event)
        while len(self._rows) > self._max_events or (self._size > self._max_bytes and len(self._rows) > 1):
            self._size -= len(self._rows.popleft())
        return self.last

    def page(self, after: int, limit: int) -> Page:
        """At most ``limit`` events behind ``after``. A cursor of an earlier process starts at the oldest one."""
        oldest = self.last - len(self._rows)
        lost = not oldest <= after <= self.last
        start = oldest if lost else after
        events = list(islice(self._rows, start - oldest, start - oldest + limit))
        return Page(events, start + len(events), lost)
