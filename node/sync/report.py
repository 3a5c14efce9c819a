"""What a session did, as data for the schedule, the dashboard and the books."""

from __future__ import annotations

from dataclasses import dataclass, field

from node.primitives import ZERO_ROOT, Hash

Field = str | int | float | bool | None


@dataclass(slots=True)
class Report:
    """What a session did. ``outcome``: in sync, ahead, no state, elsewhere, waiting, moving, failed, or interrupted."""

    peer: str
    reason: str
    started_ns: int
    generation: int
    met: bool = False
    """The peer proved a membership in this session."""
    strategies: list[str] = field(default_factory=list)
    outcome: str = "interrupted"
    detail: str = ""
    ours: Hash = ZERO_ROOT
    theirs: Hash = ZERO_ROOT
    fetched: int = 0
    repaired: int = 0
    stuck: int = 0
    """Comparisons that changed nothing here."""
    bytes: int = 0
    ended_ns: int = 0

    @property
    def settled(self) -> bool:
        """Nothing is left to fetch from this peer."""
        return self.outcome in ("in sync", "ahead")

    def fields(self) -> dict[str, Field]:
        """As flat JSON values."""
        return {
            "peer": self.peer,
            "reason": self.reason,
            "generation": self.generation,
            "strategy": ", ".join(self.strategies),
            "outcome": self.outcome,
            "detail": self.detail,
            "ours": str(self.ours),
            "theirs": str(self.theirs),
            "deltas": self.fetched,
            "entities": self.repaired,
            "bytes": self.bytes,
            "started_ns": self.started_ns,
            "millis": (self.ended_ns - self.started_ns) // 1_000_000,
        }
