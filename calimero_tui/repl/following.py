"""Follows the events of contexts: which contexts, how long, and how an event is shown."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import aclosing
from typing import Any

from calimero_tui.actions.base import Session
from calimero_tui.actions.parameters import context_of
from calimero_tui.client.events import Event, watch
from calimero_tui.output import show
from node.errors import Refused


async def followed(session: Session, given: object) -> list[str]:
    """The contexts that are meant: the given or chosen one, else all of the node. Raises :class:`ClientError`."""
    if given or session.context_id:
        context_id = await context_of(session, given)
        return [(await session.node.context(context_id)).id]
    found = [context.id for context in await session.node.contexts()]
    if not found:
        raise Refused(f"{session.node.url} has no context to watch; create or join one", kind="argument")
    return found


async def follow(
    url: str, context_ids: Sequence[str], take: Callable[[Event], None], *, count: int | None, seconds: float | None
) -> int:
    """Hand on events until there were ``count`` or ``seconds`` are over, else for ever. Answers how many came."""
    seen = 0
    try:
        async with asyncio.timeout(seconds), aclosing(watch(url, context_ids)) as events:
            async for event in events:
                seen += 1
                take(event)
                if count is not None and seen >= count:
                    break
    except TimeoutError:
        pass
    return seen


def shown(*, as_json: bool) -> Callable[[Event], None]:
    """What prints an event: one JSON object, or a line for each event of the application."""
    return (lambda event: show.data(to_json(event))) if as_json else (lambda event: show.line("\n".join(lines(event))))


def to_json(event: Event) -> dict[str, Any]:
    rows = [{"kind": row.kind, "data": row.data, "handler": row.handler} for row in event.events]
    return {"context": event.context_id, "root_hash": event.root_hash, "events": rows}


def lines(event: Event) -> list[str]:
    """The lines of an event for people; a change without application events shows its root."""
    start = event.context_id[:8]
    if not event.events:
        return [f"{start}  root {event.root_hash}"]
    return [f"{start}  {_plain(row.kind)}  {json.dumps(row.data)}{_handler(row.handler)}" for row in event.events]


def _handler(handler: str | None) -> str:
    return f"  -> {_plain(handler)}" if handler else ""


def _plain(text: str) -> str:
    """Text of an application, which must not steer the terminal."""
    return text if text.isprintable() else json.dumps(text)
