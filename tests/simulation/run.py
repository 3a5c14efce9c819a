"""One run: a plan carried out in virtual time, watched at every step, and judged at the end."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from node.codec import borsh
from node.context.owner.verify import verified_root
from node.dag.delta import CausalDelta
from node.errors import CalimeroError, IndexMismatch, StorageError
from node.events import Notice
from node.primitives import DeltaId, Hash
from node.storage.action import Action, DeleteRef
from node.storage.entities import EntityIndex
from node.storage.env import INTEROP, REPAIRED
from node.storage.keys import index_key, root_id
from tests.simulation import hostile
from tests.simulation.clock import SECOND, START, Timeline
from tests.simulation.guest import MapGuest
from tests.simulation.links import Links
from tests.simulation.oracle import Oracle, entries
from tests.simulation.plan import Fault, Plan, Write
from tests.simulation.registry import CONTEXT, Registry
from tests.simulation.station import Station

LIVENESS: Final = 60
"""Virtual seconds from the last fault to equal states everywhere, for up to five nodes."""


SMALL_GRAPH: Final = 6
"""Waiting deltas of a node that is short of memory."""

CALM_SECONDS: Final = 10
"""Virtual seconds in which a write reaches everybody when nothing is wrong, a restart just before it included."""


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
        self.liars: set[int] = set()
        self.covered: set[int] = set()
        self.gone: set[int] = set()
        self.stamps: dict[int, tuple[int, int]] = {}
        self.roots: dict[int, list[tuple[int, Hash]]] = {}
        self.counts: dict[str, int] = {}
        guest = MapGuest(INTEROP if plan.interop else REPAIRED)
        self.stations = [
            Station(number, plan.seed, self.time, self.links, self.registry, guest, self._watch, self._told)
            for number in range(plan.nodes)
        ]
        self.links.stations = dict(enumerate(self.stations))
        self.links.tamper = self._tamper

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
        if not self.time.run(self.time.now + LIVENESS * SECOND, self._converged):
            raise Violation(f"not converged {LIVENESS} s after healing: {self._difference()}")
        after = (self.time.now - heal) / SECOND
        self._judge()
        self._write_after_restart()
        return after

    def _write_after_restart(self) -> None:
        """A node that just started writes before anybody follows its topic again; everybody gets the write soon."""
        members = self._members()
        station = members[self.rng.randrange(len(members))]
        station.die()
        self.time.run(self.time.now + SECOND)
        station.boot()
        self._write(Write(0, station.number, f"last{station.number}", "words"))
        if len(members) > 1 and not self.time.run(self.time.now + CALM_SECONDS * SECOND, self._converged):
            raise Violation(f"a write after a restart did not arrive within {CALM_SECONDS} s: {self._difference()}")
        self._judge()

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
        for station in self._members():
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
            self._check_author(station, done.delta, before)
            self.oracle.acknowledged(done.delta)
            self.acknowledged += 1
            self._note(f"write {write.key} at {write.node} -> {done.delta.id}")

    def _check_author(self, station: Station, delta: CausalDelta, before: frozenset[DeltaId]) -> None:
        if before != set(delta.parents):
            raise Violation(f"node {station.number} wrote on other parents than its heads")
        stamp = (station.life, int.from_bytes(delta.hlc[:8], "little"))
        if stamp <= self.stamps.get(station.number, (0, 0)):
            raise Violation(f"node {station.number} stamped two deltas with the same or an earlier time")
        self.stamps[station.number] = stamp

    # faults

    def _strike(self, fault: Fault) -> None:
        self._note(f"fault {fault.kind} {fault.node} {fault.other} {fault.lasts} {fault.amount}")
        begin, end = _FAULTS[fault.kind]
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
        self.liars.clear()
        self.registry.down = False
        for station in self.stations:
            station.fault = None
            station.slow = station.skew = 0
            station.disk.capacity = None

    def _tamper(self, sender: int, data: bytes) -> bytes:
        if sender not in self.liars or len(data) < 40:
            return data
        if self.rng.random() > (0.5 if hostile.is_answer(data) else 0.05):
            return data
        start, end = hostile.checkable(data)
        position = self.rng.randrange(start, end)
        return data[:position] + bytes([data[position] ^ (1 + self.rng.randrange(255))]) + data[position + 1 :]

    # watching

    def _note(self, text: str) -> None:
        line = f"{self.time.elapsed:.6f} {text}"
        self.digest.update(line.encode())
        if self.trace is not None:
            self.trace.append(line)

    def _told(self, station: Station, notice: Notice) -> None:
        self._note(f"[{station.number}] {notice.kind} {notice.name} {notice.fields}")
        self.counts[f"{notice.kind} {notice.name}"] = self.counts.get(f"{notice.kind} {notice.name}", 0) + 1
        if notice.name in ("adopted", "snapshot"):
            self.covered.add(station.number)
        if notice.name == "snapshot":
            self._check_tree(station)
        if notice.name == "ended" and "IndexMismatch" in str(notice.fields.get("detail")):
            peer = self.links.number_of(str(notice.fields["peer"]))
            if not self._lied(peer) and not self._lied(station.number):
                raise Violation(f"node {station.number} got a snapshot from {peer} that does not hash to its root")
        if notice.name == "ended" and notice.fields.get("outcome") == "in sync":
            self._check_success(station, notice)

    def _lied(self, number: int) -> bool:
        return any(fault.kind == "liar" and fault.node == number for fault in self.plan.faults)

    def _check_success(self, station: Station, notice: Notice) -> None:
        """A session that reports success has seen our root and the peer's equal; both had that root meanwhile."""
        ours, theirs = notice.fields["ours"], notice.fields["theirs"]
        peer = self.links.number_of(str(notice.fields["peer"]))
        if ours != theirs:
            raise Violation(f"node {station.number} reports success with {peer} at different roots")
        for number in (station.number, peer):
            if number not in self.liars and all(str(root) != ours for _, root in self.roots.get(number, ())):
                raise Violation(f"node {station.number} reports success at a root that node {number} never had")

    def _watch(self, station: Station) -> None:
        """What holds after every step of an owner."""
        owner = station.here
        state = owner.state
        seen = self.roots.setdefault(station.number, [])
        root = state.meta.root_hash
        if not seen or seen[-1][1] != root:
            seen.append((self.time.now, root))
            self._check_root(station, root)
        if state.dag_loaded and set(state.dag.heads) != set(state.meta.dag_heads):
            raise Violation(f"node {station.number}: the heads on disk are not those of the graph")
        if state.dag_loaded and state.dag.pending_count > station.limit:
            raise Violation(f"node {station.number}: {state.dag.pending_count} waiting deltas, the limit is passed")
        if station.crashes:
            raise Violation(f"node {station.number}: a script crashed: {station.crashes[0]!r}")

    def _check_root(self, station: Station, root: Hash) -> None:
        raw = station.here.state.rows.state(index_key(root_id(CONTEXT)))
        stored = borsh.decode(EntityIndex, raw).full_hash if raw is not None else Hash.zero()
        if stored != root:
            raise Violation(f"node {station.number}: root {root} in the metadata, {stored} in the state")

    def _check_tree(self, station: Station) -> None:
        """After a snapshot every entity that the tree lists is there and hashes to what its parent lists."""
        try:
            verified_root(dict(station.here.state.rows.state_rows()), CONTEXT, station.root)
        except IndexMismatch as mismatch:
            raise Violation(f"node {station.number} installed a snapshot that is not whole: {mismatch}") from None

    # the end

    def _members(self) -> list[Station]:
        return [
            station
            for station in self.stations
            if station.number not in self.gone and station.member in self.registry.members
        ]

    def _converged(self) -> bool:
        if self.time.steps % 16:
            return False
        members = self._members()
        if not all(station.up and station.installed for station in members):
            return False
        roots = {station.root for station in members}
        if len(roots) != 1 or next(iter(roots)).is_zero:
            return False
        heads = {head for station in members for head in station.here.state.meta.dag_heads}
        return all(
            not station.here.state.dag.pending_count and all(head in station.here.state.dag for head in heads)
            for station in members
        )

    def _difference(self) -> str:
        parts = []
        for station in self._members():
            if station.up:
                heads = station.here.heads()
                parts.append(
                    f"{station.number}: {str(heads.root)[:6]} heads={len(heads.heads)} pending={heads.pending} "
                    f"missing={len(heads.missing)} deltas={len(station.here.state.dag)}"
                )
            else:
                parts.append(f"{station.number}: down")
        return "; ".join(parts)

    def _judge(self) -> None:
        """Every acknowledged write is everywhere, and each key has the value of the last one."""
        members = self._members()
        self._check_deltas(members)
        self._check_parents(members)
        for station in members:
            self._check_held(station)
        extra = {}
        for station in members:
            for link in station.here.state.dag.applied():
                delta = station.here.delta(link.id)
                if delta is not None:
                    extra[delta.id] = delta
        winners = self.oracle.winners(extra)
        keys = sorted({write.key for write in self.plan.writes} | {f"mark{s.number}" for s in self.stations})
        keys += [f"last{s.number}" for s in self.stations] + ["hostile", "tie", "grave"]
        names = entries(keys)
        for station in members:
            for entity, name in names.items():
                self._check_value(station, name, winners.get(entity))

    def _check_deltas(self, members: list[Station]) -> None:
        for station in members:
            dag = station.here.state.dag
            for delta_id in self.oracle.changes:
                if delta_id not in dag and not self._covered(station, delta_id):
                    raise Violation(f"acknowledged delta {delta_id} is not on node {station.number}")

    def _check_parents(self, members: list[Station]) -> None:
        """A delta has the same parents everywhere, unless a snapshot covers it."""
        known: dict[DeltaId, tuple[DeltaId, ...]] = {}
        for station in members:
            dag = station.here.state.dag
            for link in dag.applied():
                if not link.parents:
                    raise Violation(f"node {station.number} applied delta {link.id}, which has no parents")
                if not dag.covers(link.id) and known.setdefault(link.id, link.parents) != link.parents:
                    raise Violation(f"delta {link.id} has other parents on node {station.number}")

    def _check_held(self, station: Station) -> None:
        """Deltas that waited for a key are released or counted as dropped, never gone."""
        context = station.manager.core.contexts[CONTEXT]
        counts = context.counters.counts
        gone = counts.get("sealed deltas released", 0) + counts.get("sealed deltas dropped", 0)
        if counts.get("sealed deltas held", 0) != gone + len(context.sealed):
            raise Violation(f"node {station.number} lost sealed deltas")

    def _covered(self, station: Station, delta_id: DeltaId) -> bool:
        """A node that took a snapshot or adopted heads has effects without the deltas behind them."""
        dag = station.here.state.dag
        return station.number in self.covered or any(dag.covers(link.id) for link in dag.applied())

    def _check_value(self, station: Station, key: str, winner: object) -> None:
        found = station.read(key)
        data = getattr(winner, "data", None)
        if data is None and found is not None:
            raise Violation(
                f"node {station.number} has {key!r} = {str(found)[:20]!r}, which was removed or never written"
            )
        if data is not None and (found is None or str(found).encode() not in data):
            raise Violation(
                f"node {station.number} has {key!r} = {str(found)[:20]!r}, the last acknowledged write differs"
            )


