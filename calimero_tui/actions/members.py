"""Actions on membership that need more than an invitation for one: open invitations and capabilities."""

from __future__ import annotations

from typing import Any, Final

from calimero_tui.actions.base import Arguments, Kind, Parameter, Registry, Session, Source
from calimero_tui.actions.parameters import CONTEXT, context_of, executor_of
from node.errors import Refused
from node.primitives import CAPABILITIES

REGISTRY = Registry()
action = REGISTRY.action

_MEMBER: Final = Parameter("member", "public key of a member", source=Source.MEMBERS)
_CAPABILITY: Final = Parameter("capability", " or ".join(CAPABILITIES))
_SIGNER: Final = Parameter(
    "signer", "identity of this node that holds the capability; default: its first", default=None,
    source=Source.OWNED, option=True,
)  # fmt: skip


@action(
    "context invite-open",
    "Make an invitation for whoever joins with it first",
    CONTEXT,
    Parameter("inviter", "identity of this node that invites; default: its first", default=None, option=True),
    Parameter("blocks", "blocks of the registry that it is valid for", Kind.INTEGER, 1000, option=True),
    example="calimero context invite-open --json",
    changes=True,
)
async def invite_open(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    inviter = await executor_of(session, context_id, given["inviter"])
    found = await session.node.membership.invite_open(context_id, inviter, int(given["blocks"]))
    if found is None:
        raise Refused(f"{session.node.url} does not know context {context_id}, so it cannot invite to it")
    return {"invitation": found}


@action(
    "context join-open",
    "Join a context with an open invitation",
    Parameter("invitation", "the JSON object that the inviter was given", Kind.JSON),
    Parameter("identity", "identity of this node that is in no context yet; default: a new one", default=None,
              option=True),
    example="calimero context join-open '{\"invitation\": …, \"inviter_signature\": …}'",
    changes=True,
)  # fmt: skip
async def join_open(session: Session, given: Arguments) -> Any:
    offer = given["invitation"]
    if not isinstance(offer, dict):
        raise Refused("an open invitation is a JSON object with invitation and inviter_signature", kind="argument")
    member = given["identity"] or await session.node.new_identity()
    joined = await session.node.membership.join_open(offer.get("invitation") if _wrapped(offer) else offer, member)
    return {"context": joined["contextId"], "member": joined["memberPublicKey"]}


def _wrapped(offer: dict[str, Any]) -> bool:
    """The whole result of ``context invite-open`` is taken, too."""
    return set(offer) == {"invitation"}


@action(
    "context grant",
    "Give a member a capability",
    _MEMBER,
    _CAPABILITY,
    CONTEXT,
    _SIGNER,
    example="calimero context grant 8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR ManageMembers",
    changes=True,
)
async def grant(session: Session, given: Arguments) -> Any:
    return await _change(session, given, grant=True)


@action(
    "context revoke",
    "Take a capability from a member",
    _MEMBER,
    _CAPABILITY,
    CONTEXT,
    _SIGNER,
    example="calimero context revoke 8qbHbw2BbbTHBW1sbeqakYXVKRQM8Ne7pLK7m6CVfeR ManageMembers",
    changes=True,
)
async def revoke(session: Session, given: Arguments) -> Any:
    return await _change(session, given, grant=False)


async def _change(session: Session, given: Arguments, *, grant: bool) -> Any:
    capability = given["capability"]
    if capability not in CAPABILITIES:
        raise Refused(f"{capability!r} is no capability; there are {', '.join(CAPABILITIES)}", kind="argument")
    context_id = await context_of(session, given["context"])
    signer = await executor_of(session, context_id, given["signer"])
    await session.node.membership.change(context_id, signer, given["member"], capability, grant=grant)
    return {"context": context_id, "member": given["member"], "capability": capability, "granted": grant}
