"""Rows that make, change and end a context: create, join, follow the registry, delete. One batch each.

A member list from a registry never destroys an own private key: an own identity that it leaves out is put aside and
comes back when it is named again (the reference deletes it, so a restarted registry costs every node its keys).
Source of the steps: core 0.10.0: crates/context/src/handlers/{create_context,join_context,delete_context}.rs,
crates/context/primitives/src/client/sync.rs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from node.context.owner.content import NO_ARTIFACT, new_delta, sign_own
from node.context.owner.execute import travelling
from node.context.owner.host import Host, Runnable
from node.context.owner.rows import ContextRows
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta
from node.errors import ContextError, NotAMember, StateInconsistency
from node.primitives import GENESIS, ApplicationId, ContextId, Hash, PrivateKey, PublicKey
from node.runtime.call import INIT, GuestCall, Outcome
from node.storage.hlc import HybridClock
from node.store.base import Batch, Store
from node.store.columns import Column
from node.store.values import ContextConfig, ContextIdentity, ContextMeta, DeltaOrigin, uninitialised


@dataclass(frozen=True, slots=True)
class Staged:
    """A context that was initialised but not written: everything that :func:`commit_created` needs."""

    context_id: ContextId
    application_id: ApplicationId
    identity: PublicKey
    keys: ContextIdentity
    outcome: Outcome
    root: Hash
    genesis: CausalDelta
    at_ns: int


def initialise(
    context_id: ContextId,
    application_id: ApplicationId,
    runnable: Runnable,
    identity: PublicKey,
    keys: ContextIdentity,
    args: bytes,
    host: Host,
    clock: HybridClock,
) -> Staged:
    """Run ``init`` on an empty state. Raises the guest's error, :class:`ContextError`, :class:`StateInconsistency`."""
    outcome = host.guest.run(_init_call(context_id, runnable, identity, args, host))
    if outcome.error is not None:
        raise outcome.error
    if outcome.returns is not None:
        listed = ", ".join(map(str, outcome.returns))
        raise ContextError(f"context initialization returned a value, but it should not: [{listed}]")
    if outcome.root_hash is None:
        raise StateInconsistency("init did not commit a state; the application cannot be used in a context")
    actions = sign_own(outcome.artifact or NO_ARTIFACT, identity, keys)
    events = travelling(outcome.events, 0)
    genesis = new_delta((GENESIS,), actions, clock.next(), outcome.root_hash, events)
    root, now = outcome.root_hash, host.now_ns()
    return Staged(context_id, application_id, identity, keys, outcome, root, genesis, now)


def _init_call(context_id: ContextId, runnable: Runnable, identity: PublicKey, args: bytes, host: Host) -> GuestCall:
    """The guest sees no rows and no members: the context does not exist yet."""
    return GuestCall(
        module=runnable.module,
        bytecode=runnable.bytecode,
        context_id=context_id,
        executor=identity,
        method=INIT,
        args=args,
        state=_nothing,
        private=_nothing,
        now_ns=host.now_ns,
        random_bytes=host.random_bytes,
    )


def _nothing(key: bytes) -> bytes | None:
    return None


def commit_created(store: Store, staged: Staged, config: ContextConfig) -> None:
    """Write a staged context whole. Raises :class:`ContextError` if the context exists."""
    rows = ContextRows(store, staged.context_id)
    if rows.meta() is not None:
        raise ContextError(f"context {staged.context_id} exists already on this node")
    batch, genesis = Batch(), staged.genesis
    rows.put_rows(batch, Column.STATE, staged.outcome.writes)
    rows.put_rows(batch, Column.PRIVATE, staged.outcome.private_writes)
    rows.put_config(batch, config)
    rows.put_meta(batch, ContextMeta(staged.application_id, staged.root, (genesis.id,)))
    rows.put_delta(batch, genesis, applied=True)
    rows.put_origin(
        batch, DeltaOrigin(staged.context_id, genesis.id, staged.identity, "", staged.at_ns, genesis.events)
    )
    rows.put_member(batch, staged.identity, staged.keys)
    store.commit(batch)


def adopt(
    store: Store,
    context_id: ContextId,
    application_id: ApplicationId,
    config: ContextConfig,
    members: Iterable[PublicKey],
    identity: PublicKey,
    keys: ContextIdentity,
) -> None:
    """Write a joined context: no state yet, its members, the own identity. A context that is here keeps its state."""
    rows, batch = ContextRows(store, context_id), Batch()
    meta = rows.meta()
    rows.put_meta(batch, replace(meta, application_id=application_id) if meta else uninitialised(application_id))
    rows.put_config(batch, config)
    held = rows.members()
    for member in members:
        if member not in held:
            rows.put_member(batch, member, rows.kept(member) or ContextIdentity())
    rows.put_member(batch, identity, keys)
    rows.unkeep(batch, identity)
    store.commit(batch)


def update(
    state: ContextState,
    config: ContextConfig,
    members: Iterable[PublicKey] | None = None,
    application_id: ApplicationId | None = None,
) -> None:
    """Write what the registry says now; None leaves a part as it is. Root and heads are kept."""
    rows, batch = state.rows, Batch()
    rows.put_config(batch, config)
    people = state.members if members is None else _people(state, batch, set(members))
    meta = replace(state.meta, application_id=application_id) if application_id is not None else None
    state.commit(batch, meta=meta)
    state.config, state.members = config, people


def _people(state: ContextState, batch: Batch, wanted: set[PublicKey]) -> dict[PublicKey, ContextIdentity]:
    rows, held = state.rows, state.members
    for member in held.keys() - wanted:
        if held[member].private_key is not None:
            rows.keep(batch, member, held[member])
        rows.drop_member(batch, member)
    people = {member: identity for member, identity in held.items() if member in wanted}
    for member in wanted - held.keys():
        kept = rows.kept(member)
        people[member] = kept or ContextIdentity()
        rows.put_member(batch, member, people[member])
        if kept is not None:
            rows.unkeep(batch, member)
    return dict(sorted(people.items()))


def store_sender_key(state: ContextState, member: PublicKey, key: PrivateKey) -> None:
    """Keep the sender key of a member; an own private key stays. Raises :class:`NotAMember`."""
    held = state.members.get(member)
    if held is None:
        raise NotAMember(f"{member} is not a member of context {state.context_id}; its key is not kept")
    identity = replace(held, sender_key=key)
    batch = Batch()
    state.rows.put_member(batch, member, identity)
    state.commit(batch)
    state.members[member] = identity


def delete(store: Store, context_id: ContextId) -> bool:
    """Remove every row of a context. False if it was not here."""
    rows, batch = ContextRows(store, context_id), Batch()
    found = rows.meta() is not None
    rows.drop_all(batch)
    store.commit(batch)
    return found