def _time(at: float) -> int:
    return START + int(at * SECOND)


# -- what each fault does

Act = Callable[[Run, Fault], None]


def _cut(run: Run, fault: Fault, *, both: bool, value: bool) -> None:
    run.links.wire(fault.node, fault.other).cut = value
    if both:
        run.links.wire(fault.other, fault.node).cut = value


def _isolate(run: Run, fault: Fault, *, value: bool) -> None:
    for other in range(run.plan.nodes):
        if other != fault.node:
            run.links.wire(fault.node, other).cut = value
            run.links.wire(other, fault.node).cut = value


def _flap(run: Run, fault: Fault) -> None:
    for number in range(6):
        run.time.later(
            int(fault.lasts * SECOND * number / 6),
            lambda number=number: _cut(run, fault, both=True, value=number % 2 == 0),  # type: ignore[misc]
        )


def _set_wires(run: Run, fault: Fault, name: str, value: float) -> None:
    for other in range(run.plan.nodes):
        if other != fault.node:
            setattr(run.links.wire(fault.node, other), name, type(getattr(run.links.wire(0, 1), name))(value))


def _reset_streams(run: Run, fault: Fault) -> None:
    run.links.reset_streams(fault.node, fault.other)


def _arm_crash(run: Run, fault: Fault) -> None:
    station = run.stations[fault.node]
    if station.up:
        station.fault = "before" if fault.kind == "crash before" else "after"


