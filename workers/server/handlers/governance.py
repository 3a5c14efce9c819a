"""Proposals and values of the proxy contract, through the registry. core 0.10.0: …/admin/handlers/proposals.rs."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.api import models
from node.errors import ContextError, UnknownContext
from node.primitives import ContextId, Hash
from workers.messages import sync
from workers.server.api import Api
from workers.server.replies import data, path_id

NO_CONFIG: Final = "Context not found"
"""The reference reads the context's configuration first, and answers 500 on all these routes when there is none."""


async def _read(api: Api, request: Request, method: str, args: object, contract: str = "proxy") -> Any:
    context_id = path_id(ContextId, request, "context")
    try:
        raw = await api.backend.sync(sync.ReadRegistry(context_id, contract, method, json.dumps(args).encode()))
    except UnknownContext as error:
        raise ContextError(NO_CONFIG) from error
    return json.loads(raw.result)


async def proxy_contract(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    try:
        return data((await api.backend.context(context_id)).config.proxy_contract)
    except UnknownContext as error:
        raise ContextError(NO_CONFIG) from error


async def proposals(api: Api, request: Request, body: models.Page) -> Response:
    return data(await _read(api, request, "proposals", {"offset": body.offset, "length": body.limit}))


async def proposals_limit(api: Api, request: Request, body: Any) -> Response:
    return data(await _read(api, request, "get_active_proposals_limit", None))


async def proposal(api: Api, request: Request, body: Any) -> Response:
    found = await _read(api, request, "proposal", _named(request))
    if found is None:
        raise ContextError("Proposal not found")
    return data(found)


async def approvals_count(api: Api, request: Request, body: Any) -> Response:
    return data(await _approvals(api, request, _named(request)))


async def approvals_users(api: Api, request: Request, body: Any) -> Response:
    found = await _read(api, request, "get_proposal_approvers", _named(request))
    if found is None:
        raise ContextError("Proposal not found")
    return data(found)


async def propose(api: Api, request: Request, body: models.NewProposal) -> Response:
    """Propose; where one approval is enough the proposal is carried out at once."""
    actions = [{"scope": action.scope, "params": action.params} for action in body.proposal.actions]
    return await _send(api, request, body.signer_id, body.proposal.id, json.dumps(actions).encode())


async def approve(api: Api, request: Request, body: models.Approve) -> Response:
    return await _send(api, request, body.signer_id, body.proposal_id, None)


async def _send(api: Api, request: Request, signer: Any, proposal_id: Hash, actions: bytes | None) -> Response:
    context_id = path_id(ContextId, request, "context")
    try:
        answer = await api.backend.sync(sync.Propose(context_id, signer, proposal_id, actions))
    except UnknownContext as error:
        raise ContextError(NO_CONFIG) from error
    found = json.loads(answer.result or b"null")
    return data(found or {"proposal_id": str(proposal_id), "num_approvals": 0})


async def context_value(api: Api, request: Request, body: models.ContextValue) -> Response:
    found = await _read(api, request, "get_context_value", {"key": list(body.key.encode())})
    if found is None:
        raise ContextError(f"the context has no value {body.key!r}")
    return data(found)


async def context_entries(api: Api, request: Request, body: models.Page) -> Response:
    rows = await _read(api, request, "context_storage_entries", {"offset": body.offset, "limit": body.limit})
    return data([{"key": key, "value": value} for key, value in rows])


async def _approvals(api: Api, request: Request, proposal: dict[str, str]) -> Any:
    found = await _read(api, request, "get_confirmations_count", proposal)
    if found is None:
        raise ContextError("Proposal not found")
    return found


def _named(request: Request) -> dict[str, str]:
    return {"proposal_id": str(path_id(Hash, request, "proposal"))}
