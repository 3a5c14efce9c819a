"""What a run leaves behind, and what it ends with when something was true that must never be."""

from __future__ import annotations

from dataclasses import dataclass, field


class Violation(AssertionError):
    """Something that must never be true was."""


@dataclass(slots=True)
class Result:
    """``violation`` None: all held. ``digest`` covers everything that happened, in order."""

    seed: int
    violation: str | None
    digest: str
    converged_after: float
    elapsed: float
    steps: int
    writes: int
    trace: list[str] = field(default_factory=list)