def _disarm_crash(run: Run, fault: Fault) -> None:
    run.stations[fault.node].fault = None


def _kill(run: Run, fault: Fault) -> None:
    station = run.stations[fault.node]
    if station.up:
        station.die()
        run.time.later(int(fault.lasts * SECOND), lambda: None if station.up or _gone(run, station) else station.boot())


def _gone(run: Run, station: Station) -> bool:
    return station.number in run.gone


def _disk_full(run: Run, fault: Fault) -> None:
    disk = run.stations[fault.node].disk
    disk.capacity = disk.used + int(fault.amount * 4000)


def _disk_free(run: Run, fault: Fault) -> None:
    run.stations[fault.node].disk.capacity = None


def _slow(run: Run, fault: Fault) -> None:
    run.stations[fault.node].slow = int((0.05 + fault.amount) * SECOND)


def _fast(run: Run, fault: Fault) -> None:
    run.stations[fault.node].slow = 0


def _skew(run: Run, fault: Fault) -> None:
    """Within the tolerance of peers; a clock further away is refused until it is set right."""
    run.stations[fault.node].skew = int((fault.amount - 0.5) * 8 * SECOND)


def _unskew(run: Run, fault: Fault) -> None:
    run.stations[fault.node].skew = 0


def _join(run: Run, fault: Fault) -> None:
    station = run.stations[fault.node]
    if station.number not in run.plan.late or station.up or station.life or _gone(run, station):
        return
    if station.member not in run.registry.members:
        run.registry.add(station.member)
    try:
        station.adopt()
    except StorageError:
        run.time.later(SECOND, lambda: _join(run, fault))
        return
    station.boot()
    if fault.amount > 0.6:  # sometimes the process dies while the state comes in
        run.time.later(int(fault.amount * 0.3 * SECOND), lambda: _arm_crash(run, fault))
        run.time.later(2 * SECOND, lambda: _disarm_crash(run, fault))


