"""Another application for a context, with or without a migration of its state.

A migration is an ordinary change of the state entry: it is applied by the new module like a peer's write and committed
as a delta, so it reaches every member. The reference writes it behind the back of the DAG and sets the heads to the
root hash; its peers then wait for a parent that does not exist.
Source of the steps: core 0.10.0: crates/context/src/handlers/update_application.rs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import msgspec

from node.codec import borsh
from node.context.owner.content import new_delta
from node.context.owner.execute import guest_call, stage_outcome, travelling
from node.context.owner.host import Runnable
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta, Link
from node.errors import ContextError, Uninitialized
from node.events import StateMutation
from node.primitives import ApplicationId, EntityId, PublicKey
from node.runtime.call import SYNC_NEXT, Outcome
from node.storage.action import Update
from node.storage.delta import artifact_from_payload, payload_of
from node.storage.entities import ChildInfo, EntityIndex
from node.storage.hlc import HybridClock
from node.storage.keys import STATE_ENTRY, index_key, root_id
from node.store.base import Batch
from node.store.values import DeltaOrigin

NO_DATA: Final = (
    "Migration function did not return any data. It must return the new state in Borsh; use #[app::migrate]"
)


def switch(state: ContextState, application_id: ApplicationId) -> None:
    """Use another application from now on; the state stays as it is."""
    state.commit(Batch(), meta=replace(state.meta, application_id=application_id))


def migrate(
    state: ContextState,
    application_id: ApplicationId,
    runnable: Runnable,
    executor: PublicKey,
    method: str,
    clock: HybridClock,
) -> CausalDelta:
    """Run ``method`` of the new module, make what it returns the state, and switch; the delta wants to be broadcast.

    Raises :class:`Uninitialized`, :class:`Unauthorized`, the guest's error, :class:`ContextError`.
    """
    if not state.initialised:
        raise Uninitialized(f"context {state.context_id} is waiting for its state from a member")
    state.keys_of(executor)
    migrated = _run(state, runnable, executor, method)
    action = _update(state, migrated.returns or b"")
    artifact = artifact_from_payload(payload_of([action]))
    call = guest_call(state, SYNC_NEXT, artifact, executor, runnable=runnable)
    outcome = state.host.guest.run(call)
    if outcome.error is not None:
        raise outcome.error
    if outcome.root_hash is None:
        raise ContextError("the new application did not take the migrated state; nothing was changed")
    events = travelling(migrated.events, 0)
    delta = new_delta(state.dag.next_parents(), [action], clock.next(), outcome.root_hash, events)
    _commit(state, application_id, delta, outcome, executor)
    state.host.notify(StateMutation(state.context_id, outcome.root_hash, tuple(migrated.events)))
    return delta


def _run(state: ContextState, runnable: Runnable, executor: PublicKey, method: str) -> Outcome:
    """What the method itself writes is dropped; only what it returns counts. It sees no private rows."""
    call = replace(guest_call(state, method, b"", executor, runnable=runnable), private=None)
    outcome = state.host.guest.run(call)
    if outcome.error is not None:
        raise outcome.error
    if outcome.returns is None:
        raise ContextError(NO_DATA)
    return outcome


def _update(state: ContextState, returned: bytes) -> Update:
    """The state entry with new data, newer than what is there."""
    root = root_id(state.context_id)
    entry, top = _index(state, STATE_ENTRY), _index(state, root)
    at = max(entry.metadata.created_at, entry.metadata.updated_at) + 1
    metadata = msgspec.structs.replace(entry.metadata, updated_at=at)
    return Update(STATE_ENTRY, returned + STATE_ENTRY, (ChildInfo(root, top.full_hash, top.metadata),), metadata)


def _index(state: ContextState, entity: EntityId) -> EntityIndex:
    raw = state.rows.state(index_key(entity))
    if raw is None:
        raise ContextError("the state of this context has no state entry; only applications in Rust can be migrated")
    return borsh.decode(EntityIndex, raw)


def _commit(
    state: ContextState, application_id: ApplicationId, delta: CausalDelta, outcome: Outcome, executor: PublicKey
) -> None:
    batch, root, now = Batch(), outcome.root_hash or state.meta.root_hash, state.host.now_ns()
    stage_outcome(state, batch, outcome)
    state.rows.put_origin(batch, DeltaOrigin(state.context_id, delta.id, executor, "", now, delta.events))
    state.dag.insert(
        Link(delta.id, delta.parents),
        now_ns=now,
        apply=lambda _: state.commit_delta(batch, delta, root, application_id=application_id),
    )
