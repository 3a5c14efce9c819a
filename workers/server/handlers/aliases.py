"""Names for contexts, identities and applications. core 0.10.0: crates/server/src/admin/handlers/alias."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from node.api import models
from node.api.bodies import PLAIN, misshapen
from node.api.errors import Refusal
from node.errors import ContextError, InvalidId
from node.primitives import ZERO_CONTEXT, ContextId, Hash
from workers.messages import runtime
from workers.server.api import Api
from workers.server.replies import data

CONTEXT, IDENTITY, APPLICATION = 1, 2, 3
KINDS = {"context": CONTEXT, "application": APPLICATION}
BAD_PATH = "invalid path params"


async def alias_context(api: Api, request: Request, body: models.AliasOfContext) -> Response:
    return await _create(api, CONTEXT, ZERO_CONTEXT, body.alias, Hash(body.context_id))


async def alias_application(api: Api, request: Request, body: models.AliasOfApplication) -> Response:
    return await _create(api, APPLICATION, ZERO_CONTEXT, body.alias, Hash(body.application_id))


async def alias_identity(api: Api, request: Request, body: models.AliasOfIdentity) -> Response:
    try:
        scope = ContextId.parse(request.path_params["scope"])
    except InvalidId as error:
        raise ContextError("alias requires scope to be present") from error
    return await _create(api, IDENTITY, scope, body.alias, Hash(body.identity))


async def _create(api: Api, kind: int, scope: ContextId, name: str, target: Hash) -> Response:
    if len(name.encode()) > models.MAX_ALIAS:
        raise misshapen(PLAIN, f"alias: exceeds maximum length of {models.MAX_ALIAS} characters")
    if not name:
        raise misshapen(PLAIN, "alias: is empty")
    await api.backend.owner(scope, runtime.PutAlias(kind, scope, name, target))
    return data(None)


async def alias_lookup(api: Api, request: Request, body: Any) -> Response:
    return await _lookup(api, _kind(request), ZERO_CONTEXT, _name(request))


async def alias_lookup_identity(api: Api, request: Request, body: Any) -> Response:
    return await _lookup(api, IDENTITY, _scope(request), _name(request))


async def _lookup(api: Api, kind: int, scope: ContextId, name: str) -> Response:
    target = (await api.backend.owner(scope, runtime.GetAlias(kind, scope, name))).target
    return data({"value": None if target is None else str(target)})


async def alias_delete(api: Api, request: Request, body: Any) -> Response:
    return await _delete(api, _kind(request), ZERO_CONTEXT, _name(request))


async def alias_delete_identity(api: Api, request: Request, body: Any) -> Response:
    return await _delete(api, IDENTITY, _scope(request), _name(request))


async def _delete(api: Api, kind: int, scope: ContextId, name: str) -> Response:
    await api.backend.owner(scope, runtime.RemoveAlias(kind, scope, name))
    return data(None)


async def alias_list(api: Api, request: Request, body: Any) -> Response:
    found = await api.backend.node_rows(runtime.ListAliases(_kind(request), None))
    return _listed([found])


async def alias_list_identity(api: Api, request: Request, body: Any) -> Response:
    """A scope that cannot be read lists the names of every context, as in the reference."""
    try:
        scope = ContextId.parse(request.path_params["scope"])
    except InvalidId:
        return _listed(await api.backend.every_owner(runtime.ListAliases(IDENTITY, None)))
    return _listed([await api.backend.owner(scope, runtime.ListAliases(IDENTITY, scope))])


def _listed(parts: list[runtime.AliasList]) -> Response:
    rows = sorted((row.name.encode(), row.name, str(row.target)) for part in parts for row in part.aliases)
    return data({name: target for _, name, target in rows})


def _kind(request: Request) -> int:
    kind = KINDS.get(request.path_params["kind"])
    if kind is None:
        raise Refusal(BAD_PATH, 400)
    return kind


def _name(request: Request) -> str:
    name = str(request.path_params["name"])
    if not name or len(name.encode()) > models.MAX_ALIAS:
        raise Refusal(BAD_PATH, 400)
    return name


def _scope(request: Request) -> ContextId:
    try:
        return ContextId.parse(request.path_params["scope"])
    except InvalidId as error:
        raise Refusal(BAD_PATH, 400) from error
