"""The runtime worker without its process: messages in, messages out.

One object owns the shards, the guest and the contexts of this worker. :meth:`handle` answers a request by the table of
operations; :meth:`work` does a slice of what is left over (released deltas, event handlers, calls between contexts), so
that the loop around it stays responsive. What others must hear goes out through ``tell``.
"""

from __future__ import annotations

import json
import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter_ns
from typing import Any, Final

from node.context.owner import governance as governance_rows
from node.context.owner.apply import RELEASE_SLICE
from node.context.owner.execute import Executed
from node.context.owner.host import Host
from node.context.owner.owner import ContextOwner
from node.errors import CalimeroError, StorageError, WorkerError
from node.events import Notice, StateMutation, event_to_json
from node.primitives import ApplicationId, BlobId, ContextId, Hash, PublicKey
from node.runtime.call import Guest, Services, XCall
from node.storage.hlc import HybridClock, clock_id
from node.store.base import Batch, Store
from node.store.shards import Shards
from workers.messages.base import Message, Note, Request
from workers.messages.runtime import BlobMade, DeltaCommitted, Noticed, StateChanged
from workers.runtime.applications import Applications
from workers.runtime.contexts import Contexts
from workers.runtime.convert import delta_record
from workers.runtime.effects import governance, owed_note
from workers.runtime.node_rows import NodeRows
from workers.runtime.services import NodeServices

XCALL_BREADTH: Final = 8
"""Calls into other contexts that one call may queue."""

XCALL_DEPTH: Final = 3
"""How far such calls may lead on: with the breadth at most 584 executions follow one call."""

MAX_SKIPPED: Final = 63
"""Most rounds of retries that a context is passed over: with 5 s a round it is tried every 5 minutes at the least."""

Tell = Callable[[str, Note], bool]
"""Hands a note to a peer by name; False: it was away or did not keep up."""

Operations = Mapping[type[Request[Any]], Callable[["RuntimeWorker", Any], Message]]
"""The table of operations; see ``workers.runtime.operations``."""

_log: Final = logging.getLogger(__name__)


def _nothing() -> None:
    """Nobody waits for work."""


@dataclass(frozen=True, slots=True)
class Ports:
    """What the worker needs from its process."""

    tell: Tell
    now_ns: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    unpack: Callable[[bytes], bytes]
    announce: Callable[[BlobId, ContextId], bool] = field(default=lambda blob_id, context_id: False)
    prepare: Callable[[Hash, Callable[[], bytes]], None] = field(default=lambda module, bytecode: None)
    """Compiles a module before it is called; raises :class:`FunctionCallError` for one that cannot run."""

    blob_quota: int = 0
    """Bytes of all blobs together, 0 for no bound."""


@dataclass(frozen=True, slots=True)
class QueuedCall:
    """A call into another context, to be made after the answer to the call that asked for it."""

    call: XCall
    depth: int


