"""Takes the snapshot that completions come from, by running the registry's own listing actions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

from calimero_tui.actions.base import Session, Source
from calimero_tui.actions.registry import ACTIONS
from calimero_tui.client.paths import ADMIN
from calimero_tui.repl.complete import Snapshot, Values
from calimero_tui.repl.parse import Types
from node.errors import ClientError

TIMEOUT: Final = 3.0
"""Seconds that one listing may take. Completions are a convenience: late ones are left out."""

LISTINGS: Final[tuple[tuple[Source, str, str, str], ...]] = (
    (Source.CONTEXTS, "context ls", "id", "application"),
    (Source.APPLICATIONS, "app ls", "id", "source"),
    (Source.METHODS, "methods", "name", "signature"),
    (Source.MEMBERS, "identity ls", "public_key", ""),
    (Source.PEERS, "peer ls", "peer", "agent"),
    (Source.BLOBS, "blob ls", "blob_id", "size"),
)
"""Where values come from: an action, the key of the value in its rows, and the key of what to say about it."""

_ALIASES: Final = {Source.CONTEXTS: "context", Source.APPLICATIONS: "application"}

Rows = list[dict[str, Any]]


async def ask(session: Session) -> Snapshot:
    """What the node has now; what it does not answer is empty."""
    listings, aliases = await asyncio.gather(_listings(session), _aliases(session))
    values: dict[Source, Values] = {
        source: [(str(row[key]), str(row.get(note, ""))) for row in listings[source]]
        for source, _, key, note in LISTINGS
    }
    owned = [row for row in listings[Source.MEMBERS] if row.get("owned")]
    values[Source.OWNED] = [(str(row["public_key"]), "") for row in owned]
    return Snapshot(values, aliases, _methods(listings[Source.METHODS]))


async def types_of(session: Session, context: str) -> Types:
    """The types of the methods of a context, empty when the node does not tell them."""
    return _methods(await _rows(session, "methods", context=context))


def _methods(rows: Rows) -> Types:
    return {str(row["name"]): _types(row) for row in rows}


def _types(method: dict[str, Any]) -> dict[str, str]:
    return {str(p["name"]): f"{p['type']}{'?' if p.get('optional') else ''}" for p in method.get("parameters", ())}


async def _listings(session: Session) -> dict[Source, Rows]:
    rows = await asyncio.gather(*(_rows(session, name) for _, name, _, _ in LISTINGS))
    return {source: found for (source, _, _, _), found in zip(LISTINGS, rows, strict=True)}


async def _rows(session: Session, name: str, **given: str) -> Rows:
    try:
        async with asyncio.timeout(TIMEOUT):
            found = await ACTIONS.find(name).run(session, given)
    except (ClientError, TimeoutError, LookupError, TypeError):  # what answers may be another program
        return []
    return [row for row in found if isinstance(row, dict)]


async def _aliases(session: Session) -> dict[Source, Mapping[str, str]]:
    paths = dict(_ALIASES)
    if session.context_id:
        paths |= dict.fromkeys((Source.OWNED, Source.MEMBERS), f"identity/{session.context_id}")
    found = await asyncio.gather(*(_alias_list(session, path) for path in paths.values()))
    return dict(zip(paths, found, strict=True))


async def _alias_list(session: Session, path: str) -> dict[str, str]:
    try:
        async with asyncio.timeout(TIMEOUT):
            answer = await session.node.http.get(f"{ADMIN}/alias/list/{path}")
    except (ClientError, TimeoutError):
        return {}
    data = answer.get("data") if isinstance(answer, dict) else None
    return {str(alias): str(target) for alias, target in data.items()} if isinstance(data, dict) else {}
