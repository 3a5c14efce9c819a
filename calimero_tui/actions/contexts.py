"""Actions on contexts and their members."""

from __future__ import annotations

from typing import Any

from calimero_tui.actions.base import Arguments, Kind, Parameter, Registry, Session, Source
from calimero_tui.actions.parameters import APPLICATION, CONTEXT, EXECUTOR, LIMIT, context_of, executor_of

REGISTRY = Registry()
action = REGISTRY.action

CONTEXT_COLUMNS = (("context", "id"), ("application", "application"), ("root hash", "root_hash"), ("heads", "heads"))


@action("context ls", "List the contexts of the node", columns=CONTEXT_COLUMNS, example="calimero context ls")
async def list_contexts(session: Session, _: Arguments) -> Any:
    return [_row(context) for context in await session.node.contexts()]


@action("context inspect", "Show a context: root hash, heads, members", CONTEXT, example="calimero context inspect")
async def inspect(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    context = await session.node.context(context_id)
    members, owned = await session.node.members(context_id), await session.node.owned(context_id)
    return {
        **_row(context),
        "head_ids": list(context.heads),
        "members": members,
        "owned": owned,
        "state": "ready" if context.initialised else "waiting for the state of a member",
    }


@action(
    "context create",
    "Create a context of an installed application",
    APPLICATION,
    Parameter("init", "arguments of the application's init as a JSON object", Kind.JSON, None, option=True),
    Parameter("protocol", "registry protocol", default="near", option=True),
    Parameter("seed", "base58 of 32 bytes, for a predictable id", default=None, option=True),
    example="""calimero context create US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx --init '{"title": "Notes"}'""",
    changes=True,
)
async def create(session: Session, given: Arguments) -> Any:
    joined = await session.node.create_context(
        given["application"], init=given["init"], protocol=given["protocol"], seed=given["seed"]
    )
    return {"context": joined.context_id, "member": joined.member}


@action(
    "context invite",
    "Invite an identity; answers the text to join with",
    Parameter("invitee", "public key that the other node made with `calimero identity new`"),
    CONTEXT,
    Parameter("inviter", "identity of this node that invites; default: its first", default=None, option=True),
    example="calimero context invite 8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR",
    changes=True,
)
async def invite(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    inviter = await executor_of(session, context_id, given["inviter"])
    return {"invitation": await session.node.invite(context_id, inviter, given["invitee"])}


@action(
    "context join",
    "Join a context with an invitation for an identity of this node",
    Parameter("invitation", "the text that the inviter was given"),
    example="calimero context join 4Mb2deLtaS7ApRdhh5…",
    changes=True,
)
async def join(session: Session, given: Arguments) -> Any:
    joined = await session.node.join(given["invitation"])
    return {"context": joined.context_id, "member": joined.member}


@action(
    "context leave",
    "Delete a context from this node, with its keys and state",
    CONTEXT,
    example="calimero context leave 4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
    confirm=True,
    changes=True,
)
async def leave(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    return {"context": context_id, "deleted": await session.node.delete_context(context_id)}


@action("context sync", "Ask the node to sync a context now", CONTEXT, example="calimero context sync", changes=True)
async def sync(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    await session.node.sync(context_id)
    return {"context": context_id, "requested": True}


@action(
    "context why",
    "Explain whether a context is converged, with whom, and what is pending",
    CONTEXT,
    example="calimero context why",
)
async def why(session: Session, given: Arguments) -> Any:
    return await session.node.inspection.explain(await context_of(session, given["context"]))


@action(
    "context state",
    "List what is stored for a context, as it is stored",
    CONTEXT,
    LIMIT,
    Parameter("after", "key of the last row of the page before", default=None, option=True),
    columns=(("key", "key"), ("bytes", "size"), ("value", "value")),
    example="calimero context state --limit 20",
)
async def state(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    found = await session.node.inspection.state(context_id, limit=int(given["limit"]), after=given["after"])
    return found["rows"]


@action(
    "context upgrade",
    "Move a context to another installed application",
    APPLICATION,
    CONTEXT,
    EXECUTOR,
    Parameter("migrate", "migration method to run", default=None, option=True, source=Source.METHODS),
    example="calimero context upgrade US517G5965aydkZ46HS38QLi7UQiSojurfbQfKCELFx",
    changes=True,
)
async def upgrade(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    executor = await executor_of(session, context_id, given["executor"])
    await session.node.update_application(context_id, given["application"], executor, given["migrate"])
    return {"context": context_id, "application": given["application"]}


@action(
    "identity new",
    "Make an identity that can be invited",
    example="calimero identity new",
    changes=True,
)
async def new_identity(session: Session, _: Arguments) -> Any:
    return {"public_key": await session.node.new_identity()}


@action(
    "identity ls",
    "List the members of a context",
    CONTEXT,
    columns=(("public key", "public_key"), ("on this node", "owned")),
    example="calimero identity ls",
)
async def list_identities(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    owned = set(await session.node.owned(context_id))
    return [{"public_key": key, "owned": key in owned} for key in await session.node.members(context_id)]


def _row(context: Any) -> dict[str, Any]:
    return {
        "id": context.id,
        "application": context.application_id,
        "root_hash": context.root_hash,
        "heads": len(context.heads),
    }
