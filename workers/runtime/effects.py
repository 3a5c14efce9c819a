"""What follows from a call outside its context, as messages."""

from __future__ import annotations

from node.context.owner.execute import Executed
from node.primitives import ContextId, Hash, PublicKey
from node.store.values import OwedGovernance
from workers.messages.runtime import GovernanceQueued, MutationRecord, ProposalRecord


def governance(context_id: ContextId, author: PublicKey | None, result: Executed) -> GovernanceQueued | None:
    """Proposals, approvals and membership changes of a call; None if there are none."""
    if author is None or not (result.mutations or result.proposals):
        return None
    mutations = [MutationRecord(m.kind, m.target, m.params) for m in result.mutations]
    proposals = [ProposalRecord(p.id, p.actions, p.approval) for p in result.proposals]
    return GovernanceQueued(context_id, author, mutations, proposals, result.ticket)


def owed_note(ticket: Hash, owed: OwedGovernance) -> GovernanceQueued:
    """The note of a row, told again."""
    mutations = [MutationRecord(m.kind, m.target, dict(m.params)) for m in owed.mutations]
    proposals = [ProposalRecord(p.id, p.actions, p.approval) for p in owed.proposals]
    return GovernanceQueued(owed.context_id, owed.executor, mutations, proposals, ticket)
