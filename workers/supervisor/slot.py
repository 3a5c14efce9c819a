"""What the supervisor knows about one worker."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from workers.channels.peers import peer_name
from workers.messages.control import WorkerRecord
from workers.roles import Member
from workers.supervisor.policy import Restarts

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

__all__ = ["Slot"]

NOT_YET: Final = -1.0


@dataclass(slots=True)
class Slot:
    """The place of a worker; processes come and go in it. ``started`` and ``heard`` are the supervisor's clock."""

    member: Member
    process: SpawnProcess | None = None
    state: str = "starting"
    restarts: Restarts = field(default_factory=Restarts)
    since: float = 0.0
    """Unix time of the last change of state."""
    started: float = 0.0
    heard: float = 0.0
    age: float = 0.0
    details: bytes = b"{}"
    last_fault: str = ""
    generation: int = 0
    warned: str = ""

    @property
    def name(self) -> str:
        return peer_name(*self.member)

    @property
    def alive(self) -> bool:
        return self.process is not None

    def become(self, state: str) -> None:
        self.state, self.since = state, time.time()

    def record(self) -> WorkerRecord:
        """For ``ListWorkers``; memory and CPU are of the moment."""
        pid = self.process.pid or 0 if self.process is not None else 0
        memory, cpu = usage(pid) if pid else (0, 0.0)
        role, index = self.member
        return WorkerRecord(
            role, index, pid, self.state, self.restarts.total, self.since, memory=memory, cpu=cpu, details=self.details
        )


def usage(pid: int) -> tuple[int, float]:
    """Resident bytes and CPU seconds of a process; zeros when it is gone."""
    import psutil  # here, because it is only needed when somebody asks and not free to load

    try:
        process = psutil.Process(pid)
        times = process.cpu_times()
        return int(process.memory_info().rss), float(times.user + times.system)
    except psutil.Error:
        return 0, 0.0
