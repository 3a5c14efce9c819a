"""What must be true after every step of a run; a breach raises :class:`Violation` where it happens."""

from __future__ import annotations

from node.codec import borsh
from node.context.owner.verify import verified_root
from node.dag.delta import CausalDelta
from node.errors import IndexMismatch
from node.events import Notice
from node.primitives import DeltaId, Hash
from node.storage.entities import EntityIndex
from node.storage.keys import index_key, root_id
from tests.simulation.clock import Timeline
from tests.simulation.links import Links
from tests.simulation.plan import Plan
from tests.simulation.registry import CONTEXT
from tests.simulation.result import Violation
from tests.simulation.station import Station


class Watch:
    """Looks at owners and notices. ``liars`` lie now; ``covered`` took state without the deltas behind it."""

    def __init__(self, plan: Plan, timeline: Timeline, links: Links) -> None:
        self._plan = plan
        self._time = timeline
        self._links = links
        self.liars: set[int] = set()
        self.covered: set[int] = set()
        self._stamps: dict[int, tuple[int, int]] = {}
        self._roots: dict[int, list[tuple[int, Hash]]] = {}

    def check_author(self, station: Station, delta: CausalDelta, before: frozenset[DeltaId]) -> None:
        """A call built on all heads and carries a later time than the one before."""
        if before != set(delta.parents):
            raise Violation(f"node {station.number} wrote on other parents than its heads")
        stamp = (station.life, int.from_bytes(delta.hlc[:8], "little"))
        if stamp <= self._stamps.get(station.number, (0, 0)):
            raise Violation(f"node {station.number} stamped two deltas with the same or an earlier time")
        self._stamps[station.number] = stamp

    def told(self, station: Station, notice: Notice) -> None:
        """A notice of a node."""
        if notice.name in ("adopted", "snapshot"):
            self.covered.add(station.number)
        if notice.name == "snapshot":
            self._check_tree(station)
        if notice.name == "ended" and "IndexMismatch" in str(notice.fields.get("detail")):
            peer = self._links.number_of(str(notice.fields["peer"]))
            if not self._lied(peer) and not self._lied(station.number):
                raise Violation(f"node {station.number} got a snapshot from {peer} that does not hash to its root")
        if notice.name == "ended" and notice.fields.get("outcome") == "in sync":
            self._check_success(station, notice)

    def _lied(self, number: int) -> bool:
        return any(fault.kind == "liar" and fault.node == number for fault in self._plan.faults)

    def _check_success(self, station: Station, notice: Notice) -> None:
        """A session that reports success has seen our root and the peer's equal; both had that root meanwhile."""
        ours, theirs = notice.fields["ours"], notice.fields["theirs"]
        peer = self._links.number_of(str(notice.fields["peer"]))
        if ours != theirs:
            raise Violation(f"node {station.number} reports success with {peer} at different roots")
        for number in (station.number, peer):
            if number not in self.liars and all(str(root) != ours for _, root in self._roots.get(number, ())):
                raise Violation(f"node {station.number} reports success at a root that node {number} never had")

    def stepped(self, station: Station) -> None:
        """What holds after every step of an owner."""
        owner = station.here
        state = owner.state
        seen = self._roots.setdefault(station.number, [])
        root = state.meta.root_hash
        if not seen or seen[-1][1] != root:
            seen.append((self._time.now, root))
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
