"""Cut a failing plan down: leave out faults and writes for as long as what is left still fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.simulation.plan import Plan

MAX_RUNS: Final = 120
"""Runs of one reduction, about a minute."""

Fails = Callable[[Plan], bool]


def shrink(plan: Plan, fails: Fails, limit: int = MAX_RUNS) -> Plan:
    """A plan that fails with fewer faults and writes; the plan itself if nothing can be left out."""
    budget = _Budget(limit)
    plan = _reduce(plan, len(plan.faults), lambda p, gone: p.without(faults=gone), fails, budget)
    return _reduce(plan, len(plan.writes), lambda p, gone: p.without(writes=gone), fails, budget)


class _Budget:
    def __init__(self, runs: int) -> None:
        self.left = runs

    def spend(self) -> bool:
        self.left -= 1
        return self.left >= 0


def _reduce(plan: Plan, size: int, cut: Callable[[Plan, set[int]], Plan], fails: Fails, budget: _Budget) -> Plan:
    """Leave out halves, then quarters, and so on down to single parts."""
    width = max(1, size // 2)
    while width and size:
        start = 0
        while start < size:
            gone = set(range(start, min(start + width, size)))
            smaller = cut(plan, gone)
            if not budget.spend():
                return plan
            if fails(smaller):
                plan, size = smaller, size - len(gone)
            else:
                start += width
        width = width // 2 if width > 1 else 0
    return plan
