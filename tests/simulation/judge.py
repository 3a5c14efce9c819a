"""What must be true at the end of a run: equal states, every acknowledged write, the last value of each key."""

from __future__ import annotations

from collections.abc import Iterator

from node.dag.delta import CausalDelta
from node.primitives import DeltaId
from tests.simulation.clock import Timeline
from tests.simulation.oracle import Oracle, entries
from tests.simulation.plan import Plan
from tests.simulation.registry import CONTEXT, Registry
from tests.simulation.result import Violation
from tests.simulation.station import Station
from tests.simulation.watch import Watch


class Judge:
    """Compares the nodes with the oracle. ``gone`` nodes left for good."""

    def __init__(
        self,
        plan: Plan,
        timeline: Timeline,
        stations: list[Station],
        registry: Registry,
        oracle: Oracle,
        watch: Watch,
        gone: set[int],
    ) -> None:
        self._plan = plan
        self._time = timeline
        self._stations = stations
        self._registry = registry
        self._oracle = oracle
        self._watch = watch
        self._gone = gone

    def members(self) -> list[Station]:
        """The nodes that stay."""
        return [
            station
            for station in self._stations
            if station.number not in self._gone and station.member in self._registry.members
        ]

    def converged(self) -> bool:
        """Equal roots, all heads everywhere, nothing waiting; looked at now and then, since it costs."""
        if self._time.steps % 16:
            return False
        members = self.members()
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

    def difference(self) -> str:
        """Who stands where, in words."""
        parts = []
        for station in self.members():
            if station.up:
                heads = station.here.heads()
                parts.append(
                    f"{station.number}: {str(heads.root)[:6]} heads={len(heads.heads)} pending={heads.pending} "
                    f"missing={len(heads.missing)} deltas={len(station.here.state.dag)}"
                )
            else:
                parts.append(f"{station.number}: down")
        return "; ".join(parts)

    def check(self) -> None:
        """Every acknowledged write is everywhere, and each key has the value of the last one."""
        members = self.members()
        self._check_deltas(members)
        self._check_parents(members)
        for station in members:
            self._check_held(station)
        applied = {(delta.id, delta.payload): delta for station in members for delta in _applied(station)}
        winners = self._oracle.winners(applied.values())
        keys = sorted({write.key for write in self._plan.writes} | {f"mark{s.number}" for s in self._stations})
        keys += [f"last{s.number}" for s in self._stations] + ["hostile", "tie", "grave"]
        names = entries(keys)
        for station in members:
            for entity, name in names.items():
                self._check_value(station, name, winners.get(entity))

    def _check_deltas(self, members: list[Station]) -> None:
        for station in members:
            dag = station.here.state.dag
            for delta_id in self._oracle.changes:
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
        return station.number in self._watch.covered or any(dag.covers(link.id) for link in dag.applied())

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


def _applied(station: Station) -> Iterator[CausalDelta]:
    """The applied deltas of which the node has more than the name."""
    found = (station.here.delta(link.id) for link in station.here.state.dag.applied())
    return (delta for delta in found if delta is not None)
