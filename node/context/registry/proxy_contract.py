"""The proxy contract of a context: proposals, approvals and context values.

A proposal that gathers its approvals is executed at once and removed. Actions that would move money or call a chain are
refused when they would run: this registry has neither.
Source: calimero-network/contracts 0.6: contracts/near/context-proxy/src.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

import msgspec

from node.context.registry.config_contract import Contract
from node.context.registry.entries import ProposalEntry, ProxyEntry, dump, load, proxy_key
from node.context.registry.request import check_signature, key_text, parse, signed_parts
from node.errors import RegistryError

U32_MAX: Final = (1 << 32) - 1
Count = Annotated[int, msgspec.Meta(ge=1, le=U32_MAX)]
Bytes = Annotated[list[Annotated[int, msgspec.Meta(ge=0, le=255)]], msgspec.Meta(max_length=1 << 16)]


@dataclass(frozen=True, slots=True)
class Proxy:
    """One proxy contract and the config contract that it asks about members."""

    config: Contract
    name: str
    entry: ProxyEntry

    def is_member(self, identity: str) -> bool:
        return identity in self.config.entry(self.entry.context_id).members

    def proposal(self, proposal_id: str) -> ProposalEntry | None:
        return self.entry.proposals.get(key_text(proposal_id, "proposal_id"))


def find_proxy(config: Contract, name: str) -> Proxy | None:
    """The proxy of that name, None when no context has it."""
    raw = config.rows.get(proxy_key(config.network, name))
    return None if raw is None else Proxy(config, name, load(ProxyEntry, raw))


# -- queries


class _ProposalArgs(msgspec.Struct, frozen=True):
    proposal_id: str


class _PageArgs(msgspec.Struct, frozen=True):
    """The reference's node says ``limit`` where its contract says ``length``; both are read."""

    offset: int
    length: int | None = None
    limit: int | None = None

    def cut(self, items: list[object]) -> list[object]:
        size = self.length if self.length is not None else self.limit
        if size is None or size < 0 or self.offset < 0:
            raise RegistryError("failed to parse input: offset and length must be positive numbers")
        return items[self.offset : self.offset + size]


class _ValueArgs(msgspec.Struct, frozen=True):
    key: Bytes


def _proposal_json(proposal: ProposalEntry) -> object:
    return {"id": proposal.id, "author_id": proposal.author_id, "actions": proposal.actions}


def _proposals(proxy: Proxy, raw: bytes) -> object:
    return parse(_PageArgs, raw, "proposals").cut([_proposal_json(p) for p in proxy.entry.proposals.values()])


def _proposal(proxy: Proxy, raw: bytes) -> object:
    found = proxy.proposal(parse(_ProposalArgs, raw, "proposal").proposal_id)
    return None if found is None else _proposal_json(found)


def _confirmations(proxy: Proxy, raw: bytes) -> object:
    found = proxy.proposal(parse(_ProposalArgs, raw, "get_confirmations_count").proposal_id)
    return None if found is None else {"proposal_id": found.id, "num_approvals": len(found.approvals)}


def _approvers(proxy: Proxy, raw: bytes) -> object:
    found = proxy.proposal(parse(_ProposalArgs, raw, "get_proposal_approvers").proposal_id)
    return None if found is None else found.approvals


def _value(proxy: Proxy, raw: bytes) -> object:
    found = proxy.entry.values.get(bytes(parse(_ValueArgs, raw, "get_context_value").key).hex())
    return None if found is None else list(bytes.fromhex(found))


def _values(proxy: Proxy, raw: bytes) -> object:
    rows = [[list(bytes.fromhex(part)) for part in row] for row in proxy.entry.values.items()]
    return parse(_PageArgs, raw, "context_storage_entries").cut(list(rows))


QUERIES: Final[dict[str, Callable[[Proxy, bytes], object]]] = {
    "get_num_approvals": lambda proxy, _: proxy.entry.num_approvals,
    "get_active_proposals_limit": lambda proxy, _: proxy.entry.active_limit,
    "proposals": _proposals,
    "proposal": _proposal,
    "get_confirmations_count": _confirmations,
    "get_proposal_approvers": _approvers,
    "get_context_value": _value,
    "context_storage_entries": _values,
}


def query(proxy: Proxy, method: str, raw: bytes) -> bytes:
    """Answer a read as JSON bytes. Raises :class:`RegistryError`."""
    answer = QUERIES.get(method)
    if answer is None:
        raise RegistryError(f"method {method!r} is not a query of the proxy contract: {', '.join(sorted(QUERIES))}")
    return json.dumps(answer(proxy, raw), separators=(",", ":")).encode()


# -- mutations


class _Action(msgspec.Struct, frozen=True):
    scope: str
    params: dict[str, object] = {}


class _ProposalParams(msgspec.Struct, frozen=True):
    id: str
    author_id: str
    actions: list[_Action]


class _Approval(msgspec.Struct, frozen=True):
    proposal_id: str
    signer_id: str


class _Params(msgspec.Struct, frozen=True):
    proposal: _ProposalParams | None = None
    approval: _Approval | None = None


class _Mutation(msgspec.Struct, frozen=True):
    scope: str
    params: _Params


