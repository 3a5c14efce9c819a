"""ContextOwner: the single writer of one context. Everything that happens to a context happens through it.

It composes the parts that do the work (execute, apply, outbox, snapshot, tree, past) over one :class:`ContextState`,
and adds what needs several of them. It may be used from one thread only; a caller that wants to stay responsive passes
limits and calls :meth:`work` again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.context.owner import lifecycle, upgrade
from node.context.owner.apply import Applier, ApplyReport, Received
from node.context.owner.content import wire_delta
from node.context.owner.execute import Executed, Executor
from node.context.owner.host import Host, Runnable
from node.context.owner.outbox import Outbox
from node.context.owner.past import Past
from node.context.owner.repair import Repair
from node.context.owner.snapshot import SnapshotInstaller, SnapshotServer
from node.context.owner.state import ContextState
from node.context.owner.tree import Tree
from node.dag.delta import CausalDelta, Kind, Link
from node.dag.store import PENDING_LIMIT, Pending, State
from node.errors import ApplicationNotInstalled, Uninitialized
from node.primitives import ApplicationId, ContextId, DeltaId, Hash, PrivateKey, PublicKey
from node.storage.hlc import HybridClock
from node.store.base import Store
from node.store.values import ContextConfig, ContextIdentity


@dataclass(frozen=True, slots=True)
class HeadsView:
    """Root and heads of one moment; ``missing`` are parents that waiting deltas name and nobody brought."""

    root: Hash
    heads: tuple[DeltaId, ...]
    pending: int
    missing: list[DeltaId]


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a delta waits. ``waits_for``: parents, snapshot, application, or retry (``error`` says what went wrong)."""

    id: DeltaId
    missing: list[DeltaId]
    since_ns: int
    waits_for: str
    error: str
    attempts: int


class ContextOwner:
    """Raises :class:`UnknownContext` when the store has no such context."""

    def __init__(
        self,
        context_id: ContextId,
        store: Store,
        host: Host,
        clock: HybridClock,
        *,
        pending_limit: int = PENDING_LIMIT,
    ) -> None:
        self.context_id = context_id
        self._applier = Applier()
        self.state = ContextState(context_id, store, host, self._applier.apply_waiting, pending_limit=pending_limit)
        self._applier.attach(self.state)
        self._clock = clock
        self._executor = Executor(self.state, clock)
        self.outbox = Outbox(self.state, self._executor, self._applier.owed)
        self.snapshots = SnapshotServer(self.state)
        self.installer = SnapshotInstaller(self.state, self._applier.owe)
        self.tree = Tree(self.state)
        self.past = Past(self.state)
        self.repair = Repair(self.state, self._applier.owe)

    # calls and deltas

    def execute(self, method: str, args: bytes, executor: PublicKey) -> Executed:
        """Run a method; what it changed is durable on return. Raises as :meth:`Executor.execute` says."""
        return self._executor.execute(method, args, executor)

    def apply(self, received: list[Received], source: str, *, limit: int | None = None) -> ApplyReport:
        """Take deltas of others and what they release: at most ``limit`` of these, the rest by :meth:`work`."""
        report = self._applier.take(received, source)
        released = self.state.dag.release(limit)
        report.applied.extend(link.id for link in released)
        done = set(report.applied)
        report.pending = [delta_id for delta_id in report.pending if delta_id not in done]
        return report

    def resume(self, limit: int | None = None) -> list[DeltaId]:
        """Try again what waits for something else than parents: the state, the application, a full disk."""
        return [link.id for link in self.state.dag.retry(limit)]

    def work(self, made: Callable[[Executed], None], limit: int | None = None) -> bool:
        """A slice of what is left to do: released deltas, then owed handlers. True if there is more."""
        if self.state.dag_loaded and self.state.dag.ready_count:
            self.state.dag.release(limit)
        else:
            self.outbox.run(made, limit)
        return self.busy

    @property
    def busy(self) -> bool:
        """There is work for :meth:`work`."""
        return bool(self.outbox.pending or (self.state.dag_loaded and self.state.dag.ready_count))

    def merge(self, actions: list[bytes]) -> Hash:
        """Apply entities of another replica (Borsh ``Action`` each), as tree comparison finds them; the new root."""
        return self._applier.merge(actions)

    # reading

    def heads(self) -> HeadsView:
        state, dag = self.state, self.state.dag
        return HeadsView(state.meta.root_hash, state.meta.dag_heads, dag.pending_count, dag.missing_parents())

    def pending(self) -> list[Waiting]:
        return [self._waiting(entry) for entry in self.state.dag.pending()]

    def _waiting(self, entry: Pending[Link]) -> Waiting:
        dag, link = self.state.dag, entry.delta
        missing = [parent for parent in link.parents if dag.state(parent) is not State.APPLIED]
        error = "" if entry.error is None else str(entry.error)
        return Waiting(link.id, missing, entry.since_ns, self._reason(entry), error, entry.attempts)

    def _reason(self, entry: Pending[Link]) -> str:
        if entry.missing:
            return "parents"
        if isinstance(entry.error, Uninitialized) or not self.state.initialised:
            return "snapshot"
        return "application" if isinstance(entry.error, ApplicationNotInstalled) else "retry"

    def delta(self, delta_id: DeltaId) -> CausalDelta | None:
        """A delta that this node can vouch for. A checkpoint stands for a delta that it never saw, so it is not one."""
        found = self.state.rows.causal(delta_id)
        return None if found is None or found.kind is Kind.CHECKPOINT else found

    def wire_deltas(self, ids: Iterable[DeltaId]) -> list[bytes | None]:
        """Deltas as they answer a request: Borsh ``CausalDelta``, None where there is none."""
        found = (self.delta(delta_id) for delta_id in ids)
        return [None if delta is None else wire_delta(delta) for delta in found]

    # changes from outside

    def update(
        self,
        config: ContextConfig,
        members: Iterable[PublicKey] | None = None,
        application_id: ApplicationId | None = None,
    ) -> None:
        """Follow the registry; see :func:`lifecycle.update`."""
        lifecycle.update(self.state, config, members, application_id)

    def upgrade(
        self, application_id: ApplicationId, runnable: Runnable, executor: PublicKey, method: str | None
    ) -> CausalDelta | None:
        """Switch to another application; with ``method`` the state is migrated and the delta wants to be broadcast."""
        if method is not None:
            return upgrade.migrate(self.state, application_id, runnable, executor, method, self._clock)
        if application_id != self.state.meta.application_id:
            upgrade.switch(self.state, application_id)
        return None

    def store_sender_key(self, member: PublicKey, key: PrivateKey) -> None:
        """Keep a member's sender key; an own private key stays. Raises :class:`NotAMember`."""
        lifecycle.store_sender_key(self.state, member, key)

    def finish_install(self, limit: int | None = None) -> HeadsView:
        """Verify the received snapshot and make it the state; ``limit`` of the deltas that waited are tried at once."""
        self._applier.owed.update({entry.delta_id: entry for entry in self.installer.finish()})
        self.resume(limit)
        return self.heads()

    def adopt_heads(self, root: Hash, heads: Iterable[DeltaId]) -> HeadsView:
        """Count deltas of a peer with the same root as applied, and release what waits for them."""
        entries = self.repair.adopt_heads(root, heads)
        self._applier.owed.update({entry.delta_id: entry for entry in entries})
        return self.heads()

    def keys(self) -> dict[PublicKey, ContextIdentity]:
        """Members with the secrets that this node holds of them."""
        return self.state.members

    def close(self) -> None:
        self.snapshots.close_all()
