"""What ``./run sim`` hands to worker processes: pickled by name, so it may not stand in ``__main__``."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from tests.simulation.defects import switched_on
from tests.simulation.hunt import Found, hunt, replays
from tests.simulation.plan import Shape, draw
from tests.simulation.result import Result
from tests.simulation.run import simulate

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True)
class Run:
    """One seed in a worker process; the answer is small."""

    shape: Shape
    defect: str | None

    def __call__(self, seed: int) -> tuple[Result, float]:
        began = time.process_time()
        with switched_on(self.defect):
            result = simulate(draw(seed, self.shape))
        return result, time.process_time() - began


@dataclass(frozen=True, slots=True)
class Hunt:
    """One defect in a worker process."""

    seeds: range
    shape: Shape

    def __call__(self, defect: str) -> Found:
        return hunt(defect, self.seeds, self.shape)


@dataclass(frozen=True, slots=True)
class Again:
    """One seed, twice, in a worker process."""

    shape: Shape

    def __call__(self, seed: int) -> bool:
        return replays(seed, self.shape)


def spread(job: Callable[[Item], Outcome], items: Iterable[Item], jobs: int) -> Iterator[Outcome]:
    """The outcomes in order, over so many processes."""
    if jobs == 1:
        yield from map(job, items)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap(job, items)
