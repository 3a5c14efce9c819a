"""One measured scenario as a row: its figures, its limits, and whether it held. Knows no node."""

from __future__ import annotations

import math
from collections.abc import Callable, Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Row: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class Scenario:
    """``run(folder, size)`` starts real nodes below ``folder`` and answers a row. ``full`` is the promised size,
    ``short`` one for the default suite; what a number counts is the scenario's own."""

    name: str
    promise: str
    run: Callable[[Path, int], Coroutine[Any, Any, Row]]
    full: int
    short: int


def verdict(figures: Row, limits: Sequence[tuple[str, float]]) -> Row:
    """The figures with each limit beside its value. A figure that is missing does not hold."""
    held = all(_within(figures.get(name), limit) for name, limit in limits)
    return {**figures, **{f"{name}_limit": limit for name, limit in limits}, "held": held}


def _within(value: object, limit: float) -> bool:
    return isinstance(value, int | float) and value <= limit


def rank(values: Iterable[float], percent: float) -> float:
    """The value that so many per cent do not exceed (nearest rank); NaN of none, which is within no limit."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)] if ordered else math.nan


def spread(name: str, seconds: Sequence[float]) -> Row:
    """Middle, 99th percentile and worst of some times, in milliseconds."""
    found = [round(value * 1000, 1) for value in seconds]
    return {f"{name}_p50_ms": rank(found, 50), f"{name}_p99_ms": rank(found, 99), f"{name}_worst_ms": rank(found, 100)}
