"""A local call: run the method, and if it moved the state, make a delta of it and commit all of it in one batch.

The author does not run the handlers of its own events: they travel in the delta and peers run them. A merod 0.10.0
author does the opposite and blanks the names, so every handler runs on one side only, whoever wrote.
Source of the order: core 0.10.0: crates/context/src/handlers/execute.rs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from node.context.owner import governance
from node.context.owner.content import latest_time, new_delta, sign_own
from node.context.owner.host import Runnable
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta, Link
from node.errors import StateInconsistency, Uninitialized
from node.events import AppEvent, StateMutation, events_to_bytes
from node.primitives import Hash, PublicKey
from node.runtime.call import ContextMutation, GuestCall, Outcome, Proposal, XCall
from node.storage.hlc import HybridClock
from node.store.base import Batch
from node.store.columns import Column
from node.store.values import DeltaOrigin

HANDLER_DEPTH: Final = 1
"""How far handlers reach: events of a call name handlers, events of a handler's own run do not. Every peer runs the
handlers of a delta and makes a delta of each, so a longer chain grows with the number of nodes and need not end."""


@dataclass(frozen=True, slots=True)
class Executed:
    """What a call gave back. ``delta`` is set if the state moved: it is durable and wants to be broadcast."""

    returns: bytes | None
    root: Hash
    logs: list[str]
    fuel: int = 0
    delta: CausalDelta | None = None
    events: tuple[AppEvent, ...] = ()
    xcalls: list[XCall] = field(default_factory=list)
    mutations: list[ContextMutation] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)
    ticket: Hash = field(default_factory=Hash.zero)
    """Of the row that holds ``mutations`` and ``proposals`` until they are carried out; zero when there are none."""


class Executor:
    """Runs local calls of one context."""

    def __init__(self, state: ContextState, clock: HybridClock) -> None:
        self._state = state
        self._clock = clock

    def execute(
        self, method: str, args: bytes, executor: PublicKey, *, extra: Batch | None = None, depth: int = 0
    ) -> Executed:
        """``extra`` are changes that must become durable with the call, and only if it succeeds.

        Raises :class:`Uninitialized`, :class:`Unauthorized`, :class:`ApplicationNotInstalled`,
        :class:`StateInconsistency`, the guest's :class:`FunctionCallError`, and :class:`StorageError`.
        """
        state = self._state
        if not state.initialised:
            raise Uninitialized(f"context {state.context_id} is waiting for its state from a member")
        state.keys_of(executor)
        outcome = state.host.guest.run(guest_call(state, method, args, executor))
        if outcome.error is not None:
            state.counts["call failed"] += 1
            raise outcome.error
        ticket = Hash.zero()
        if outcome.mutations or outcome.proposals:
            extra, ticket = extra or Batch(), Hash(state.host.random_bytes(32))
            governance.stage(extra, state.context_id, executor, outcome, ticket)
        delta = self._commit(outcome, executor, extra, depth)
        self._tell(outcome)
        return Executed(
            outcome.returns,
            state.meta.root_hash,
            outcome.logs,
            outcome.fuel,
            delta,
            tuple(outcome.events),
            outcome.xcalls,
            outcome.mutations,
            outcome.proposals,
            ticket,
        )

    def _commit(self, outcome: Outcome, executor: PublicKey, extra: Batch | None, depth: int) -> CausalDelta | None:
        """Without a root nothing that the guest wrote is kept, private rows included; that is the whole view rule."""
        if outcome.root_hash is not None:
            return self._commit_delta(outcome, outcome.root_hash, executor, extra or Batch(), depth)
        if extra is not None:
            self._state.commit(extra)
        return None

    def _commit_delta(self, outcome: Outcome, root: Hash, executor: PublicKey, batch: Batch, depth: int) -> CausalDelta:
        state, now = self._state, self._state.host.now_ns()
        if not outcome.artifact:
            raise StateInconsistency(
                f"the call changed the state of context {state.context_id} without producing actions; it was discarded"
            )
        actions = sign_own(outcome.artifact, executor, state.keys_of(executor))
        state.time.observe(latest_time(actions))
        events = travelling(outcome.events, depth)
        delta = new_delta(state.dag.next_parents(), actions, self._clock.next(), root, events)
        stage_outcome(state, batch, outcome)
        state.rows.put_origin(batch, DeltaOrigin(state.context_id, delta.id, executor, "", now, events))
        link = Link(delta.id, delta.parents)
        state.dag.insert(link, now_ns=now, apply=lambda _: state.commit_delta(batch, delta, root))
        state.counts["local"] += 1
        return delta

    def _tell(self, outcome: Outcome) -> None:
        if outcome.events or outcome.root_hash is not None:
            state = self._state
            state.host.notify(StateMutation(state.context_id, state.meta.root_hash, tuple(outcome.events)))


def guest_call(
    state: ContextState, method: str, args: bytes, executor: PublicKey, *, runnable: Runnable | None = None
) -> GuestCall:
    """A call on the committed rows of a context, by default of its application. Raises
    :class:`ApplicationNotInstalled`."""
    runnable, host = runnable or state.runnable(), state.host
    return GuestCall(
        module=runnable.module,
        bytecode=runnable.bytecode,
        context_id=state.context_id,
        executor=executor,
        method=method,
        args=args,
        state=state.rows.state,
        private=state.rows.private,
        now_ns=state.time,
        random_bytes=host.random_bytes,
        services=host.services(state.context_id),
    )


def stage_outcome(state: ContextState, batch: Batch, outcome: Outcome) -> None:
    """Put the rows that a guest wrote into a batch; a guest that committed no root wrote none."""
    if outcome.root_hash is None:
        return
    state.rows.put_rows(batch, Column.STATE, outcome.writes)
    state.rows.put_rows(batch, Column.PRIVATE, outcome.private_writes)


def travelling(events: list[AppEvent], depth: int) -> bytes | None:
    """Events as they go into the delta; None if there are none."""
    if not events:
        return None
    return events_to_bytes(tuple(events), with_handlers=depth < HANDLER_DEPTH)
