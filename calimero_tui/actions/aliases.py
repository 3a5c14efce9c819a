"""Actions on the names that a node keeps for ids."""

from __future__ import annotations

from typing import Any, Final

from calimero_tui.actions.base import Arguments, Parameter, Registry, Session
from calimero_tui.actions.parameters import CONTEXT_OPTION, context_of
from calimero_tui.client.aliases import KINDS
from node.errors import Refused

REGISTRY = Registry()
action = REGISTRY.action

_KIND: Final = Parameter("kind", "context, application or identity")
_NAME: Final = Parameter("name", "the alias, 50 bytes at most")


@action(
    "alias add",
    "Name a context, an application, or an identity of a context",
    _KIND,
    _NAME,
    Parameter("target", "the id that gets the name"),
    CONTEXT_OPTION,
    example="calimero alias add context home 4vJ9JU1bJJE96FWSJKvHsmmFADCg4gpZQff4P3bkLKi",
    changes=True,
)
async def add(session: Session, given: Arguments) -> Any:
    scope = await _scope(session, given)
    await session.node.aliases.add(given["kind"], given["name"], given["target"], scope)
    return {"kind": given["kind"], "name": given["name"], "target": given["target"]}


@action(
    "alias ls",
    "List names",
    _KIND,
    CONTEXT_OPTION,
    columns=(("name", "name"), ("id", "target")),
    example="calimero alias ls context",
)
async def ls(session: Session, given: Arguments) -> Any:
    found = await session.node.aliases.ls(given["kind"], await _scope(session, given))
    return [{"name": name, "target": target} for name, target in found.items()]


@action(
    "alias find",
    "Show what a name stands for",
    _KIND,
    _NAME,
    CONTEXT_OPTION,
    example="calimero alias find context home",
)
async def find(session: Session, given: Arguments) -> Any:
    target = await session.node.aliases.find(given["kind"], given["name"], await _scope(session, given))
    if target is None:
        raise Refused(f"{session.node.url} has no {given['kind']} called {given['name']!r}")
    return {"name": given["name"], "target": target}


@action(
    "alias rm",
    "Drop a name; what it stands for stays",
    _KIND,
    _NAME,
    CONTEXT_OPTION,
    example="calimero alias rm context home",
    changes=True,
)
async def remove(session: Session, given: Arguments) -> Any:
    await session.node.aliases.delete(given["kind"], given["name"], await _scope(session, given))
    return {"kind": given["kind"], "name": given["name"], "removed": True}


async def _scope(session: Session, given: Arguments) -> str | None:
    """The context of an identity's name. Raises :class:`Refused` for a kind that cannot be named."""
    if given["kind"] not in KINDS:
        raise Refused(f"{given['kind']!r} cannot be named; there are names of {', '.join(KINDS)}", kind="argument")
    return await context_of(session, given["context"]) if given["kind"] == "identity" else None
