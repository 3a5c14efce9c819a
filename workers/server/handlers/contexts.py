"""Contexts, members, invitations. core 0.10.0: crates/server/src/admin/handlers/context."""

from __future__ import annotations

import json
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.api import models
from node.api.errors import BadRequest, Missing
from node.errors import Busy, InvalidId, Unauthorized, UnknownContext
from node.primitives import ApplicationId, ContextId, PublicKey
from workers.messages import runtime, sync
from workers.messages.records import ContextRecord
from workers.server.api import Api
from workers.server.replies import data, path_id, reply

BAD_ID: Final = "Invalid context id"
NOT_FOUND: Final = "Context not found"
Capabilities = models.Capabilities | models.CapabilityPairs


def context_json(record: ContextRecord) -> dict[str, Any]:
    """``dagHeads`` is absent when the list is empty, as in the reference."""
    found: dict[str, Any] = {
        "id": str(record.id),
        "applicationId": str(record.application_id),
        "rootHash": str(record.root),
    }
    if record.heads:
        found["dagHeads"] = [list(head) for head in record.heads]
    return found


async def contexts(api: Api, request: Request, body: Any) -> Response:
    return data({"contexts": [context_json(record) for record in await api.backend.contexts()]})


async def context(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    try:
        return data(context_json(await api.backend.context(context_id)))
    except UnknownContext as error:
        raise Missing(NOT_FOUND) from error


async def create_context(api: Api, request: Request, body: models.CreateContext) -> Response:
    made = await api.backend.sync(
        sync.CreateContext(
            body.protocol,
            body.application_id,
            bytes(body.initialization_params),
            None if body.context_seed is None else bytes(body.context_seed),
        )
    )
    return _joined(made)


async def delete_context(api: Api, request: Request, body: Any) -> Response:
    try:
        context_id = ContextId.parse(request.path_params["context"])
    except InvalidId as error:
        raise BadRequest(BAD_ID) from error
    left = await api.backend.sync(sync.LeaveContext(context_id))
    return data({"isDeleted": left.deleted})


async def update_application(api: Api, request: Request, body: models.UpdateApplication) -> Response:
    try:
        context_id = ContextId.parse(request.path_params["context"])
    except InvalidId as error:
        raise BadRequest(BAD_ID) from error
    await api.backend.sync(
        sync.UpdateApplication(context_id, body.application_id, body.executor_public_key, body.migrate_method)
    )
    return data(None)


async def contexts_for(api: Api, request: Request, body: Any) -> Response:
    wanted = path_id(ApplicationId, request, "application")
    found = [context_json(record) for record in await api.backend.contexts() if record.application_id == wanted]
    return data({"contexts": found})


async def contexts_with_executors(api: Api, request: Request, body: Any) -> Response:
    wanted = path_id(ApplicationId, request, "application")
    rows = []
    for record in await api.backend.contexts():
        if record.application_id == wanted:
            members = (await api.backend.owner(record.id, runtime.ListMembers(record.id))).members
            rows.append(
                {
                    "id": str(record.id),
                    "application_id": str(record.application_id),
                    "root_hash": str(record.root),
                    "executors": [str(member.public_key) for member in members if member.owned],
                }
            )
    return reply({"contexts": rows})


async def context_storage(api: Api, request: Request, body: Any) -> Response:
    """The reference always answers 0; clients rely on the field, not on its value."""
    return data({"sizeInBytes": 0})


async def identities(api: Api, request: Request, body: Any) -> Response:
    return await _identities(api, request, owned=False)


async def identities_owned(api: Api, request: Request, body: Any) -> Response:
    return await _identities(api, request, owned=True)


async def _identities(api: Api, request: Request, *, owned: bool) -> Response:
    context_id = path_id(ContextId, request, "context")
    try:
        members = (await api.backend.owner(context_id, runtime.ListMembers(context_id))).members
    except UnknownContext as error:
        raise Missing(NOT_FOUND) from error
    keys = sorted(member.public_key for member in members if member.owned or not owned)
    return data({"identities": [str(key) for key in keys]})


async def new_identity(api: Api, request: Request, body: Any) -> Response:
    return data({"publicKey": str((await api.backend.node_rows(runtime.NewIdentity())).public_key)})


async def client_keys(api: Api, request: Request, body: Any) -> Response:
    """The reference dropped the route, and published clients still ask for it."""
    path_id(ContextId, request, "context")
    return data({"clientKeys": []})


async def grant(api: Api, request: Request, body: Capabilities) -> Response:
    return await _capabilities(api, request, body, grant=True)


async def revoke(api: Api, request: Request, body: Capabilities) -> Response:
    return await _capabilities(api, request, body, grant=False)


async def _capabilities(api: Api, request: Request, body: Capabilities, *, grant: bool) -> Response:
    """The bare list of two published clients is answered as they expect it; the first own identity signs it."""
    context_id = path_id(ContextId, request, "context")
    if isinstance(body, models.Capabilities):
        await api.backend.sync(sync.ChangeCapabilities(context_id, body.signer_id, grant, [*body.capabilities]))
        return reply(None)
    signer = await _signer(api, context_id)
    await api.backend.sync(sync.ChangeCapabilities(context_id, signer, grant, [*body]))
    return data(None)


async def _signer(api: Api, context_id: ContextId) -> PublicKey:
    members = (await api.backend.owner(context_id, runtime.ListMembers(context_id))).members
    owned = sorted(member.public_key for member in members if member.owned)
    if not owned:
        raise Unauthorized(f"this node has no identity in context {context_id}")
    return owned[0]


# -- invitations


async def invite(api: Api, request: Request, body: models.Invite) -> Response:
    made = await api.backend.sync(sync.InviteMember(body.context_id, body.inviter_id, body.invitee_id))
    return data(made.payload)


async def join(api: Api, request: Request, body: models.Join) -> Response:
    return _joined(await api.backend.sync(sync.JoinContext(body.invitation_payload)))


async def invite_open(api: Api, request: Request, body: models.InviteOpen) -> Response:
    made = await api.backend.sync(sync.CreateOpenInvitation(body.context_id, body.inviter_id, body.valid_for_blocks))
    return data(json.loads(made.invitation))


async def join_open(api: Api, request: Request, body: models.JoinOpen) -> Response:
    """Clients pass the object back as they got it; one still wraps it in ``data``."""
    invitation = body.invitation.get("data", body.invitation)
    raw = json.dumps(invitation, separators=(",", ":")).encode()
    return _joined(await api.backend.sync(sync.JoinOpen(raw, body.new_member_public_key)))


def _joined(made: sync.ContextCreated) -> Response:
    return data({"contextId": str(made.context_id), "memberPublicKey": str(made.member)})


# -- sync


async def sync_all(api: Api, request: Request, body: Any) -> Response:
    """Queued and not awaited, as in the reference."""
    return _queue(api, None)


async def sync_one(api: Api, request: Request, body: Any) -> Response:
    """The reference takes an id that cannot be read for every context; here it is refused."""
    return _queue(api, path_id(ContextId, request, "context"))


def _queue(api: Api, context_id: ContextId | None) -> Response:
    if not api.background(api.backend.sync(sync.SyncContext(context_id))):
        raise Busy("too many syncs are asked for; try again later")
    return data(None)
