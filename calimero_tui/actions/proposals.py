"""Actions on what the members of a context vote on."""

from __future__ import annotations

from typing import Any, Final

from calimero_tui.actions.base import Arguments, Kind, Parameter, Registry, Session
from calimero_tui.actions.parameters import CONTEXT, EXECUTOR, context_of, executor_of

REGISTRY = Registry()
action = REGISTRY.action

_PROPOSAL: Final = Parameter("proposal", "id of the proposal")


@action(
    "proposal ls",
    "List the open proposals of a context",
    CONTEXT,
    columns=(("proposal", "id"), ("author", "author_id"), ("actions", "actions")),
    example="calimero proposal ls",
)
async def ls(session: Session, given: Arguments) -> Any:
    return await session.node.proposals.ls(await context_of(session, given["context"]))


@action(
    "proposal inspect",
    "Show a proposal and who approved it",
    _PROPOSAL,
    CONTEXT,
    example="calimero proposal inspect B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH",
)
async def inspect(session: Session, given: Arguments) -> Any:
    return await session.node.proposals.inspect(await context_of(session, given["context"]), given["proposal"])


@action(
    "proposal new",
    "Propose actions; the author's own approval counts at once",
    Parameter("actions", "a JSON list of objects with scope and params", Kind.JSON),
    CONTEXT,
    EXECUTOR,
    example="""calimero proposal new '[{"scope": "SetNumApprovals", "params": {"num_approvals": 2}}]'""",
    changes=True,
)
async def new(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    author = await executor_of(session, context_id, given["executor"])
    return await session.node.proposals.make(context_id, author, given["actions"])


@action(
    "proposal approve",
    "Approve a proposal; it is carried out when it has enough approvals",
    _PROPOSAL,
    CONTEXT,
    EXECUTOR,
    example="calimero proposal approve B4vDoZ2b3EoHNyf727eRqm5cKwbniJL7NTwPqs3o4cwH",
    changes=True,
)
async def approve(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    signer = await executor_of(session, context_id, given["executor"])
    return await session.node.proposals.approve(context_id, signer, given["proposal"])


@action(
    "proposal values",
    "List the values that proposals have set",
    CONTEXT,
    columns=(("key", "key"), ("value", "value")),
    example="calimero proposal values",
)
async def values(session: Session, given: Arguments) -> Any:
    rows = await session.node.proposals.values(await context_of(session, given["context"]))
    return [{"key": _shown(row["key"]), "value": _shown(row["value"])} for row in rows]


def _shown(raw: list[int]) -> str:
    """Text where the bytes are some, hex otherwise."""
    try:
        text = bytes(raw).decode()
    except UnicodeDecodeError:
        return bytes(raw).hex()
    return text if text.isprintable() else bytes(raw).hex()
