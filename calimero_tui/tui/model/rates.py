"""How many events come in a second, from counts and the times at which they were counted."""

from __future__ import annotations

from collections import deque
from typing import Final

HISTORY: Final = 30
"""Seconds that the little graph shows; fits a column of a narrow terminal."""

WINDOW: Final = 5
"""Whole seconds that the rate is an average of."""


class Meter:
    """Counts events into whole seconds. ``now`` is any clock in seconds that never goes back."""

    def __init__(self) -> None:
        self.total = 0
        self._seconds: deque[int] = deque([0] * HISTORY, maxlen=HISTORY)
        self._second: int | None = None

    def add(self, number: int, now: float) -> None:
        self._turn(now)
        self.total += number
        self._seconds[-1] += number

    def rate(self, now: float) -> float:
        """Events a second over the last whole seconds; the running second is left out."""
        self._turn(now)
        recent = list(self._seconds)[-1 - WINDOW : -1]
        return sum(recent) / WINDOW

    def history(self, now: float) -> list[int]:
        """Events of each of the last seconds, oldest first."""
        self._turn(now)
        return list(self._seconds)

    def _turn(self, now: float) -> None:
        second = int(now)
        passed = 0 if self._second is None else second - self._second
        self._seconds.extend([0] * min(max(passed, 0), HISTORY))
        self._second = second
