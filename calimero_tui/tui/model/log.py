"""The event stream as a list that can be filtered, paused and followed, with an end that is never far.

Rows beyond the capacity fall off the old end and are counted. A pause freezes what is shown; rows still arrive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from calimero_tui.tui.model.activity import Happening

CAPACITY: Final = 10_000
"""Rows that are kept: ten seconds of a thousand a second, about 5 MB."""

TRIM: Final = 1_000
"""Rows that fall off at once, so that a list can be used and need not be moved at each row."""


class EventLog:
    """Rows in order of arrival. ``shown`` is what the filter lets through; ``dropped`` counts rows fallen off."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self.shown: list[Happening] = []
        self.words: tuple[str, ...] = ()
        self.paused = False
        self.following = True
        self.held = 0
        self.dropped = 0
        self.total = 0
        self._rows: list[Happening] = []
        self._capacity = capacity

    def add(self, rows: Sequence[Happening]) -> int:
        """Take rows in; how many lines of ``shown`` fell off at the old end."""
        self.total += len(rows)
        self._rows.extend(rows)
        self.dropped += _trim(self._rows, self._capacity)
        if self.paused:
            self.held += len(rows)
            return 0
        self.shown.extend(self._fitting(rows))
        return _trim(self.shown, self._capacity)

    def filter(self, text: str) -> None:
        """Show only rows that contain every word; capitals do not count."""
        self.words = tuple(text.lower().split())
        self._show_again()

    def pause(self, *, on: bool) -> None:
        self.paused = on
        if not on:
            self._show_again()

    def clear(self) -> None:
        self._rows.clear()
        self._show_again()

    def _show_again(self) -> None:
        self.held = 0
        self.shown = list(self._fitting(self._rows))

    def _fitting(self, rows: Sequence[Happening]) -> Sequence[Happening]:
        if not self.words:
            return rows
        return [row for row in rows if all(word in row.text for word in self.words)]


def _trim(rows: list[Happening], capacity: int) -> int:
    if len(rows) < capacity + TRIM:
        return 0
    extra = len(rows) - capacity
    del rows[:extra]
    return extra
