"""Defects of the reference that can be switched on, to prove that the simulator finds them.

Each switch puts the wrong behaviour in place of the right one for the time of a run; nothing of it is in the product.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import msgspec

import node.context.owner.apply as apply_module
import node.context.owner.snapshot as snapshot_module
import node.dag.delta as delta_module
import node.dag.store as dag_store
import tests.simulation.run as run_module
from node.context.owner import content
from node.context.owner.apply import Applier, ApplyReport, Received
from node.context.owner.rows import ContextRows
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta
from node.dag.store import DagStore
from node.errors import CalimeroError
from node.primitives import DeltaId, Hash
from node.storage.action import ACTIONS
from node.storage.delta import delta_id as derive
from node.storage.hlc import HybridClock
from node.storage.interface import Interface
from node.store.base import Batch
from node.sync import deltas, fetching, gossip, session, tree
from node.sync.followed import Followed
from node.sync.manager import SyncManager
from node.sync.strategy import View

Undo = Callable[[], None]
Switch = Callable[["Patch"], None]

DEFECTS: dict[str, Switch] = {}


class Patch:
    """Replaces attributes and remembers what was there."""

    def __init__(self) -> None:
        self._undo: list[Undo] = []

    def set(self, owner: Any, name: str, value: Any) -> Any:
        """Put ``value`` in place; answers what was there."""
        old = owner.__dict__[name] if name in getattr(owner, "__dict__", {}) else getattr(owner, name)
        setattr(owner, name, value)
        self._undo.append(lambda: setattr(owner, name, old))
        return old

    def undo(self) -> None:
        for step in reversed(self._undo):
            step()


def defect(name: str) -> Callable[[Switch], Switch]:
    def enter(switch: Switch) -> Switch:
        DEFECTS[name] = switch
        return switch

    return enter


# -- the graph


@defect("D1")
def failed_apply_is_forgotten(patch: Patch) -> None:
    """A delta whose apply failed counts as known, waits for nothing and is never applied."""
    lost: dict[int, set[DeltaId]] = {}

    def take(self: Applier, item: Received, source: str, report: ApplyReport) -> None:
        if item.delta.id in lost.get(id(self), ()):
            report.duplicates.append(item.delta.id)
            return
        before = len(report.pending)
        original(self, item, source, report)
        entry = self._state.dag.waiting(item.delta.id)
        if len(report.pending) > before and entry is not None and entry.error is not None:
            self._state.dag.discard(item.delta.id)
            lost.setdefault(id(self), set()).add(item.delta.id)

    original = patch.set(Applier, "_take", take)
    _known_too(patch, lambda dag: {d for found in lost.values() for d in found})


def _known_too(patch: Patch, extra: Callable[[Any], set[DeltaId]]) -> None:
    def contains(self: Any, delta_id: DeltaId) -> bool:
        return bool(original(self, delta_id)) or delta_id in extra(self)

    original = patch.set(DagStore, "__contains__", contains)


@defect("D2")
def failing_child_is_dropped(patch: Patch) -> None:
    """In a cascade the first child that fails is dropped as known, and the others stop."""
    dropped: dict[int, set[DeltaId]] = {}

    def release(self: Any, limit: int | None = None) -> list[Any]:
        done: list[Any] = []
        while self._ready and (limit is None or len(done) < limit):
            entry = self._ready.popleft()
            self._pending.pop(entry.delta.id, None)
            try:
                self._apply(entry.delta)
            except CalimeroError:
                dropped.setdefault(id(self), set()).add(entry.delta.id)
                return done
            self._record(entry.delta.id, entry.delta.parents)
            done.append(entry.delta)
        return done

    def take(self: Applier, item: Received, source: str, report: ApplyReport) -> None:
        if item.delta.id in dropped.get(id(self._state.dag), ()):
            report.duplicates.append(item.delta.id)
        else:
            original(self, item, source, report)

    patch.set(DagStore, "release", release)
    original = patch.set(Applier, "_take", take)
    _known_too(patch, lambda dag: dropped.get(id(dag), set()))


@defect("D5")
def waiting_deltas_are_unbounded(patch: Patch) -> None:
    patch.set(DagStore, "_evict", lambda self: None)


@defect("D6")
def orphans_are_applied(patch: Patch) -> None:
    """A delta without parents is applied at once."""
    original = delta_module.check_parents

    def check(delta: Any) -> None:
        if delta.parents:
            original(delta)

    patch.set(dag_store, "check_parents", check)
    patch.set(apply_module, "check_parents", check)


@defect("D7")
def restored_parents_wake_nobody(patch: Patch) -> None:
    """What is applied at a start, or covered, does not release the deltas that wait for it."""

    def restored(self: Any, limit: int | None = None) -> list[Any]:
        return []

    patch.set(DagStore, "retry", restored)


@defect("D8")
def applied_is_not_kept(patch: Patch) -> None:
    """A delta that waited is applied without being marked as applied on disk."""

    def put(self: ContextRows, batch: Batch, delta: CausalDelta, *, applied: bool) -> None:
        waited = self.delta(delta.id) is not None
        original(self, batch, delta, applied=applied and not waited)

    original = patch.set(ContextRows, "put_delta", put)


@defect("D9")
def every_row_counts_as_applied(patch: Patch) -> None:
    """At a start every stored delta is taken as applied."""

    def links(self: ContextRows) -> Iterator[Any]:
        return ((link, True, checkpoint) for link, _, checkpoint in original(self))

    original = patch.set(ContextRows, "links", links)


@defect("D10")
def commits_in_pieces(patch: Patch) -> None:
    """State first, then delta, heads and root."""

    def commit_delta(self: ContextState, batch: Batch, delta: CausalDelta, root: Hash) -> None:
        self.store.commit(batch)
        original(self, Batch(), delta, root)

    original = patch.set(ContextState, "commit_delta", commit_delta)


@defect("D11")
def writes_on_old_heads(patch: Patch) -> None:
    """A local call may build on the heads of a moment ago."""
    seen: dict[int, tuple[DeltaId, ...]] = {}

    def next_parents(self: Any) -> tuple[DeltaId, ...]:
        now: tuple[DeltaId, ...] = original(self)
        before = seen.get(id(self), now)
        seen[id(self)] = now
        return before if len(self._applied) % 3 == 0 else now

    original = patch.set(DagStore, "next_parents", next_parents)


@defect("D15")
def nobody_asks_for_parents(patch: Patch) -> None:
    """Missing parents are not asked for; only unknown heads are."""
    patch.set(fetching, "fetch_missing", lambda core, context, peer: None)
    patch.set(View, "wants_deltas", property(lambda self: bool(self.unknown)))

    def take(walk: Any, link: Any, delta_id: DeltaId, raw: bytes) -> None:
        original(walk, link, delta_id, raw)
        for parent in deltas.open_delta(raw).parents:
            walk.wanted.pop(parent, None)

    original = patch.set(deltas, "_take", take)


@defect("D17")
def any_answer_is_stored(patch: Patch) -> None:
    """The answer to a request is stored under the id that was asked for."""

    def take(walk: Any, link: Any, delta_id: DeltaId, raw: bytes) -> None:
        delta = replace(deltas.open_delta(raw), id=delta_id)
        walk.held.append(delta)
        walk.fetched += 1
        walk.want(delta.parents)

    patch.set(deltas, "_take", take)
    _trust_ids(patch)


def _trust_ids(patch: Patch) -> None:
    def open_delta(delta: CausalDelta, now_ns: int) -> Any:
        actions = ACTIONS.decode(delta.payload)
        return content.open_delta(replace(delta, id=derive(delta.parents, actions)), now_ns)

    patch.set(apply_module, "open_delta", open_delta)


@defect("A2")
def ids_are_believed(patch: Patch) -> None:
    """The id of a delta is not derived from its content again."""
    _trust_ids(patch)


# -- sessions


@defect("Y1")
def divergence_is_only_logged(patch: Patch) -> None:
    """Equal heads count as in sync, whatever the roots are."""
    patch.set(View, "equal_heads", property(lambda self: False))


@defect("Y2")
def repair_is_success(patch: Patch) -> None:
    """A comparison of trees is reported as success without looking at the roots again."""

    async def steps(core: Any, context: Any, link: Any, report: Any) -> None:
        await original(core, context, link, report)
        if "tree" in report.strategies:
            report.outcome = "in sync"

    original = patch.set(session, "_steps", steps)


@defect("Y3")
def only_one_side_repairs(patch: Patch) -> None:
    """The side with the smaller identity never gets what only the other side has."""

    async def repair(core: Any, context: Any, link: Any, root: Hash) -> int:
        mine = context.keys.owned[0].public_key
        theirs = core.peers.standing(context.id, link.peer).proven
        return 0 if any(mine < other for other in theirs) else await original(core, context, link, root)

    original = patch.set(tree, "repair", repair)


@defect("Y4")
def a_moved_root_is_success(patch: Patch) -> None:
    """A root that moved during the comparison ends it as an empty success."""

    async def repair(core: Any, context: Any, link: Any, root: Hash) -> int:
        try:
            return await original(core, context, link, root)
        except tree.Moved:
            context.counters.add("moved and fine")
            raise

    async def steps(core: Any, context: Any, link: Any, report: Any) -> None:
        before = context.counters.counts.get("moved and fine", 0)
        await run(core, context, link, report)
        if context.counters.counts.get("moved and fine", 0) > before:
            report.outcome = "in sync"

    original = patch.set(tree, "repair", repair)
    run = patch.set(session, "_steps", steps)


@defect("Y5")
def deletions_are_not_compared(patch: Patch) -> None:
    def take(work: Any, child: Any, theirs: Any, mine: Any) -> None:
        if theirs.node.index.deleted_at is None:
            original(work, child, theirs, mine)

    original = patch.set(tree, "_take", take)


@defect("Y7")
def repaired_entries_hang_below_the_root(patch: Patch) -> None:
    def add(data: bytes, index: Any, chain: Any, created_at: int) -> Any:
        return original(data, index, chain[-1:], created_at)

    original = patch.set(tree, "_add", add)


@defect("Y8")
def repaired_entries_have_no_creation_time(patch: Patch) -> None:
    def add(data: bytes, index: Any, chain: Any, created_at: int) -> Any:
        return original(data, index, chain, 0)

    original = patch.set(tree, "_add", add)


@defect("Y10")
def one_refused_action_aborts_all(patch: Patch) -> None:
    """An action that is refused keeps its whole delta out, for ever."""

    def alone(self: Applier, call: Any, payload: bytes, error: Any) -> Any:
        raise error

    patch.set(Applier, "_run_singly", alone)
    _rules(patch, skip_refused=False)


def _rules(patch: Patch, **changes: bool) -> None:
    patch.set(run_module, "REPAIRED", replace(run_module.REPAIRED, **changes))


@defect("Y11")
def snapshots_are_believed(patch: Patch) -> None:
    patch.set(snapshot_module, "verified_root", lambda rows, context_id, root: None)


@defect("Y12")
def snapshots_are_published_in_pieces(patch: Patch) -> None:
    """Rows first, then root and heads."""

    def commit(self: ContextState, batch: Batch, *, meta: Any = None) -> None:
        if meta is not None and len(batch) > 2:
            self.store.commit(batch)
            batch = Batch()
        original(self, batch, meta=meta)

    original = patch.set(ContextState, "commit", commit)


@defect("Y13")
def snapshots_are_not_pinned(patch: Patch) -> None:
    """Rows are read from the live state while the boundary names the root of before."""

    def opened(self: Any) -> Any:
        handle, found = original(self)
        self._open[handle] = replace(found, view=self._state.store)
        return handle, found

    original = patch.set(snapshot_module.SnapshotServer, "open", opened)


@defect("Y25")
def a_second_delta_replaces_the_buffer(patch: Patch) -> None:
    def hold(self: Followed, delta: Any, source: str) -> None:
        if delta.delta_id not in self.sealed:
            self.sealed.clear()
        original(self, delta, source)

    original = patch.set(Followed, "hold", hold)


# -- storage


@defect("S4")
def stamps_repeat(patch: Patch) -> None:
    """The counter starts anew with every tick of the clock, and the low bits of the time are cut."""

    def following(self: Any) -> Any:
        stamp = original(self)
        return msgspec.structs.replace(stamp, time=stamp.time & ~0xFFFF)

    original = patch.set(HybridClock, "next", following)


@defect("S6")
def ties_depend_on_the_order(patch: Patch) -> None:
    """At equal times whatever comes last wins."""
    _rules(patch, tie_by_data=False)

    def loses(self: Any, entity: Any, data: bytes, metadata: Any, stored: Any) -> bool:
        return bool(stored.updated_at > metadata.updated_at)

    patch.set(Interface, "_loses", loses)


@defect("S7")
def tombstones_move_back(patch: Patch) -> None:
    _rules(patch, tombstones_only_grow=False)


@defect("S8")
def deletes_are_stamped_twice(patch: Patch) -> None:
    """The tombstone gets another time than the action that the others hear of."""

    def bury(self: Any, entity: Any, time: int) -> None:
        original(self, entity, time + self.env.random_bytes(1)[0] * 4_000_000)

    _rules(patch, one_time_per_delete=False)
    original = patch.set(Interface, "_bury", bury)


@defect("S12")
def deleted_keys_come_back(patch: Patch) -> None:
    """An older entry of another replica is written over a tombstone."""

    def loses(self: Any, entity: Any, data: bytes, metadata: Any, stored: Any) -> bool:
        return not self.index.is_deleted(entity) and bool(original(self, entity, data, metadata, stored))

    original = patch.set(Interface, "_loses", loses)


# -- network


@defect("N1")
def nobody_listens_nobody_hears(patch: Patch) -> None:
    """A write that nobody follows is gone, and a peer's subscription starts nothing."""

    async def beat(core: Any, context: Any, *, soon: bool = False) -> None:
        context.beat_soon = False
        if not soon:
            await original(core, context)

    original = patch.set(gossip, "heartbeat", beat)
    patch.set(SyncManager, "_on_subscribed", lambda self, e: self.core.peers.subscribed(e.context_id, e.peer))
    patch.set(Followed, "want", lambda self, reason, peer=None: None)


@contextmanager
def switched_on(name: str | None) -> Iterator[None]:
    """Run with one defect, or with none."""
    patch = Patch()
    try:
        if name is not None:
            DEFECTS[name](patch)
        yield
    finally:
        patch.undo()
