"""Actions on the past of a context: its deltas, its entries at one, what two differ in, and who wrote an entry."""

from __future__ import annotations

from typing import Any, Final

from calimero_tui.actions.base import Arguments, Parameter, Registry, Session
from calimero_tui.actions.parameters import CONTEXT, CONTEXT_OPTION, LIMIT, context_of
from calimero_tui.client.past import Past, readable

REGISTRY = Registry()
action = REGISTRY.action

VERSION: Final = (
    ("entry", "entity"), ("value", "text"), ("author", "author"), ("delta", "delta"), ("at", "at"), ("bytes", "size"),
)  # fmt: skip


@action(
    "context deltas",
    "List the deltas of a context, newest first",
    CONTEXT,
    LIMIT,
    Parameter("after", "last delta of the page before", default=None, option=True),
    columns=(("delta", "id"), ("author", "author"), ("parents", "parents"), ("root", "root")),
    example="calimero context deltas --limit 20",
)
async def deltas(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    page = await session.node.inspection.deltas(context_id, limit=int(given["limit"]), after=given["after"])
    return page["deltas"]


@action(
    "context at",
    "List every entry of a context as it was right after a delta",
    Parameter("delta", "id of a delta"),
    CONTEXT_OPTION,
    columns=VERSION,
    example="calimero context at 9uFkyLGXHkZ4cQkcwPqRkYCP8oVZLNVM2RSsLDFrJaYw",
)
async def at(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    return [_version(row) for row in await _past(session).at(context_id, given["delta"])]


@action(
    "context compare",
    "List the entries that differ between two deltas of a context",
    Parameter("old", "id of a delta"),
    Parameter("new", "id of another"),
    CONTEXT_OPTION,
    columns=(("entry", "entity"), ("before", "was"), ("after", "is"), ("author", "author"), ("delta", "delta")),
    example="calimero context compare 11111111111111111111111111111111 9uFkyLGXHkZ4cQkcwPqRkYCP8oVZLNVM2RSsLDFrJaYw",
)
async def compare(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    return [_change(row) for row in await _past(session).compare(context_id, given["old"], given["new"])]


@action(
    "context blame",
    "List who wrote an entry of a context, newest first",
    Parameter("entry", "id of an entry, as `context at` lists it"),
    CONTEXT_OPTION,
    columns=VERSION[1:],
    example="calimero context blame 3QpvJtQ3f8GmDmHkUTMNQnK3Hn1yGp8mQkrfR6DYxYdW",
)
async def blame(session: Session, given: Arguments) -> Any:
    context_id = await context_of(session, given["context"])
    return [_version(row) for row in await _past(session).blame(context_id, given["entry"])]


def _past(session: Session) -> Past:
    return Past(session.node.http)


def _version(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "text": _text(row)}


def _change(row: dict[str, Any]) -> dict[str, Any]:
    before, after = row["before"], row["after"]
    last = after or before or {}
    return {**row, "was": _text(before), "is": _text(after), "author": last.get("author"), "delta": last.get("delta")}


def _text(version: dict[str, Any] | None) -> str | None:
    """The texts of a value; None where there is no entry."""
    if version is None or version["value"] is None:
        return None
    return readable(bytes.fromhex(version["value"]))
