"""What calls asked of the registry: a row each, written with the call, until it is carried out.

The registry is asked by another process, after the call is answered. The row is what survives when that process, or
this one, is not there at the moment. Its ticket is random, so that nobody else can derive anything from it.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.codec import borsh
from node.primitives import ContextId, Hash, PublicKey
from node.runtime.call import Outcome
from node.store.base import Batch, View
from node.store.columns import SCOPE_LENGTH, Column, Scope, generic_key
from node.store.values import OwedGovernance, OwedMutation, OwedProposal


def stage(batch: Batch, context_id: ContextId, executor: PublicKey, outcome: Outcome, ticket: Hash) -> None:
    """Put what a guest queued into the batch of its call."""
    mutations = tuple(OwedMutation(m.kind, m.target, tuple(m.params.items())) for m in outcome.mutations)
    proposals = tuple(OwedProposal(p.id, p.actions, p.approval) for p in outcome.proposals)
    owed = OwedGovernance(context_id, executor, mutations, proposals)
    batch.put(Column.GENERIC, generic_key(Scope.GOVERNANCE, ticket), borsh.encode(owed))


def done(batch: Batch, ticket: Hash) -> None:
    batch.delete(Column.GENERIC, generic_key(Scope.GOVERNANCE, ticket))


def owed(view: View) -> Iterator[tuple[Hash, OwedGovernance]]:
    """Everything that is still to be carried out for the contexts of a shard, by ticket."""
    for key, raw in view.scan(Column.GENERIC, Scope.GOVERNANCE):
        yield Hash(key[SCOPE_LENGTH:]), borsh.decode(OwedGovernance, raw)
