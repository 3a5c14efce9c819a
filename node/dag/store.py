"""DagStore: which deltas of a context are applied, which wait, and for what.

Rules. "Known" means applied or waiting, nothing else. Apply and record are one step: the applier makes the effects
durable and returns, and only then does the graph change; if it raises, the graph is as before and the delta can be fed
again. Whatever makes a parent applied releases its children, through a work queue and a reverse index, so the total
work is linear in the number of edges and the stack stays flat. The graph holds ids and parents of applied deltas, never
their payloads.
Source of the behaviour: core 0.10.0: crates/dag/src/lib.rs; departures from it are named at the place.
"""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from typing import Final, Generic, TypeVar

from node.dag.delta import MAX_PARENTS, Causal, Link, check_parents
from node.dag.order import topological
from node.errors import CalimeroError, InvalidDelta
from node.primitives import GENESIS, DeltaId

PENDING_LIMIT: Final = 131_072
"""Most waiting deltas per context. A node that was away meets them in reverse order, so the limit is the longest
history that can be caught up without asking twice; at about 600 bytes each it bounds the graph to 80 MB."""

QUERY_LIMIT: Final = 3000
"""Most ids in one answer, as in the reference."""

D = TypeVar("D", bound=Causal)


class State(Enum):
    """Where a delta id stands."""

    UNKNOWN = "unknown"
    PENDING = "pending"
    APPLIED = "applied"


class Pending(Generic[D]):
    """A waiting delta: how many parents are not applied yet, since when, and why its own apply failed, if it did."""

    __slots__ = ("attempts", "delta", "error", "missing", "since_ns")

    def __init__(self, delta: D, missing: int, since_ns: int) -> None:
        self.delta = delta
        self.missing = missing
        self.since_ns = since_ns
        self.error: CalimeroError | None = None
        self.attempts = 0


