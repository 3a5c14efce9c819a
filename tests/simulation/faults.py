"""What each kind of fault does to a run, when it begins and when it ends: one table.

A fault touches links, disks, clocks, processes and members; it decides nothing about what is right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from node.errors import StorageError
from node.storage.action import Action, DeleteRef
from tests.simulation import hostile
from tests.simulation.clock import SECOND
from tests.simulation.plan import Fault, FaultKind
from tests.simulation.station import Station

if TYPE_CHECKING:
    from tests.simulation.run import Run

SMALL_GRAPH: Final = 6
"""Waiting deltas of a node that is short of memory."""


Act = Callable[["Run", Fault], None]
"""Begins or ends a fault."""


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
    if not station.up or not _known_elsewhere(run, station, others):
        return
    run.registry.remove(station.member)
    run.gone.add(fault.node)
    station.die()


def _known_elsewhere(run: Run, station: Station, others: list[Station]) -> bool:
    """Whether everything that the leaver has is applied at another node that stays, what no delta carries included."""
    if station.number in run.unexplained and all(other.root != station.root for other in others):
        return False
    held = [link.id for link in station.here.state.dag.applied()]
    return any(all(other.here.state.dag.parents(d) is not None for d in held) for other in others)


def _lie(run: Run, fault: Fault) -> None:
    """A member that garbles its answers and publishes badly made deltas."""
    run.watch.liars.add(fault.node)
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
    other = run.stations[fault.other]
    if run.plan.interop or not _sound(station):
        return
    at, key = station.wall(), f"k{int(fault.amount * 7)}"
    if fault.amount < 0.3:
        action: Action = hostile.added(station, f"quiet{int(fault.amount * 1000)}", "unexplained", at)
    else:
        action = hostile.added(station, key, "unexplained", at) if fault.amount < 0.6 else hostile.removed(key, at)
    if isinstance(action, DeleteRef) and station.read(key) is None:
        return
    _merge(run, station, action)
    if _sound(other):
        _tie(run, station, other)
    _bury_twice(run, station)


def _sound(station: Station) -> bool:
    """Whether the node takes a change and says so: one that dies in the commit leaves it open what is on its disk."""
    return station.up and station.installed and station.fault is None and station.here.state.initialised


def _merge(run: Run, station: Station, action: Action) -> bool:
    """Change the state without a delta; False when the disk is full."""
    if not station.merge(action):
        return False
    run.oracle.unexplained(action)
    run.unexplained.add(station.number)
    return True


def _tie(run: Run, station: Station, other: Station) -> None:
    """A key is removed on one node at the very time at which another node sets it: the removal wins."""
    at = max(station.wall(), other.wall())
    for where, action in (
        (station, hostile.added(station, "tie", "short", at - 1)),
        (station, hostile.removed("tie", at)),
        (other, hostile.added(other, "tie", "tied", at)),
    ):
        if not _merge(run, where, action):
            return  # where the key never came, its removal leaves nothing behind


def _bury_twice(run: Run, station: Station) -> None:
    """A key was removed, and an earlier removal and an earlier write of it come late: it stays removed."""
    at = station.wall()
    for action in (
        hostile.added(station, "grave", "first", at - 3),
        hostile.removed("grave", at),
        hostile.removed("grave", at - 2),
        hostile.added(station, "grave", "late", at - 1),
    ):
        if not _merge(run, station, action):
            return


def _shrink_graph(run: Run, fault: Fault) -> None:
    """The node starts again with room for few waiting deltas."""
    run.stations[fault.node].pending_limit = SMALL_GRAPH
    _kill(run, replace(fault, lasts=0.5))


def _be_honest(run: Run, fault: Fault) -> None:
    run.watch.liars.discard(fault.node)


def _registry(run: Run, fault: Fault, *, down: bool) -> None:
    run.registry.down = down


def _uninstall(run: Run, fault: Fault) -> None:
    if fault.node != 0:
        run.stations[fault.node].installed = False
        if fault.amount < 0.5:  # and it starts again without the application
            run.time.later(SECOND // 3, lambda: _kill(run, replace(fault, lasts=0.5)))


FAULTS: Final[dict[FaultKind, tuple[Act, Act | None]]] = {
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