def _leave(run: Run, fault: Fault) -> None:
    """Never the first node, and never with the only copy of a write: what nobody else has cannot reach anybody."""
    station = run.stations[fault.node]
    if fault.node == 0 or fault.amount < 0.5 or station.member not in run.registry.members:
        return
    others = [other for other in run.stations if other is not station and other.up and other.number not in run.gone]
    if not station.up or not _known_elsewhere(station, others):
        return
    run.registry.remove(station.member)
    run.gone.add(fault.node)
    station.die()


def _known_elsewhere(station: Station, others: list[Station]) -> bool:
    """Whether everything that the leaver has is applied at another node that stays."""
    held = [link.id for link in station.here.state.dag.applied()]
    return any(all(other.here.state.dag.parents(d) is not None for d in held) for other in others)


def _lie(run: Run, fault: Fault) -> None:
    """A member that garbles its answers and publishes badly made deltas."""
    run.liars.add(fault.node)
    station = run.stations[fault.node]
    run.time.later(int(fault.lasts * SECOND / 3), lambda: _forge(run, station))


def _forge(run: Run, station: Station) -> None:
    if not station.up or not station.here.state.initialised:
        return
    for message in (hostile.orphan(station), hostile.reparented(station)):
        if message is not None:
            station.publish(message)
    made = hostile.stale_inside(station, run.rng)
    if made is not None:
        station.publish(hostile.sealed(station, made, made.parents))
        if station.take(made):
            run.oracle.acknowledged(made)


def _diverge(run: Run, fault: Fault) -> None:
    """One node's state changes without a delta, as an older version's mistake would leave it: a key set or removed."""
    station = run.stations[fault.node]
    if run.plan.interop or not (station.up and station.installed and station.here.state.initialised):
        return
    at, key = station.wall(), f"k{int(fault.amount * 7)}"
    if fault.amount < 0.3:
        action: Action = hostile.added(station, f"quiet{int(fault.amount * 1000)}", "unexplained", at)
    else:
        action = hostile.added(station, key, "unexplained", at) if fault.amount < 0.6 else hostile.removed(key, at)
    if isinstance(action, DeleteRef) and station.read(key) is None:
        return
    if station.merge(action):
        run.oracle.unexplained(action)
    _tie(run, station, run.stations[fault.other])
    _bury_twice(run, station)


