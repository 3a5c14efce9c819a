"""One run: a plan carried out in virtual time, watched at every step, and judged at the end."""

from __future__ import annotations

import hashlib
import random
from typing import Final

from node.errors import CalimeroError, StorageError
from node.events import Notice
from node.storage.env import INTEROP, REPAIRED
from tests.simulation import hostile
from tests.simulation.clock import SECOND, START, Timeline
from tests.simulation.faults import FAULTS
from tests.simulation.guest import MapGuest
from tests.simulation.judge import Judge
from tests.simulation.links import Links
from tests.simulation.oracle import Oracle
from tests.simulation.plan import Fault, Plan, Write
from tests.simulation.registry import Registry
from tests.simulation.result import Result, Violation
from tests.simulation.station import Station
from tests.simulation.watch import Watch

LIVENESS: Final = 60
"""Virtual seconds from the last fault to equal states everywhere, for up to five nodes."""

CALM_SECONDS: Final = 10
"""Virtual seconds in which a write reaches everybody when nothing is wrong, a restart just before it included."""


class Run:
    """Carries out one plan."""

    def __init__(self, plan: Plan, *, trace: bool = False) -> None:
        self.plan = plan
        self.time = Timeline()
        self.rng = random.Random(f"run {plan.seed}")
        self.links = Links(self.time, self.rng)
        self.registry = Registry()
        self.oracle = Oracle()
        self.digest = hashlib.sha256()
        self.trace: list[str] | None = [] if trace else None
        self.acknowledged = 0
        self.gone: set[int] = set()
        self.unexplained: set[int] = set()
        """Nodes whose state changed without a delta."""
        self.watch = Watch(plan, self.time, self.links)
        guest = MapGuest(INTEROP if plan.interop else REPAIRED)
        self.stations = [
            Station(number, plan.seed, self.time, self.links, self.registry, guest, self.watch.stepped, self._told)
            for number in range(plan.nodes)
        ]
        self.links.stations = dict(enumerate(self.stations))
        self.links.tamper = self._tamper
        self.judge = Judge(plan, self.time, self.stations, self.registry, self.oracle, self.watch, self.gone)

    # the run

    def run(self) -> Result:
        """Carry the plan out. Never raises: a violation is in the result."""
        violation, after = None, 0.0
        try:
            after = self._run()
        except Violation as found:
            violation = str(found)
        except Exception as crash:  # noqa: BLE001  # a bug of the code under test is a finding like any other
            violation = f"crash: {type(crash).__name__}: {crash}"
        return Result(
            self.plan.seed,
            violation,
            self.digest.hexdigest(),
            after,
            self.time.elapsed,
            self.time.steps,
            self.acknowledged,
            self.trace or [],
        )

    def _run(self) -> float:
        self._begin()
        for write in self.plan.writes:
            self.time.at(_time(write.at), lambda write=write: self._write(write))  # type: ignore[misc]
        for fault in self.plan.faults:
            self.time.at(_time(fault.at), lambda fault=fault: self._strike(fault))  # type: ignore[misc]
        heal = _time(self.plan.heal_at)
        self.time.run(heal)
        self._heal()
        self._final_marks()
        if not self.time.run(self.time.now + LIVENESS * SECOND, self.judge.converged):
            raise Violation(f"not converged {LIVENESS} s after healing: {self.judge.difference()}")
        after = (self.time.now - heal) / SECOND
        self.judge.check()
        self._write_after_restart()
        return after

    def _write_after_restart(self) -> None:
        """A node that just started writes before anybody follows its topic again; everybody gets the write soon."""
        members = self.judge.members()
        station = members[self.rng.randrange(len(members))]
        station.die()
        self.time.run(self.time.now + SECOND)
        station.boot()
        self._write(Write(0, station.number, f"last{station.number}", "words"))
        if len(members) > 1 and not self.time.run(self.time.now + CALM_SECONDS * SECOND, self.judge.converged):
            raise Violation(
                f"a write after a restart did not arrive within {CALM_SECONDS} s: {self.judge.difference()}"
            )
        self.judge.check()

    def _begin(self) -> None:
        first, *others = self.stations
        for station in self.stations:
            if station.number not in self.plan.late:
                self.registry.add(station.member)
        first.create()
        first.boot()
        for station in others:
            if station.number not in self.plan.late:
                station.adopt()
                station.boot()
        self.links.keep_connected()

    def _final_marks(self) -> None:
        """One more write at each node: a network that is quiet in itself must also carry what comes next."""
        for station in self.judge.members():
            self._write(Write(0, station.number, f"mark{station.number}", "done"))

    # writes

    def _write(self, write: Write) -> None:
        station = self.stations[write.node]
        if station.number in self.gone:
            return
        method, args = (
            ("remove", write.key) if write.value is None else ("set", [write.key, f"{write.value}@{write.node}"])
        )
        before = frozenset(station.here.state.meta.dag_heads) if station.up else frozenset()
        try:
            done = station.execute(method, args)
        except (CalimeroError, StorageError) as error:
            self._note(f"write refused at {write.node}: {type(error).__name__}")
            return
        if done is not None and done.delta is not None:
            self.watch.check_author(station, done.delta, before)
            self.oracle.acknowledged(done.delta)
            self.acknowledged += 1
            self._note(f"write {write.key} at {write.node} -> {done.delta.id}")

    # faults

    def _strike(self, fault: Fault) -> None:
        self._note(f"fault {fault.kind} {fault.node} {fault.other} {fault.lasts} {fault.amount}")
        begin, end = FAULTS[fault.kind]
        begin(self, fault)
        if end is not None:
            self.time.later(int(fault.lasts * SECOND), lambda: end(self, fault))

    def _heal(self) -> None:
        """Every fault is over; nodes that are down come back."""
        self._note("heal")
        for left in range(self.plan.nodes):
            for right in range(self.plan.nodes):
                wire = self.links.wire(left, right)
                wire.cut = False
                wire.drop = wire.duplicate = wire.reorder = 0.0
                wire.delay = 0
        self.watch.liars.clear()
        self.registry.down = False
        for station in self.stations:
            station.fault = None
            station.slow = station.skew = 0
            station.disk.capacity = None

    def _tamper(self, sender: int, data: bytes) -> bytes:
        if sender not in self.watch.liars or len(data) < 40:
            return data
        if self.rng.random() > (0.5 if hostile.is_answer(data) else 0.05):
            return data
        start, end = hostile.checkable(data)
        position = self.rng.randrange(start, end)
        return data[:position] + bytes([data[position] ^ (1 + self.rng.randrange(255))]) + data[position + 1 :]

    # the record

    def _note(self, text: str) -> None:
        line = f"{self.time.elapsed:.6f} {text}"
        self.digest.update(line.encode())
        if self.trace is not None:
            self.trace.append(line)

    def _told(self, station: Station, notice: Notice) -> None:
        self._note(f"[{station.number}] {notice.kind} {notice.name} {notice.fields}")
        self.watch.told(station, notice)


def _time(at: float) -> int:
    return START + int(at * SECOND)


def simulate(plan: Plan, *, trace: bool = False) -> Result:
    """Run a plan."""
    return Run(plan, trace=trace).run()