class RuntimeWorker:
    """Serves the contexts of ``shards``."""

    def __init__(self, shards: Shards, guest: Guest, blob_dir: Path, ports: Ports, operations: Operations) -> None:
        self.ports = ports
        self._operations = operations
        self.rows = NodeRows(shards, blob_dir, ports.random_bytes)
        self.applications = Applications(self.rows, ports.unpack)
        self.host = Host(guest, self.applications, ports.now_ns, ports.random_bytes, self._services, self._notify)
        self.contexts = Contexts(shards, self.host, self._clock)
        self.counts: Counter[str] = Counter()
        self._blob_dir = blob_dir
        self._xcalls: deque[QueuedCall] = deque()
        self._busy: dict[ContextId, None] = {}
        self._patience: dict[ContextId, tuple[int, int]] = {}
        self._shards = shards
        self.on_work: Callable[[], None] = _nothing
        """Called when there is something for :meth:`work`."""

    # serving

    def handle(self, peer: str, request: Request[Any]) -> Message:
        """Answer one request. Raises :class:`CalimeroError`; anything else is a fault that the loop logs."""
        operation = self._operations.get(type(request))
        if operation is None:
            raise WorkerError(f"{type(request).__name__} is not served by a runtime worker")
        self.counts[type(request).__name__] += 1
        return operation(self, request)

    def recover(self) -> list[ContextId]:
        """Load every context, so that owed handlers and waiting deltas go on. A context that cannot be loaded is
        reported and left out; the others are served."""
        recovered: list[ContextId] = []
        for context_id in self.contexts.ids():
            try:
                owner = self.contexts.get(context_id)
                owner.heads()
            except CalimeroError as error:
                self.contexts.forget(context_id)
                self.notice("context", "unusable", context_id, error=str(error))
                _log.error("context %s cannot be served: %s", context_id, error)
                continue
            recovered.append(context_id)
            owner.resume(0)
            self.look_after(owner)
        return recovered

    # work between requests

    @property
    def idle(self) -> bool:
        return not self._xcalls and not self._busy

    def work(self) -> None:
        """One slice: a queued call, or a few steps of one context that has something left to do."""
        if self._xcalls:
            self._run_xcall(self._xcalls.popleft())
        elif self._busy:
            context_id = next(iter(self._busy))
            del self._busy[context_id]
            self._work_on(context_id)

    def _work_on(self, context_id: ContextId) -> None:
        try:
            owner = self.contexts.get(context_id)
            if owner.work(lambda result: self.committed(owner, None, result, 0), RELEASE_SLICE):
                self._later(context_id)
        except CalimeroError as error:
            self.counts["background failures"] += 1
            _log.warning("background work of context %s failed: %s", context_id, error)

    def retry(self, *, now: bool = False) -> None:
        """Try again what waits for an application, a state or a disk. Called from time to time; a context in which
        nothing comes of it is left alone for ever more rounds, except when something arrived (``now``)."""
        for owner in self.contexts.loaded():
            if not owner.state.dag_loaded or not owner.state.dag.pending_count:
                self._patience.pop(owner.context_id, None)
            elif now or self._is_due(owner.context_id):
                self._retry(owner)

    def _is_due(self, context_id: ContextId) -> bool:
        left, skipped = self._patience.get(context_id, (0, 0))
        if left:
            self._patience[context_id] = (left - 1, skipped)
        return not left

    def _retry(self, owner: ContextOwner) -> None:
        _, skipped = self._patience.get(owner.context_id, (0, 0))
        if owner.resume(RELEASE_SLICE):
            self._patience.pop(owner.context_id, None)
        else:
            skipped = min(2 * skipped + 1, MAX_SKIPPED)
            self._patience[owner.context_id] = (skipped, skipped)
        self.look_after(owner)

    def look_after(self, owner: ContextOwner) -> None:
        """Come back to a context that has work left."""
        if owner.busy:
            self._later(owner.context_id)

    def _later(self, context_id: ContextId) -> None:
        self._busy[context_id] = None
        self.on_work()

    def prepare(self, application_id: ApplicationId) -> None:
        """Compile what contexts will run next, so that no call waits for it. The worker of the node-wide rows does so
        for every application, and the others find its machine code on disk. One that cannot run is told by its first
        call."""
        used = any(owner.state.meta.application_id == application_id for owner in self.contexts.loaded())
        if not used and not self._shards.owns(ContextId.zero()):
            return
        runnable = self.applications(application_id)
        if runnable is None:
            return
        try:
            self.ports.prepare(runnable.module, runnable.bytecode)
        except CalimeroError as error:
            self.counts["modules not prepared"] += 1
            _log.warning("application %s cannot run on this node: %s", application_id, error)

    # calls

    def execute(
        self, owner: ContextOwner, method: str, args: bytes, executor: PublicKey, depth: int = 0
    ) -> tuple[Executed, int]:
        """Run a call and send what follows from it. Answers the result and the microseconds that it took."""
        started = perf_counter_ns()
        result = owner.execute(method, args, executor)
        micros = (perf_counter_ns() - started) // 1000
        self.committed(owner, executor, result, depth)
        return result, micros

    def committed(self, owner: ContextOwner, executor: PublicKey | None, result: Executed, depth: int) -> None:
        """Tell the others about a call that is durable. ``executor`` None: the context's own identity (a handler)."""
        author = executor or owner.state.me()
        if result.delta is not None:
            self.ports.tell("sync", DeltaCommitted(owner.context_id, delta_record(result.delta, author)))
        note = governance(owner.context_id, author, result)
        if note is not None:
            self.ports.tell("sync", note)
        self._queue(result.xcalls, depth)
        self.look_after(owner)

    def tell_governance(self) -> None:
        """Tell sync again what calls asked of the registry and nobody reported as done."""
        for store in self._shards:
            for ticket, owed in governance_rows.owed(store):
                self.ports.tell("sync", owed_note(ticket, owed))

    def governance_done(self, context_id: ContextId, ticket: Hash) -> None:
        batch = Batch()
        governance_rows.done(batch, ticket)
        self.store(context_id).commit(batch)

    def _queue(self, xcalls: list[XCall], depth: int) -> None:
        for number, call in enumerate(xcalls):
            if depth >= XCALL_DEPTH or number >= XCALL_BREADTH:
                self.counts["xcalls refused"] += 1
                self.notice("context", "xcall refused", call.context_id, function=call.function, depth=depth)
            else:
                self._xcalls.append(QueuedCall(call, depth + 1))
                self.on_work()

    def _run_xcall(self, queued: QueuedCall) -> None:
        """Run as the first own member of the target; results are dropped, errors are told."""
        call = queued.call
        try:
            owner = self.contexts.get(call.context_id)
            me = owner.state.me()
            if me is None:
                raise StorageError("this node has no identity in the called context")
            self.execute(owner, call.function, call.params, me, queued.depth)
        except CalimeroError as error:
            self.counts["xcalls failed"] += 1
            self.notice("context", "xcall failed", call.context_id, function=call.function, error=str(error))

    def store(self, context_id: ContextId) -> Store:
        """The database of a context, which may not exist yet. Raises :class:`StorageError` for another worker's."""
        return self._shards.of(context_id)

    def stats(self) -> dict[str, object]:
        """Counters since the start: requests, background work, and of each loaded context what became of its deltas."""
        loaded = self.contexts.loaded()
        totals: Counter[str] = Counter()
        for owner in loaded:
            totals.update(owner.state.counts)
        return {"contexts": len(loaded), "shards": self._shards.owned, "worker": self.counts, "deltas": totals}

    # telling

    def state_changed(self, owner: ContextOwner) -> None:
        """A new root without a delta: a snapshot or a merge of subtrees."""
        self._notify(StateMutation(owner.context_id, owner.state.meta.root_hash))

    def _notify(self, event: StateMutation | Notice) -> None:
        if isinstance(event, StateMutation):
            events = json.dumps([event_to_json(e) for e in event.events], separators=(",", ":")).encode()
            self.ports.tell("server", StateChanged(event.context_id, event.new_root, events))
        else:
            fields = json.dumps(event.fields).encode()
            self.ports.tell("server", Noticed(event.kind, event.name, event.at_ns, event.context_id, fields))

    def notice(self, kind: Any, name: str, context_id: ContextId | None, **fields: str | int) -> None:
        self._notify(Notice(kind, name, self.ports.now_ns(), context_id, dict(fields)))

    # for the host

    def _clock(self) -> HybridClock:
        return HybridClock(self.ports.now_ns, clock_id(self.ports.random_bytes(16)))

    def _services(self, context_id: ContextId) -> Services:
        return NodeServices(
            context_id,
            self.rows,
            self._blob_dir,
            lambda: list(self.contexts.get(context_id).state.members),
            self.ports.announce,
            lambda rows: self.ports.tell("sync", BlobMade(rows)),
            self.ports.blob_quota,
        )

    def close(self) -> None:
        self.contexts.close()
        self._shards.close()
