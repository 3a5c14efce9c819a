"""The main loop over all workers of a node.

All workers are started at once. A worker that dies is started again with new channels to its peers, after a growing
pause; one that dies too often, or never becomes ready, takes the node down. A stop goes by stages: who asks ends before
who answers. Everything happens in one thread on one hub; nothing here blocks except the writing of log lines.
"""

from __future__ import annotations

import json
import logging
import signal
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

from node.config.model import NodeConfig
from node.errors import CalimeroError, WorkerError
from workers.channels.blocking import Hub
from workers.channels.core import Outcome
from workers.channels.link import socket_pair
from workers.channels.peers import refuse
from workers.messages import Message, Note, Request
from workers.messages.control import (
    Attach,
    Detach,
    ListWorkers,
    LogLine,
    LogPage,
    LogsGrew,
    Ping,
    Pong,
    Ready,
    Stop,
    TailLogs,
    WorkerList,
)
from workers.roles import ROLES, STOP_STAGES, Role, linked, members
from workers.start import WorkerStart
from workers.supervisor.output import LogOutput
from workers.supervisor.policy import KILL_SILENT_AFTER, PING_INTERVAL, READY_TIMEOUT, judge
from workers.supervisor.process import end_tracker, spawn
from workers.supervisor.slot import Slot

__all__ = ["Supervisor"]

STAGE_GRACE: Final = 3.0
"""Seconds that the workers of one stage have to finish at a stop; then they are killed. RocksDB loses nothing by it."""

_log: Final = logging.getLogger(__name__)
Report = Callable[[str, Mapping[str, Any]], None]
"""Called with the state of the node (starting, ready, stopping, failed) and its details."""


