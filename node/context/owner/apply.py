"""Deltas of others: judge each, apply what can run, keep the rest durably with the reason, and owe their handlers.

Nothing is marked applied before its effects are in the state, in the same batch. A delta that cannot run yet, because a
parent, the state or the application is missing, or because its apply failed, waits on disk and is tried again; waiting
is a state, not an error. What can never be valid is refused and counted.
Source of the order: core 0.10.0: crates/node/src/handlers/state_delta.rs, crates/node/src/delta_store.rs; the
departures are the checks of id, clock and member before anything is kept.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Final

from node.context.owner.content import (
    Opened,
    begins,
    changed_by,
    join_actions,
    latest_time,
    open_delta,
    single_artifacts,
)
from node.context.owner.execute import guest_call, stage_outcome
from node.context.owner.rows import ContextRows
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta, Link, check_parents
from node.dag.store import State
from node.errors import (
    CalimeroError,
    CompilationError,
    DecodeError,
    FunctionCallError,
    InvalidDelta,
    LinkError,
    MethodResolutionError,
    NotAMember,
    StorageError,
    Uninitialized,
)
from node.events import AppEvent, StateMutation, events_from_bytes
from node.primitives import DeltaId, Hash, PublicKey
from node.runtime.call import SYNC_NEXT, GuestCall, Outcome
from node.storage.delta import artifact_from_payload
from node.storage.keys import root_id
from node.store.base import Batch
from node.store.values import DeltaOrigin, OutboxEntry

RELEASE_SLICE: Final = 64
"""Waiting deltas applied in one go before the worker looks at its channels again: at 10 ms each 0.6 s."""

FEED_ATTEMPTS: Final = 8
"""Applies of one delta that its arrival may cause; afterwards only time does, so that sending a bad delta again and
again costs the sender more than us."""

NOT_THE_DELTA: Final = (CompilationError, LinkError, MethodResolutionError)
"""Errors of a guest that say nothing about the delta: trying its actions one by one cannot help."""


@dataclass(frozen=True, slots=True)
class Received:
    """A delta as a peer sent it. ``author`` None: it came by a stream, which names none."""

    delta: CausalDelta
    author: PublicKey | None = None


@dataclass(slots=True)
class ApplyReport:
    """What became of each delta; ``applied`` also lists those that waited and were released, in order."""

    applied: list[DeltaId] = field(default_factory=list)
    pending: list[DeltaId] = field(default_factory=list)
    duplicates: list[DeltaId] = field(default_factory=list)
    rejected: list[tuple[DeltaId, str]] = field(default_factory=list)


class Applier:
    """Applies deltas of others to one context."""

    def __init__(self) -> None:
        self._state: ContextState
        self.owed: dict[DeltaId, OutboxEntry] = {}
        """Handlers to run, by delta, in the order in which the deltas were applied."""

    def attach(self, state: ContextState) -> None:
        """The state calls back into this object, so the two are joined after both exist."""
        self._state = state
        self.owed = {entry.delta_id: entry for entry in state.rows.outbox()}

    # taking

    def take(self, received: list[Received], source: str) -> ApplyReport:
        """Feed deltas; raises :class:`StorageError` only, when what must be kept cannot be written."""
        report = ApplyReport()
        for item in received:
            self._take(item, source, report)
        return report

    def _take(self, item: Received, source: str, report: ApplyReport) -> None:
        delta = item.delta
        try:
            known = self._state.dag.state(delta.id)
            if known is not State.UNKNOWN:
                self._known(item, known, report)
                return
            opened = self._judge(item)
            self._admit(item, opened, source, report)
        except (InvalidDelta, NotAMember) as error:
            reason = "not a member" if isinstance(error, NotAMember) else "invalid"
            self._state.counts[f"rejected: {reason}"] += 1
            report.rejected.append((delta.id, str(error)))

    def _known(self, item: Received, known: State, report: ApplyReport) -> None:
        """A duplicate does nothing, except that it may bring what an earlier copy lacked."""
        delta, state = item.delta, self._state
        if known is State.APPLIED and state.dag.covers(delta.id):
            self._learn(item)
        elif item.delta.events is not None:
            self._late_events(item, known)
        entry = state.dag.waiting(delta.id)
        if entry is not None and 0 < entry.attempts < FEED_ATTEMPTS and self._retry_one(entry.delta):
            report.applied.append(delta.id)
            return
        state.counts["duplicate"] += 1
        report.duplicates.append(delta.id)

    def _retry_one(self, link: Link) -> bool:
        try:
            return self._state.dag.insert(link)
        except CalimeroError:
            return False

    def _learn(self, item: Received) -> None:
        """The real delta of a head that a snapshot brought: its effects are here, only its place becomes known."""
        self._judge(item)
        batch = Batch()
        state, parents = self._state, item.delta.parents
        state.rows.put_delta(batch, item.delta, applied=True)
        heads = tuple(head for head in state.dag.heads if head not in parents)
        state.commit(batch, meta=replace(state.meta, dag_heads=heads))
        state.dag.learn(Link(item.delta.id, parents))

    def _late_events(self, item: Received, known: State) -> None:
        """Streams bring no events; when the gossip copy follows, the handlers still run, once."""
        state, delta = self._state, item.delta
        origin = state.rows.origin(delta.id)
        if origin is None or origin.events is not None or not origin.source or state.owns(item.author):
            return
        batch = Batch()
        state.rows.put_origin(batch, replace(origin, events=delta.events, author=item.author or origin.author))
        entry = self.owe(batch, delta, item.author) if known is State.APPLIED else None
        state.commit(batch)
        if entry is not None:
            self.owed[delta.id] = entry

    def _judge(self, item: Received) -> Opened:
        """Refuse what no honest author sends. Raises :class:`InvalidDelta` or :class:`NotAMember`."""
        check_parents(item.delta)
        opened = open_delta(item.delta, self._state.host.now_ns())
        if item.author is not None and item.author not in self._state.members:
            raise NotAMember(f"{item.author}, author of delta {item.delta.id}, is not a member of the context")
        return opened

    def _admit(self, item: Received, opened: Opened, source: str, report: ApplyReport) -> None:
        state, delta = self._state, item.delta
        link = Link(delta.id, delta.parents)
        now = state.host.now_ns()
        origin = DeltaOrigin(state.context_id, delta.id, item.author, source or "?", now, delta.events)
        if all(state.dag.state(parent) is State.APPLIED for parent in delta.parents):
            try:
                state.dag.insert(link, now_ns=now, apply=lambda _: self._apply(delta, opened.artifact, origin))
            except StorageError:
                raise
            except CalimeroError as error:
                self._keep(delta, origin)
                state.dag.park(link, error, now_ns=now)
                report.pending.append(delta.id)
            else:
                report.applied.append(delta.id)
            return
        self._keep(delta, origin)
        state.dag.insert(link, now_ns=now)
        state.counts["waited"] += 1
        report.pending.append(delta.id)

    def _keep(self, delta: CausalDelta, origin: DeltaOrigin) -> None:
        batch = Batch()
        self._state.rows.put_delta(batch, delta, applied=False)
        self._state.rows.put_origin(batch, origin)
        self._state.commit(batch)

    # applying

    def apply_waiting(self, link: Link) -> None:
        """The applier of the graph: a kept delta whose parents are applied now."""
        rows: ContextRows = self._state.rows
        delta, origin = rows.causal(link.id), rows.origin(link.id)
        if delta is None:
            raise StorageError(f"the row of waiting delta {link.id} is gone; it will be fetched again")
        self._apply(delta, artifact_from_payload(delta.payload), origin)

    def _apply(self, delta: CausalDelta, artifact: bytes, origin: DeltaOrigin | None) -> None:
        state = self._state
        if not state.initialised:
            raise Uninitialized(f"context {state.context_id} is waiting for its state from a member")
        batch = Batch()
        outcome = Outcome()  # every state holds the beginning already, and must not get it a second time
        if not begins(delta, root_id(state.context_id)):
            me = state.me() or PublicKey(state.context_id)
            outcome = self._run(guest_call(state, SYNC_NEXT, artifact, me), delta.payload)
        stage_outcome(state, batch, outcome)
        author = origin.author if origin else None
        if origin is not None:
            state.rows.put_origin(batch, origin)
        entry = self.owe(batch, delta, author)
        root = outcome.root_hash or state.meta.root_hash
        state.commit_delta(batch, delta, root)
        if entry is not None:
            self.owed[delta.id] = entry
        state.time.observe(latest_time(changed_by(delta.payload)))
        self._applied(delta, root)

    def _applied(self, delta: CausalDelta, root: Hash) -> None:
        state = self._state
        state.counts["applied"] += 1
        if root != delta.expected_root_hash:
            state.counts["merged"] += 1
        state.host.notify(StateMutation(state.context_id, root, events_of(delta)))

    def merge(self, actions: list[bytes]) -> Hash:
        """Apply single actions without a delta: the heads stay, root and state change in one batch.

        The guest applies them as it applies a delta, so a repaired entity hashes like one that came by a delta; actions
        that it refuses are left out and counted. Raises :class:`InvalidDelta` for bytes that are no action or a time
        beyond the drift, :class:`Uninitialized`, and the guest's error if it refuses them all.
        """
        state = self._state
        if not state.initialised:
            raise Uninitialized(f"context {state.context_id} is waiting for its state from a member")
        payload = join_actions(actions, state.host.now_ns())
        me = state.me() or PublicKey(state.context_id)
        outcome = self._run(guest_call(state, SYNC_NEXT, artifact_from_payload(payload), me), payload)
        root = outcome.root_hash or state.meta.root_hash
        batch = Batch()
        stage_outcome(state, batch, outcome)
        state.commit(batch, meta=replace(state.meta, root_hash=root))
        state.time.observe(latest_time(changed_by(payload)))
        state.counts["repaired entities"] += len(actions)
        state.host.notify(StateMutation(state.context_id, root))
        return root

    def _run(self, call: GuestCall, payload: bytes) -> Outcome:
        """Apply the actions whole; if the guest refuses, apply its actions one by one and leave out those it refuses.

        A single stale or unauthorised action would otherwise keep the delta, and all that follow it, out for ever.
        """
        outcome = self._state.host.guest.run(call)
        if outcome.error is None:
            return outcome
        if isinstance(outcome.error, NOT_THE_DELTA):
            raise outcome.error
        return self._run_singly(call, payload, outcome.error)

    def _run_singly(self, call: GuestCall, payload: bytes, error: FunctionCallError) -> Outcome:
        artifacts = single_artifacts(payload)
        total, done = Outcome(), 0
        for artifact in artifacts if len(artifacts) > 1 else ():
            outcome = self._state.host.guest.run(_continued(call, total, artifact))
            if outcome.error is None:
                _add(total, outcome)
                done += 1
        if not done:
            raise error
        self._state.counts["skipped actions"] += len(artifacts) - done
        return total

    def owe(self, batch: Batch, delta: CausalDelta, author: PublicKey | None) -> OutboxEntry | None:
        """Note the handlers of a delta in the batch that applies it. The author's own node runs none."""
        if self._state.owns(author) or not any(event.handler for event in events_of(delta)):
            return None
        entry = OutboxEntry(self._state.context_id, delta.id, delta.events or b"[]", 0, 0)
        self._state.rows.put_outbox(batch, entry)
        return entry


def events_of(delta: CausalDelta) -> tuple[AppEvent, ...]:
    """The application events of a delta; none if they are unreadable, which concerns nobody but their author."""
    if delta.events is None:
        return ()
    try:
        return events_from_bytes(delta.events)
    except DecodeError:
        return ()


def _continued(call: GuestCall, so_far: Outcome, artifact: bytes) -> GuestCall:
    """The same call for one action; it sees what the earlier actions of the delta wrote."""

    def state(key: bytes) -> bytes | None:
        return so_far.writes[key] if key in so_far.writes else call.state(key)

    def private(key: bytes) -> bytes | None:
        if key in so_far.private_writes:
            return so_far.private_writes[key]
        return call.private(key) if call.private is not None else None

    return replace(call, args=artifact, state=state, private=None if call.private is None else private)


def _add(total: Outcome, outcome: Outcome) -> None:
    total.writes.update(outcome.writes)
    total.private_writes.update(outcome.private_writes)
    total.root_hash = outcome.root_hash or total.root_hash
