"""Between the supervisor and each worker, over the worker's control channel."""

from __future__ import annotations

from workers.messages.base import Message, Note, Record, Request

__all__ = [
    "Attach",
    "Detach",
    "ListWorkers",
    "LogLine",
    "LogPage",
    "LogsGrew",
    "Ping",
    "Pong",
    "Ready",
    "Stop",
    "TailLogs",
    "WorkerList",
    "WorkerRecord",
]


class Ready(Note, frozen=True):
    """To the supervisor: the worker serves. ``details`` is a JSON object, e.g. bound addresses."""

    details: bytes = b"{}"


class Attach(Note, frozen=True):
    """To a worker: a new channel to ``peer`` (``index`` for runtime workers). Its descriptor comes with the message."""

    peer: str
    index: int = 0


class Detach(Note, frozen=True):
    """To a worker: ``peer`` died; its channel is dead, a new one follows with :class:`Attach`."""

    peer: str
    index: int = 0


class Stop(Note, frozen=True):
    """To a worker: finish what is in flight within ``grace`` seconds, then exit."""

    grace: float = 5.0


class Ping(Request["Pong"], frozen=True):
    """To a worker: are you alive?"""


class Pong(Message, frozen=True):
    """``age``: seconds since the worker's own loop last turned."""

    age: float


class LogLine(Note, frozen=True):
    """To the supervisor: one log record. ``at`` is unix time in seconds."""

    at: float
    level: str
    logger: str
    text: str
    dropped: int = 0


class TailLogs(Request["LogPage"], frozen=True):
    """To the supervisor, from the server: log lines of all workers behind ``after``, oldest first."""

    after: int = 0
    limit: int = 100


class LogPage(Message, frozen=True):
    """``lines`` are JSON objects; ``cursor`` is the number of the last one; ``lost``: older ones are no longer kept."""

    lines: list[str]
    cursor: int
    lost: bool


class LogsGrew(Note, frozen=True):
    """To the server: there are lines behind what it saw. Told once after each :class:`TailLogs` that found none."""


class ListWorkers(Request["WorkerList"], frozen=True):
    """To the supervisor, from the server."""


class WorkerRecord(Record, frozen=True):
    """A worker process. ``state``: starting, ready, stopping, restarting, failed. Memory in bytes, CPU in seconds."""

    role: str
    index: int
    pid: int
    state: str
    restarts: int
    since: float
    memory: int = 0
    cpu: float = 0.0
    details: bytes = b"{}"


class WorkerList(Message, frozen=True):
    workers: list[WorkerRecord]
