"""When a dead worker is started again, and when a living one counts as stuck. Time comes in; nothing here waits."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final

__all__ = ["Restarts", "Verdict", "judge"]

FIRST_DELAY: Final = 0.1
"""Seconds before the first restart: a killed worker is back before a client's patience ends."""

MAX_DELAY: Final = 5.0
"""Seconds between later restarts at most."""

WINDOW: Final = 60.0
"""Seconds in which restarts are counted; a worker that lived longer starts with a clean record."""

MAX_RESTARTS: Final = 10
"""Restarts of one worker within the window; one more means that restarting does not help and the node goes down."""

MAX_START_RESTARTS: Final = 1
"""Restarts of a worker that was never ready: what fails twice at its start has a reason that a person must see."""

READY_TIMEOUT: Final = 60.0
"""Seconds from its start until a worker must be ready; a machine with more to do than cores was seen to need ten."""

PING_INTERVAL: Final = 2.0
SILENT_AFTER: Final = 10.0
"""Seconds without a sign of life, or with a loop that does not turn, until it is reported."""

KILL_SILENT_AFTER: Final = 30.0
"""Seconds without an answer from the process's control thread until it is killed: the process is stopped or wedged."""

KILL_STUCK_AFTER: Final = 180.0
"""Seconds without a turn of the worker's own loop until it is killed; compiling a large module takes several."""


@dataclass(slots=True)
class Restarts:
    """The record of one worker."""

    total: int = 0
    was_ready: bool = False
    _recent: deque[float] = field(default_factory=deque)

    def delay(self, now: float) -> float | None:
        """Seconds until the worker that died at ``now`` is started again; None if it is given up."""
        while self._recent and self._recent[0] <= now - WINDOW:
            self._recent.popleft()
        if len(self._recent) >= (MAX_RESTARTS if self.was_ready else MAX_START_RESTARTS):
            return None
        delay = min(MAX_DELAY, FIRST_DELAY * 2.0 ** len(self._recent))
        self._recent.append(now)
        self.total += 1
        return delay

    @property
    def recent(self) -> int:
        return len(self._recent)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with a living worker; ``kill`` if waiting longer is of no use."""

    text: str
    kill: bool


def judge(silent: float, age: float) -> Verdict | None:
    """``silent``: seconds since the last answer to a ping; ``age``: since the worker's loop turned, as it said then."""
    if silent >= KILL_SILENT_AFTER:
        return Verdict(f"has not answered for {silent:.0f} s and is killed", kill=True)
    if age >= KILL_STUCK_AFTER:
        return Verdict(f"has been stuck for {age:.0f} s and is killed", kill=True)
    if silent >= SILENT_AFTER:
        return Verdict(f"has not answered for {silent:.0f} s", kill=False)
    if age >= SILENT_AFTER:
        return Verdict(f"has been busy with one thing for {age:.0f} s", kill=False)
    return None
