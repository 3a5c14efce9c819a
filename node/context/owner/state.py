"""What the owner keeps in memory of one context, and the one way to change it: commit a batch, then follow it.

The root and the heads have a single home, the Meta row; they change in the same batch as the state that they describe.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from node.codec import borsh
from node.context.owner import originals
from node.context.owner.clock import ContextTime
from node.context.owner.host import Host, Runnable
from node.context.owner.rows import ContextRows
from node.dag.delta import CausalDelta, Link
from node.dag.store import DagStore
from node.errors import (
    ApplicationNotInstalled,
    ContextError,
    DecodeError,
    StateInconsistency,
    Unauthorized,
    UnknownContext,
)
from node.primitives import ApplicationId, ContextId, DeltaId, Hash, PublicKey
from node.storage.entities import EntityIndex
from node.storage.keys import index_key, root_id
from node.store.base import Batch, Store
from node.store.values import ContextConfig, ContextIdentity, ContextMeta


class NotTriedYet(ContextError):
    """A delta that was found waiting when the context was loaded."""


class ContextState:
    """Rows of one context as its single writer sees them. Raises :class:`UnknownContext` when there are none.

    ``apply`` makes the effects of a waiting delta durable once its parents are applied (see ``owner.apply``).
    """

    def __init__(
        self, context_id: ContextId, store: Store, host: Host, apply: Callable[[Link], None], *, pending_limit: int
    ) -> None:
        self.context_id = context_id
        self.store = store
        self.host = host
        self.rows = ContextRows(store, context_id)
        self.counts: Counter[str] = Counter()
        """Deltas by fate and refusals by reason, since the context was loaded."""
        self._apply = apply
        self._pending_limit = pending_limit
        self._dag: DagStore[Link] | None = None
        self.reload()

    def reload(self) -> None:
        """Read the small rows again, after a batch that this object did not follow."""
        meta = self.rows.meta()
        if meta is None:
            raise UnknownContext(f"context {self.context_id} is not on this node")
        self.meta: ContextMeta = meta
        self.config: ContextConfig | None = self.rows.config()
        self.members: dict[PublicKey, ContextIdentity] = self.rows.members()
        self._dag = None
        self.time = ContextTime(self.host.now_ns, self._latest(), self._node())

    def _latest(self) -> int:
        """The root entity is saved last in every change, so nothing in the state is newer."""
        raw = self.rows.state(index_key(root_id(self.context_id)))
        try:
            return 0 if raw is None else borsh.decode(EntityIndex, raw).metadata.updated_at
        except DecodeError:
            return 0

    def _node(self) -> bytes:
        return self.me() or self.context_id

    # committing

    def commit(self, batch: Batch, *, meta: ContextMeta | None = None) -> None:
        """Write a batch, with a new Meta row if one is given. On an error nothing changed, here or on disk."""
        if meta is not None and meta != self.meta:
            self.rows.put_meta(batch, meta)
        self.store.commit(batch)
        if meta is not None:
            self.meta = meta

    def commit_delta(
        self, batch: Batch, delta: CausalDelta, root: Hash, *, application_id: ApplicationId | None = None
    ) -> None:
        """Write a delta as applied, together with its effects, the new root and the new heads."""
        self.rows.put_delta(batch, delta, applied=True)
        if self.dag.partial:
            originals.keep(self.rows, batch, delta.payload)
        application = application_id or self.meta.application_id
        self.commit(batch, meta=ContextMeta(application, root, self.dag.heads_after(delta)))

    # the graph

    @property
    def dag(self) -> DagStore[Link]:
        """The graph of the context, read from its rows when it is first needed."""
        if self._dag is None:
            self._dag = self._load_dag()
        return self._dag

    @property
    def dag_loaded(self) -> bool:
        return self._dag is not None

    def _load_dag(self) -> DagStore[Link]:
        dag: DagStore[Link] = DagStore(self._apply, pending_limit=self._pending_limit, on_evict=self._evicted)
        applied: list[Link] = []
        checkpoints: list[DeltaId] = []
        waiting: list[Link] = []
        for link, done, checkpoint in self.rows.links():
            (applied if done else waiting).append(link)
            if checkpoint:
                checkpoints.append(link.id)
        dag.restore(applied, checkpoints)
        self._check_heads(dag)
        for link in waiting:
            origin = self.rows.origin(link.id)
            dag.park(link, NotTriedYet("found waiting at start"), now_ns=origin.since_ns if origin else 0)
        return dag

    def _check_heads(self, dag: DagStore[Link]) -> None:
        """Heads are never dropped and never invented: a row that is missing stops the context."""
        if set(dag.heads) == set(self.meta.dag_heads):
            return
        lost = [str(head) for head in self.meta.dag_heads if dag.parents(head) is None]
        raise StateInconsistency(
            f"context {self.context_id} is stopped: its heads do not match its deltas (no row: {lost or 'none'}). "
            "Delete it here and join again, or restore the database"
        )

    def _evicted(self, link: Link) -> None:
        batch = Batch()
        self.rows.drop_delta(batch, link.id)
        self.store.commit(batch)

    # the people

    @property
    def initialised(self) -> bool:
        return not self.meta.root_hash.is_zero

    def keys_of(self, executor: PublicKey) -> ContextIdentity:
        """The own identity ``executor`` with both keys. Raises :class:`Unauthorized`."""
        identity = self.members.get(executor)
        if identity is None or identity.private_key is None or identity.sender_key is None:
            raise Unauthorized(f"this node holds no keys of {executor} in context {self.context_id}")
        return identity

    def me(self) -> PublicKey | None:
        """The own identity under which deltas of others are applied and their handlers run: the smallest key."""
        owned = (key for key, identity in self.members.items() if identity.private_key is not None)
        return next(owned, None)

    def owns(self, identity: PublicKey | None) -> bool:
        held = self.members.get(identity) if identity is not None else None
        return held is not None and held.private_key is not None

    # the application

    def runnable(self) -> Runnable:
        """Raises :class:`ApplicationNotInstalled`."""
        found = self.host.applications(self.meta.application_id)
        if found is None:
            raise ApplicationNotInstalled(f"application {self.meta.application_id} is not installed on this node")
        return found