def _tie(run: Run, station: Station, other: Station) -> None:
    """A key is removed on one node at the very time at which another node sets it: the removal wins."""
    if not (station.up and other.up and other.installed and other.here.state.initialised):
        return
    at = max(station.wall(), other.wall())
    for where, action in (
        (station, hostile.added(station, "tie", "short", at - 1)),
        (station, hostile.removed("tie", at)),
        (other, hostile.added(other, "tie", "tied", at)),
    ):
        if not where.merge(action):
            return  # a full disk; and where the key never came, its removal leaves nothing behind
        run.oracle.unexplained(action)


def _bury_twice(run: Run, station: Station) -> None:
    """A key was removed, and an earlier removal and an earlier write of it come late: it stays removed."""
    at = station.wall()
    for action in (
        hostile.added(station, "grave", "first", at - 3),
        hostile.removed("grave", at),
        hostile.removed("grave", at - 2),
        hostile.added(station, "grave", "late", at - 1),
    ):
        if not station.merge(action):
            return
        run.oracle.unexplained(action)


def _shrink_graph(run: Run, fault: Fault) -> None:
    """The node starts again with room for few waiting deltas."""
    run.stations[fault.node].pending_limit = SMALL_GRAPH
    _kill(run, replace(fault, lasts=0.5))


def _be_honest(run: Run, fault: Fault) -> None:
    run.liars.discard(fault.node)


def _registry(run: Run, fault: Fault, *, down: bool) -> None:
    run.registry.down = down


def _uninstall(run: Run, fault: Fault) -> None:
    if fault.node != 0:
        run.stations[fault.node].installed = False
        if fault.amount < 0.5:  # and it starts again without the application
            run.time.later(SECOND // 3, lambda: _kill(run, replace(fault, lasts=0.5)))


_FAULTS: dict[str, tuple[Act, Act | None]] = {
    "partition": (
        lambda run, fault: _isolate(run, fault, value=True),
        lambda run, fault: _isolate(run, fault, value=False),
    ),
    "one way": (
        lambda run, fault: _cut(run, fault, both=False, value=True),
        lambda run, fault: _cut(run, fault, both=False, value=False),
    ),
    "flap": (_flap, lambda run, fault: _cut(run, fault, both=True, value=False)),
    "drop": (
        lambda run, fault: _set_wires(run, fault, "drop", 0.2 + fault.amount * 0.6),
        lambda run, fault: _set_wires(run, fault, "drop", 0.0),
    ),
    "delay": (
        lambda run, fault: _set_wires(run, fault, "delay", fault.amount * 2 * SECOND),
        lambda run, fault: _set_wires(run, fault, "delay", 0),
    ),
    "duplicate": (
        lambda run, fault: _set_wires(run, fault, "duplicate", 0.5),
        lambda run, fault: _set_wires(run, fault, "duplicate", 0.0),
    ),
    "reorder": (
        lambda run, fault: _set_wires(run, fault, "reorder", 0.5),
        lambda run, fault: _set_wires(run, fault, "reorder", 0.0),
    ),
    "reset streams": (_reset_streams, None),
    "crash before": (_arm_crash, _disarm_crash),
    "crash after": (_arm_crash, _disarm_crash),
    "kill": (_kill, None),
    "disk full": (_disk_full, _disk_free),
    "slow apply": (_slow, _fast),
    "clock skew": (_skew, _unskew),
    "clock jump": (_skew, None),
    "late join": (_join, None),
    "leave": (_leave, None),
    "liar": (_lie, _be_honest),
    "registry down": (
        lambda run, fault: _registry(run, fault, down=True),
        lambda run, fault: _registry(run, fault, down=False),
    ),
    "no application": (_uninstall, None),
    "unexplained": (_diverge, None),
    "small graph": (_shrink_graph, None),
}


def simulate(plan: Plan, *, trace: bool = False) -> Result:
    """Run a plan."""
    return Run(plan, trace=trace).run()
