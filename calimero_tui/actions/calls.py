"""Calls of application methods, and the methods that there are."""

from __future__ import annotations

from typing import Any

from calimero_tui.actions.base import Arguments, Kind, Parameter, Registry, Session, Source
from calimero_tui.actions.parameters import CONTEXT, CONTEXT_OPTION, EXECUTOR, context_of, executor_of
from node.errors import Refused

REGISTRY = Registry()
action = REGISTRY.action


@action(
    "call",
    "Run a method of the application of a context",
    Parameter("method", "name of the method", source=Source.METHODS),
    Parameter("args", "arguments as a JSON object", Kind.JSON, None),
    CONTEXT_OPTION,
    EXECUTOR,
    example="""calimero call set '{"key": "colour", "value": "blue"}'""",
    changes=True,
)
async def call(session: Session, given: Arguments) -> Any:
    args = {} if given["args"] is None else given["args"]
    if not isinstance(args, dict):
        raise Refused(f'args must be a JSON object like {{"key": 1}}, not {args!r}', kind="argument")
    context_id = await context_of(session, given["context"])
    executor = await executor_of(session, context_id, given["executor"])
    return await session.node.call(context_id, given["method"], args, executor)


@action(
    "methods",
    "List the methods of the application of a context",
    CONTEXT,
    columns=(("method", "name"), ("signature", "signature")),
    example="calimero methods",
)
async def methods(session: Session, given: Arguments) -> Any:
    return await session.node.inspection.methods(await context_of(session, given["context"]))
