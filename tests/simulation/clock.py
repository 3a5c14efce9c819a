"""Virtual time: a queue of actions, the only clock and the only order of a run."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable
from typing import Final

SECOND: Final = 1_000_000_000
MILLI: Final = 1_000_000
START: Final = 1_700_000_000 * SECOND
"""Unix time at which every run begins."""


class Timeline:
    """Actions by time; equal times run in the order in which they were put in."""

    def __init__(self) -> None:
        self.now = START
        self.steps = 0
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._order = itertools.count()

    def later(self, delay: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (self.now + max(0, delay), next(self._order), action))

    def at(self, when: int, action: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (max(self.now, when), next(self._order), action))

    def run(self, until: int, stop: Callable[[], bool] | None = None) -> bool:
        """Run up to ``until``; True if ``stop`` said so before."""
        while self._queue and self._queue[0][0] <= until:
            self.now, _, action = heapq.heappop(self._queue)
            self.steps += 1
            action()
            if stop is not None and stop():
                return True
        self.now = max(self.now, until)
        return False

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return (self.now - START) / SECOND
