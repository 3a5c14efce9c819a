"""Look for a switched-on defect seed by seed, and for a seed that does not replay to the bit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tests.simulation.defects import switched_on
from tests.simulation.plan import Shape, draw
from tests.simulation.run import simulate

WITHIN: Final = 500
"""Seeds in which a defect must show."""


@dataclass(frozen=True, slots=True)
class Found:
    """Where a defect showed, and as what; ``seed`` None: nowhere."""

    defect: str
    seed: int | None = None
    violation: str | None = None


def hunt(defect: str, seeds: range, shape: Shape | None = None) -> Found:
    """The first of the seeds at which the defect shows."""
    with switched_on(defect):
        for seed in seeds:
            violation = simulate(draw(seed, shape)).violation
            if violation is not None:
                return Found(defect, seed, violation)
    return Found(defect)


def replays(seed: int, shape: Shape | None = None) -> bool:
    """Whether two runs of a seed are equal in everything that happened."""
    plan = draw(seed, shape)
    return simulate(plan).digest == simulate(plan).digest