class DagStore(Generic[D]):
    """The graph of one context. ``apply`` makes a delta's effects durable, or raises a :class:`CalimeroError`.

    ``on_evict`` is told of a delta that the limit pushed out; whoever keeps its durable row drops it. The applier must
    not call back into the graph, except for :meth:`heads_after`, which says what the heads will be.
    """

    def __init__(
        self,
        apply: Callable[[D], None],
        *,
        pending_limit: int = PENDING_LIMIT,
        on_evict: Callable[[D], None] | None = None,
    ) -> None:
        self._apply = apply
        self._on_evict = on_evict
        self._pending_limit = pending_limit
        self._applied: dict[DeltaId, tuple[DeltaId, ...]] = {GENESIS: ()}
        self._heads: dict[DeltaId, None] = {}
        self._checkpoints: set[DeltaId] = set()
        self._pending: OrderedDict[DeltaId, Pending[D]] = OrderedDict()
        self._children: dict[DeltaId, list[Pending[D]]] = {}
        self._missing: dict[DeltaId, None] = {}
        self._ready: deque[Pending[D]] = deque()
        self._failed: dict[DeltaId, Pending[D]] = {}
        self.counts: Counter[str] = Counter()
        """Deltas by fate: invalid, duplicate, evicted, failed."""

    # feeding

    def add(self, delta: D, *, now_ns: int = 0, apply: Callable[[D], None] | None = None) -> list[D]:
        """Take one delta and everything it releases; the answer lists what was applied, in order, ``delta`` first.

        An empty answer means that it waits or was known. ``apply`` replaces the applier for this delta alone.
        Raises :class:`InvalidDelta` for an impossible ancestry, and what the applier raised for this delta; an error
        of a released child stays with that child and stops nobody else.
        """
        if not self.insert(delta, now_ns=now_ns, apply=apply):
            return []
        if not self._ready:
            return [delta]
        return [delta, *self.release()]

    def insert(self, delta: D, *, now_ns: int = 0, apply: Callable[[D], None] | None = None) -> bool:
        """As :meth:`add`, but released children stay in the queue for :meth:`release`. True: applied now."""
        delta_id, parents, applied = delta.id, delta.parents, self._applied
        if delta_id in applied:
            return self._duplicate(delta)
        if delta_id in self._pending:
            return self._again(self._pending[delta_id], apply)
        # One parent that is applied is the common case: an applied parent is never the delta itself.
        if len(parents) != 1 or parents[0] not in applied:
            self._check(delta)
            if any(parent not in applied for parent in parents):
                self._wait(delta, now_ns)
                return False
        (apply or self._apply)(delta)
        self._record(delta_id, parents)
        return True

    def park(self, delta: D, error: CalimeroError, *, now_ns: int = 0) -> None:
        """Keep a delta whose apply cannot run or failed, with the reason; :meth:`retry` or feeding it again tries it.

        Raises :class:`InvalidDelta` for an impossible ancestry. A delta that is known already stays as it is.
        """
        if delta.id in self:
            return
        self._check(delta)
        entry = self._wait(delta, now_ns)
        if not entry.missing:
            self._fail(entry, error)

    def release(self, limit: int | None = None) -> list[D]:
        """Apply up to ``limit`` deltas whose parents are all applied, in the order in which they became ready."""
        done: list[D] = []
        ready, apply = self._ready, self._apply
        while ready and (limit is None or len(done) < limit):
            entry = ready[0]  # taken off the queue only when its fate is known: a crash of the applier changes nothing
            delta = entry.delta
            try:
                apply(delta)
            except CalimeroError as error:
                ready.popleft()
                self._fail(entry, error)
                continue
            ready.popleft()
            del self._pending[delta.id]
            self._record(delta.id, delta.parents)
            done.append(delta)
        return done

    def retry(self, limit: int | None = None) -> list[D]:
        """Try again the deltas whose own apply failed, and release what they free, at most ``limit`` of them."""
        self._ready.extend(self._failed.values())
        self._failed.clear()
        return self.release(limit)

    def discard(self, delta_id: DeltaId) -> bool:
        """Forget a waiting delta, so that it can be fed anew. Its waiting children then miss it."""
        entry = self._pending.pop(delta_id, None)
        if entry is None:
            return False
        self._unlink(entry)
        return True

    def _duplicate(self, delta: D) -> bool:
        self.counts["duplicate"] += 1
        return False

    def _again(self, entry: Pending[D], apply: Callable[[D], None] | None) -> bool:
        if entry.delta.id not in self._failed:
            self.counts["duplicate"] += 1
            return False
        try:
            (apply or self._apply)(entry.delta)
        except CalimeroError as error:
            self._fail(entry, error)
            raise
        del self._failed[entry.delta.id]
        del self._pending[entry.delta.id]
        self._record(entry.delta.id, entry.delta.parents)
        return True

    def _check(self, delta: D) -> None:
        try:
            check_parents(delta)
        except InvalidDelta:
            self.counts["invalid"] += 1
            raise

    def _record(self, delta_id: DeltaId, parents: tuple[DeltaId, ...]) -> None:
        self._applied[delta_id] = parents
        heads = self._heads
        for parent in parents:
            heads.pop(parent, None)
        heads[delta_id] = None
        if delta_id in self._children:
            self._wake(delta_id)

    def _wake(self, parent: DeltaId) -> None:
        self._missing.pop(parent, None)
        for child in self._children.pop(parent):
            child.missing -= 1
            if not child.missing:
                self._ready.append(child)

    def _wait(self, delta: D, now_ns: int) -> Pending[D]:
        applied, pending, children = self._applied, self._pending, self._children
        absent = [parent for parent in delta.parents if parent not in applied]
        entry = Pending(delta, len(absent), now_ns)
        for parent in absent:
            if parent in children:
                children[parent].append(entry)
                continue
            children[parent] = [entry]
            if parent not in pending:
                self._missing[parent] = None
        self._missing.pop(delta.id, None)
        pending[delta.id] = entry
        if len(pending) > self._pending_limit:
            self._evict()
        return entry

    def _fail(self, entry: Pending[D], error: CalimeroError) -> None:
        entry.error = error
        entry.attempts += 1
        self._failed[entry.delta.id] = entry
        self.counts["failed"] += 1

    def _evict(self) -> None:
        _, oldest = self._pending.popitem(last=False)
        self._unlink(oldest)
        self.counts["evicted"] += 1
        if self._on_evict is not None:
            self._on_evict(oldest.delta)

    def _unlink(self, entry: Pending[D]) -> None:
        delta_id = entry.delta.id
        self._failed.pop(delta_id, None)
        if not entry.missing and entry in self._ready:
            self._ready.remove(entry)
        for parent in entry.delta.parents:
            self._forget_child(parent, entry)
        if delta_id in self._children:
            self._missing[delta_id] = None

    def _forget_child(self, parent: DeltaId, entry: Pending[D]) -> None:
        siblings = self._children.get(parent)
        if siblings is None:
            return
        siblings.remove(entry)
        if not siblings:
            del self._children[parent]
            self._missing.pop(parent, None)

    # restoring

    def restore(self, applied: Iterable[Causal], checkpoints: Iterable[DeltaId] = ()) -> None:
        """Take over the topology of deltas whose effects are durable, in any order; nothing is executed.

        First pass of a start; the second feeds the rows that were not applied, one by one. ``checkpoints`` are those
        of the given deltas that stand for a snapshot. A parent that is not among them is covered by a snapshot,
        because no delta is applied before its parents.
        """
        links = {link.id: link.parents for link in topological(Link(delta.id, delta.parents) for delta in applied)}
        self._applied.update(links)
        self._heads.update(dict.fromkeys(links))
        self._checkpoints.update(checkpoints)
        for parents in links.values():
            for parent in parents:
                self._heads.pop(parent, None)
                if parent not in self._applied:
                    self._cover(parent)
        for delta_id in links.keys() & self._children.keys():
            self._wake(delta_id)

    def restore_checkpoint(self, delta_id: DeltaId, parents: tuple[DeltaId, ...] = (GENESIS,)) -> None:
        """Count ``delta_id`` as applied because a snapshot holds its effects. Its real parents are not known yet."""
        if delta_id not in self._applied:
            self.discard(delta_id)
            self._record(delta_id, parents)
            self._checkpoints.add(delta_id)

    def covers(self, delta_id: DeltaId) -> bool:
        """True if a snapshot holds the effects of this delta and only its ancestry can still be learnt."""
        return delta_id in self._checkpoints

    @property
    def partial(self) -> bool:
        """True if a snapshot stands for the beginning of the history."""
        return bool(self._checkpoints)

    def learn(self, delta: Causal) -> None:
        """Take the real parents of a covered delta: they are covered too, so an ancestor of a snapshot that turns up
        late is neither executed again nor made a head (the reference does both)."""
        self._check_cover(delta)
        self._checkpoints.discard(delta.id)
        self._applied[delta.id] = delta.parents
        for parent in delta.parents:
            if parent not in self._applied:
                self._cover(parent)
            self._heads.pop(parent, None)

    def _check_cover(self, delta: Causal) -> None:
        check_parents(delta)
        if delta.id not in self._checkpoints:
            raise InvalidDelta(f"delta {delta.id} is not covered by a snapshot of this context")

    def _cover(self, delta_id: DeltaId) -> None:
        self.discard(delta_id)
        self._applied[delta_id] = (GENESIS,)
        self._checkpoints.add(delta_id)
        if delta_id in self._children:
            self._wake(delta_id)

    # reading

    @property
    def heads(self) -> tuple[DeltaId, ...]:
        """Applied deltas without an applied child, oldest first. Empty before the first delta."""
        return tuple(self._heads)

    def next_parents(self) -> tuple[DeltaId, ...]:
        """Parents of the next local delta: the heads, or the zero id before the first one."""
        return tuple(self._heads)[:MAX_PARENTS] or (GENESIS,)

    def heads_after(self, delta: Causal) -> tuple[DeltaId, ...]:
        """What :attr:`heads` will be once ``delta`` is recorded."""
        gone = set(delta.parents)
        return (*(head for head in self._heads if head not in gone), delta.id)

    def state(self, delta_id: DeltaId) -> State:
        if delta_id in self._applied:
            return State.APPLIED
        return State.PENDING if delta_id in self._pending else State.UNKNOWN

    def __contains__(self, delta_id: DeltaId) -> bool:
        """Known: applied or waiting."""
        return delta_id in self._applied or delta_id in self._pending

    def __len__(self) -> int:
        """Number of applied deltas; the beginning is not counted."""
        return len(self._applied) - 1

    def parents(self, delta_id: DeltaId) -> tuple[DeltaId, ...] | None:
        """Parents of an applied delta, or None."""
        return self._applied.get(delta_id)

    def applied(self) -> Iterator[Link]:
        """Every applied delta, in the order in which it was recorded here."""
        items = iter(self._applied.items())
        next(items)
        return (Link(delta_id, parents) for delta_id, parents in items)

    def newest(self) -> Iterator[Link]:
        """Every applied delta, children before parents."""
        items = reversed(self._applied.items())
        return (Link(delta_id, parents) for delta_id, parents in items if delta_id != GENESIS)

    def pending(self) -> Iterator[Pending[D]]:
        """Waiting deltas, longest waiting first."""
        return iter(self._pending.values())

    def waiting(self, delta_id: DeltaId) -> Pending[D] | None:
        return self._pending.get(delta_id)

    @property
    def pending_count(self) -> int:
        return len(self._pending)

    @property
    def ready_count(self) -> int:
        """Waiting deltas whose parents are all applied and which :meth:`release` will take."""
        return len(self._ready)

    def missing_parents(self, limit: int = QUERY_LIMIT) -> list[DeltaId]:
        """Ids that waiting deltas name and nobody has brought, longest wanted first."""
        found = iter(self._missing)
        return [parent for parent, _ in zip(found, range(min(limit, QUERY_LIMIT)), strict=False)]