def mutate(proxy: Proxy, raw: bytes) -> bytes:
    """Carry out a signed proposal or approval; answers its count as JSON, or nothing. Raises :class:`RegistryError`."""
    inner, signature = signed_parts(raw)
    request = parse(_Mutation, inner, "request")
    if request.scope == "Propose" and request.params.proposal is not None:
        check_signature(request.params.proposal.author_id, inner, signature)
        answer = _propose(proxy, request.params.proposal)
    elif request.scope == "Approve" and request.params.approval is not None:
        check_signature(request.params.approval.signer_id, inner, signature)
        answer = _approve(proxy, request.params.approval)
    else:
        raise RegistryError(f"failed to parse input: {request.scope!r} is neither Propose nor Approve with its params")
    proxy.config.rows.commit({proxy_key(proxy.config.network, proxy.name): dump(proxy.entry)})
    return answer


def _propose(proxy: Proxy, wanted: _ProposalParams) -> bytes:
    if proxy.proposal(wanted.id) is not None:
        raise RegistryError("Proposal already exists")
    if wanted.actions and wanted.actions[0].scope == "DeleteProposal":
        _delete_own(proxy, wanted)
        return b""
    _check_proposal(proxy, wanted)
    actions: list[dict[str, object]] = [{"scope": action.scope, "params": action.params} for action in wanted.actions]
    proposal = ProposalEntry(wanted.id, wanted.author_id, actions, [wanted.author_id])
    proxy.entry.proposals[wanted.id] = proposal
    return _settle(proxy, proposal)


def _check_proposal(proxy: Proxy, wanted: _ProposalParams) -> None:
    if not proxy.is_member(wanted.author_id):
        raise RegistryError("Is not a member")
    if not wanted.actions:
        raise RegistryError("proposal cannot have empty actions")
    for action in wanted.actions:
        if action.scope not in ACTIONS:
            raise RegistryError(f"failed to parse input: unknown action {action.scope!r}")
    own = sum(1 for proposal in proxy.entry.proposals.values() if proposal.author_id == wanted.author_id)
    if own >= proxy.entry.active_limit:
        raise RegistryError("Account has too many active proposals. Confirm or delete some.")


def _delete_own(proxy: Proxy, wanted: _ProposalParams) -> None:
    target = parse(_ProposalArgs, msgspec.json.encode(wanted.actions[0].params), "DeleteProposal").proposal_id
    found = proxy.proposal(target)
    if found is None:
        raise RegistryError("Proposal does not exist")
    if found.author_id != wanted.author_id:
        raise RegistryError("Can only delete own proposals")
    del proxy.entry.proposals[target]


def _approve(proxy: Proxy, approval: _Approval) -> bytes:
    if not proxy.is_member(approval.signer_id):
        raise RegistryError("Is not a member")
    proposal = proxy.proposal(approval.proposal_id)
    if proposal is None:
        raise RegistryError("Proposal does not exist")
    if approval.signer_id in proposal.approvals:
        raise RegistryError("Already confirmed this proposal with this key")
    proposal.approvals.append(approval.signer_id)
    return _settle(proxy, proposal)


def _settle(proxy: Proxy, proposal: ProposalEntry) -> bytes:
    """Execute a proposal that has its approvals; JSON of its count otherwise."""
    if len(proposal.approvals) < proxy.entry.num_approvals:
        return json.dumps({"proposal_id": proposal.id, "num_approvals": len(proposal.approvals)}).encode()
    for action in proposal.actions:
        ACTIONS[str(action["scope"])](proxy, msgspec.json.encode(action["params"]))
    del proxy.entry.proposals[proposal.id]
    return b"null"


class _ApprovalsParams(msgspec.Struct, frozen=True):
    num_approvals: Count


class _LimitParams(msgspec.Struct, frozen=True):
    active_proposals_limit: Count


class _SetValueParams(msgspec.Struct, frozen=True):
    key: Bytes
    value: Bytes


def _set_approvals(proxy: Proxy, raw: bytes) -> None:
    proxy.entry.num_approvals = parse(_ApprovalsParams, raw, "SetNumApprovals").num_approvals


def _set_limit(proxy: Proxy, raw: bytes) -> None:
    proxy.entry.active_limit = parse(_LimitParams, raw, "SetActiveProposalsLimit").active_proposals_limit


def _set_value(proxy: Proxy, raw: bytes) -> None:
    args = parse(_SetValueParams, raw, "SetContextValue")
    proxy.entry.values[bytes(args.key).hex()] = bytes(args.value).hex()


def _needs_chain(_: Proxy, __: bytes) -> None:
    raise RegistryError("this registry has no chain: transfers and external calls need an external relayer")


def _misplaced_delete(_: Proxy, __: bytes) -> None:
    raise RegistryError("DeleteProposal must be the only action of its proposal")


ACTIONS: Final[dict[str, Callable[[Proxy, bytes], None]]] = {
    "SetNumApprovals": _set_approvals,
    "SetActiveProposalsLimit": _set_limit,
    "SetContextValue": _set_value,
    "ExternalFunctionCall": _needs_chain,
    "Transfer": _needs_chain,
    "DeleteProposal": _misplaced_delete,
}