class Supervisor:
    """Runs one node until it is stopped. ``roles`` is the table of workers, another one in tests."""

    def __init__(
        self,
        home: Path,
        config: NodeConfig,
        output: LogOutput,
        *,
        report: Report,
        roles: Mapping[str, Role] = ROLES,
    ) -> None:
        self._home, self._config, self._output, self._report, self._roles = home, config, output, report, roles
        self._hub = Hub(self._asked, self._told, on_lost=self._control_lost)
        self._slots = {slot.name: slot for slot in map(Slot, members(config)) if slot.member[0] in roles}
        self._state = "starting"
        self._stage = -1
        self._failure: WorkerError | None = None
        self._tailing: set[str] = set()
        """Who found no new log line, and is told of the next one."""

        output.on_line = self._logs_grew

    # -- life

    def run(self) -> None:
        """Start everything and serve until the end. Raises :class:`WorkerError` if the node could not go on."""
        with self._signals():
            try:
                self._tell_state("starting")
                self._start_all()
                self._hub.call_later(PING_INTERVAL, self._ping_all)
                self._hub.run()
            finally:
                self._kill_all()
                self._hub.close()
                end_tracker()
        if self._failure is not None:
            raise self._failure

    def stop(self, reason: str) -> None:
        """Begin the ordered stop; a second call kills what is left."""
        if self._state == "stopping":
            _log.warning("%s again: killing what is left", reason)
            self._hub.stop()
            return
        _log.info("stopping: %s", reason)
        self._tell_state("stopping")
        self._next_stage()

    def watch_tether(self, descriptor: int) -> None:
        """Stop when the other end of this descriptor closes: the program that wanted the node is gone."""

        def gone() -> None:
            self._hub.unwatch(descriptor)
            self.stop("the program that started this node is gone")

        self._hub.watch(descriptor, gone)

    def _signals(self) -> _Handlers:
        return _Handlers(
            {signal.SIGINT: self._on_signal, signal.SIGTERM: self._on_signal, signal.SIGHUP: self._on_signal}
        )

    def _on_signal(self, number: int, _: object) -> None:
        self._hub.call_soon(partial(self.stop, signal.Signals(number).name))

    def _tell_state(self, state: str) -> None:
        self._state = state
        self._report(state, self._details())

    def _details(self) -> dict[str, Any]:
        return {
            "workers": {
                slot.name: {
                    "pid": slot.process.pid if slot.process else 0,
                    "state": slot.state,
                    **_parsed(slot.details),
                }
                for slot in self._slots.values()
            }
        }

    # -- starting

    def _start_all(self) -> None:
        ends: dict[str, dict[str, socket.socket]] = {name: {} for name in self._slots}
        for left, right in self._links():
            ends[left.name][right.name], ends[right.name][left.name] = socket_pair()
        for name, slot in self._slots.items():
            self._start(slot, ends[name])

    def _links(self) -> Iterator[tuple[Slot, Slot]]:
        slots = list(self._slots.values())
        for position, left in enumerate(slots):
            for right in slots[position + 1 :]:
                if linked(left.member, right.member):
                    yield left, right

    def _start(self, slot: Slot, peers: dict[str, socket.socket]) -> None:
        ours, theirs = socket_pair()
        role, index = slot.member
        start = WorkerStart(role, index, self._home, self._config, theirs, peers, self._config.log.filter)
        slot.generation += 1
        slot.started = slot.heard = time.monotonic()
        slot.age, slot.warned = 0.0, ""
        slot.process = spawn(start, self._roles[role])
        slot.become("starting")
        self._hub.attach(slot.name, ours)
        self._hub.watch(slot.process.sentinel, partial(self._exited, slot))
        self._hub.call_later(READY_TIMEOUT, partial(self._check_ready, slot, slot.generation))

    def _check_ready(self, slot: Slot, generation: int) -> None:
        if slot.generation == generation and slot.state == "starting":
            self._kill(slot, f"was not ready after {READY_TIMEOUT:.0f} s")

    def _became_ready(self, slot: Slot, details: bytes) -> None:
        slot.details = details
        slot.restarts.was_ready = True
        slot.heard = time.monotonic()
        slot.become("ready")
        _log.info("%s is ready after %.2f s", slot.name, time.monotonic() - slot.started)
        if self._state == "starting" and all(item.state == "ready" for item in self._slots.values()):
            self._tell_state("ready")
        elif self._state == "ready":
            self._tell_state("ready")  # addresses and process ids may be new ones

    # -- ends and restarts

    def _exited(self, slot: Slot) -> None:
        process = slot.process
        if process is None:
            return
        self._hub.unwatch(process.sentinel)
        self._hub.drain(slot.name)  # the reason of its end is among its last words
        process.join()
        code = process.exitcode
        process.close()
        slot.process = None
        if self._state == "stopping":
            slot.become("stopped")
            self._tell_state("stopping")
            self._stage_done(self._stage)
        else:
            self._plan_restart(slot, code)

    def _plan_restart(self, slot: Slot, code: int | None) -> None:
        self._hub.detach(slot.name)
        delay = slot.restarts.delay(time.monotonic())
        ended = f"{slot.name} ended {_how(code)}"
        if delay is None:
            self._give_up(slot, ended)
            return
        _log.error("%s; it is started again in %.1f s", ended, delay)
        slot.become("restarting")
        for peer in self._living_peers(slot):
            self._hub.note(peer.name, Detach(*slot.member))
        self._hub.call_later(delay, partial(self._restart, slot))

    def _restart(self, slot: Slot) -> None:
        if self._state == "stopping" or slot.alive:
            return
        peers: dict[str, socket.socket] = {}
        for peer in self._living_peers(slot):
            peers[peer.name], theirs = socket_pair()
            self._hub.note(peer.name, Attach(*slot.member), theirs)
        self._start(slot, peers)

    def _living_peers(self, slot: Slot) -> list[Slot]:
        return [peer for peer in self._slots.values() if peer.alive and linked(slot.member, peer.member)]

    def _give_up(self, slot: Slot, ended: str) -> None:
        slot.become("failed")
        times = f" {slot.restarts.recent + 1} times within a minute" if slot.restarts.was_ready else " while it started"
        reason = f": {slot.last_fault}" if slot.last_fault else ""
        self._failure = WorkerError(f"{ended}{times}{reason}")
        _log.critical("%s; the node goes down", self._failure)
        self._tell_state("failed")
        self.stop(f"{slot.name} failed")

    def _kill(self, slot: Slot, why: str) -> None:
        if slot.process is not None:
            _log.error("%s %s", slot.name, why)
            slot.last_fault = slot.last_fault or why
            slot.process.kill()

    # -- liveness

    def _ping_all(self) -> None:
        now = time.monotonic()
        for slot in self._slots.values():
            if slot.alive and slot.state == "ready":
                self._ping(slot, now)
        self._hub.call_later(PING_INTERVAL, self._ping_all)

    def _ping(self, slot: Slot, now: float) -> None:
        verdict = judge(now - slot.heard, slot.age)
        if verdict is not None and verdict.kill:
            self._kill(slot, verdict.text)
            return
        if verdict is not None and verdict.text != slot.warned:
            _log.warning("%s %s", slot.name, verdict.text)
        slot.warned = verdict.text if verdict is not None else ""
        try:
            self._hub.send(slot.name, Ping(), partial(self._heard, slot, slot.generation), timeout=KILL_SILENT_AFTER)
        except CalimeroError as error:
            _log.debug("no ping for %s: %s", slot.name, error)

    def _heard(self, slot: Slot, generation: int, outcome: Outcome) -> None:
        if isinstance(outcome, Pong) and slot.generation == generation:
            slot.heard, slot.age = time.monotonic(), outcome.age

    def _control_lost(self, name: str, _: Exception | None) -> None:
        """A worker whose life line is gone is dead, or cannot be led any more."""
        slot = self._slots[name]
        self._hub.call_later(1.0, partial(self._kill_if, slot, slot.generation))

    def _kill_if(self, slot: Slot, generation: int) -> None:
        if slot.generation == generation and slot.alive and self._state != "stopping":
            self._kill(slot, "closed its control channel")

    # -- stopping

    def _next_stage(self) -> None:
        self._stage += 1
        if self._stage >= STOP_STAGES:
            self._hub.stop()
            return
        for slot in self._in_stage():
            slot.become("stopping")
            self._hub.note(slot.name, Stop(STAGE_GRACE))
        self._hub.call_later(STAGE_GRACE, partial(self._stage_over, self._stage))
        self._stage_done(self._stage)

    def _in_stage(self) -> list[Slot]:
        return [
            slot
            for slot in self._slots.values()
            if slot.alive and self._roles[slot.member[0]].stop_stage == self._stage
        ]

    def _stage_done(self, stage: int) -> None:
        if stage == self._stage and not self._in_stage():
            self._next_stage()

    def _stage_over(self, stage: int) -> None:
        if stage == self._stage:
            for slot in self._in_stage():
                self._kill(slot, f"did not stop within {STAGE_GRACE:.0f} s and is killed")

    def _kill_all(self) -> None:
        """Whatever happened: no worker outlives this."""
        for slot in self._slots.values():
            if (process := slot.process) is not None:
                process.kill()
        for slot in self._slots.values():
            if (process := slot.process) is not None:
                process.join()
                process.close()
                slot.process = None

    # -- what workers say

    def _asked(self, name: str, request: Request[Any]) -> Message:
        if isinstance(request, ListWorkers):
            return WorkerList([slot.record() for slot in self._slots.values()])
        if isinstance(request, TailLogs):
            return self._tail(name, request)
        return refuse(request)

    def _tail(self, name: str, request: TailLogs) -> LogPage:
        page = self._output.recent.page(request.after, request.limit)
        if not page.events:
            self._tailing.add(name)
        return LogPage(page.events, page.cursor, page.lost)

    def _logs_grew(self) -> None:
        """Armed once per reader; a log line that this itself causes tells nobody again."""
        if self._tailing:
            waiting, self._tailing = self._tailing, set()
            self._hub.call_soon(partial(self._tell_growth, waiting))

    def _tell_growth(self, names: set[str]) -> None:
        for name in names:
            self._hub.note(name, LogsGrew())

    def _told(self, name: str, note: Note) -> None:
        slot = self._slots[name]
        if isinstance(note, LogLine):
            if note.level == "critical":
                slot.last_fault = note.text.partition("\n")[0]
            self._output.write(name, note)
        elif isinstance(note, Ready) and slot.alive:
            self._became_ready(slot, note.details)


class _Handlers:
    """Signal handlers for the time of a block."""

    def __init__(self, handlers: Mapping[signal.Signals, Callable[[int, object], None]]) -> None:
        self._handlers = handlers
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> None:
        for number, handler in self._handlers.items():
            self._before[number] = signal.signal(number, handler)

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _how(code: int | None) -> str:
    if code is None:
        return "in an unknown way"
    if code < 0:
        return f"by {signal.Signals(-code).name}" if -code in signal.valid_signals() else f"by signal {-code}"
    return f"with exit code {code}"


def _parsed(details: bytes) -> dict[str, Any]:
    try:
        value = json.loads(details)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
