"""What guests asked of the registry: members, contexts, proposals and approvals, carried out after their call.

The call is durable and answered by then, so an error here is told to the observers and ends nothing else. Requests are
carried out one after the other, in the order of the calls. Each has a row at its owner until it is carried out or
refused, so that none is lost when a worker is: what was under way then is carried out once more.
Source of the order: core 0.10.0: crates/context/src/handlers/execute.rs.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from node.context.actions import actions_to_json
from node.errors import CalimeroError, ContextError
from node.primitives import ApplicationId, ContextId, Hash, PublicKey
from workers.messages import runtime, sync
from workers.messages.runtime import GovernanceQueued, MutationRecord, ProposalRecord
from workers.sync.lifecycle import ALIAS_IDENTITY, Lifecycle
from workers.sync.local import Local
from workers.sync.membership import Membership

log = logging.getLogger(__name__)

MAX_QUEUED: Final = 1024
"""Notes that wait; the rows of further ones are read again when these are done."""

RETRY: Final = 0.5
"""Seconds until owners that were starting are asked again."""

PARENTS: Final = b"context parents\0"
"""Scope of the rows that say which context made a context."""

Failed = Callable[[ContextId, str, str], None]
"""Hears of what could not be carried out: the context, what was asked, and why."""


class QueuedGovernance:
    """Carries out notes of the runtime workers; :meth:`run` for as long as the worker lives."""

    def __init__(
        self,
        local: Local,
        lifecycle: Lifecycle,
        membership: Membership,
        failed: Failed,
        remind: Callable[[], Awaitable[None]],
    ) -> None:
        """``remind`` has every owner tell again what is not done."""
        self._local = local
        self._lifecycle = lifecycle
        self._membership = membership
        self._failed = failed
        self._remind = remind
        self._taken: set[Hash] = set()
        self._behind = True
        self._queue: asyncio.Queue[GovernanceQueued] = asyncio.Queue(MAX_QUEUED)
        self._kinds: dict[str, Callable[[GovernanceQueued, MutationRecord], Awaitable[object]]] = {
            "context_add_member": self._add_member,
            "context_remove_member": self._remove_member,
            "context_create": self._create,
            "context_delete": self._delete,
        }

    def take(self, note: GovernanceQueued) -> None:
        """Queue a note, once. One that finds the queue full is told again later."""
        if note.ticket in self._taken:
            return
        try:
            self._queue.put_nowait(note)
        except asyncio.QueueFull:
            self._behind = True
            return
        if note.ticket != runtime.ZERO_HASH:
            self._taken.add(note.ticket)

    async def drained(self) -> None:
        """Wait until everything that was taken is carried out."""
        await self._queue.join()

    async def run(self) -> None:
        while True:
            if self._behind and self._queue.empty():
                await self._catch_up()
            note = await self._queue.get()
            try:
                await self._carry_out(note)
                await self._done(note)
            finally:
                self._queue.task_done()

    async def _catch_up(self) -> None:
        self._behind = False
        try:
            await self._remind()
        except CalimeroError as error:
            log.warning("what guests asked of the registry earlier is not known yet: %s", error)
            self._behind = True
            await asyncio.sleep(RETRY)

    async def _done(self, note: GovernanceQueued) -> None:
        if note.ticket == runtime.ZERO_HASH:
            return
        try:
            await self._local.surely(runtime.GovernanceDone(note.context_id, note.ticket))
        except CalimeroError as error:
            log.warning("a request of context %s is done and will be made again: %s", note.context_id, error)
        self._taken.discard(note.ticket)

    async def _carry_out(self, note: GovernanceQueued) -> None:
        for proposal in note.proposals:
            kind = "approve_proposal" if proposal.approval else "send_proposal"
            await self._try(note, kind, self._propose(note, proposal))
        for mutation in note.mutations:
            await self._try(note, mutation.kind, self._mutate(note, mutation))

    async def _try(self, note: GovernanceQueued, kind: str, work: Awaitable[object]) -> None:
        try:
            await work
        except CalimeroError as error:
            log.warning("%s of a call in context %s failed: %s", kind, note.context_id, error)
            self._failed(note.context_id, kind, str(error))

    async def _propose(self, note: GovernanceQueued, proposal: ProposalRecord) -> None:
        actions = None if proposal.approval else json.dumps(actions_to_json(proposal.actions)).encode()
        await self._membership.propose(sync.Propose(note.context_id, note.executor, proposal.id, actions))

    async def _mutate(self, note: GovernanceQueued, mutation: MutationRecord) -> None:
        carry_out = self._kinds.get(mutation.kind)
        if carry_out is None:
            raise ContextError(f"a guest asked for {mutation.kind!r}, which this node does not know")
        await carry_out(note, mutation)

    async def _add_member(self, note: GovernanceQueued, mutation: MutationRecord) -> None:
        member = PublicKey(mutation.target)
        await self._membership.change_members(note.context_id, note.executor, "AddMembers", member)

    async def _remove_member(self, note: GovernanceQueued, mutation: MutationRecord) -> None:
        member = PublicKey(mutation.target)
        await self._membership.change_members(note.context_id, note.executor, "RemoveMembers", member)

    async def _create(self, note: GovernanceQueued, mutation: MutationRecord) -> None:
        """The alias of the new context is an identity alias in the scope of the calling one, as in the reference."""
        protocol, args = mutation.params["protocol"].decode(), mutation.params["init_args"]
        seed = _seed(note, mutation)
        created = await self._lifecycle.create(sync.CreateContext(protocol, ApplicationId(mutation.target), args, seed))
        await self._local.surely(runtime.PutRow(PARENTS, created.context_id, bytes(note.context_id)))
        alias = mutation.params.get("alias", b"").decode()
        if alias:
            await self._lifecycle.put_alias(ALIAS_IDENTITY, note.context_id, alias, Hash(created.context_id))

    async def _delete(self, note: GovernanceQueued, mutation: MutationRecord) -> None:
        """A guest may end its own context and those that it made, and no other of this node."""
        target = ContextId(mutation.target)
        parent = (await self._local.ask(runtime.GetRow(PARENTS, target))).value
        if target != note.context_id and parent != note.context_id:
            raise ContextError(f"context {target} was not made by context {note.context_id}, which wants it deleted")
        await self._lifecycle.leave(sync.LeaveContext(target))
        await self._local.surely(runtime.PutRow(PARENTS, target, None))


def _seed(note: GovernanceQueued, mutation: MutationRecord) -> bytes | None:
    """The same for the same request, so that one which is made again makes no second context."""
    if note.ticket == runtime.ZERO_HASH:
        return None
    return hashlib.sha256(note.ticket + note.mutations.index(mutation).to_bytes(4, "little")).digest()


def notice(context_id: ContextId, kind: str, reason: str, now_ns: int) -> runtime.Noticed:
    """The note to the server about a request of a guest that was not carried out."""
    fields = json.dumps({"request": kind, "reason": reason}).encode()
    return runtime.Noticed("context", "governance failed", now_ns, context_id, fields)
