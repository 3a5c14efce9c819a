"""Serving snapshots: from one pinned read view per peer, so that writes go on and the root stays that of the boundary.

Source of the messages: core 0.10.0: crates/node/src/sync/snapshot.rs.
"""

from __future__ import annotations

from typing import Final

from node.errors import CalimeroError, NotFound
from node.primitives import ID_LENGTH, ContextId, Hash
from node.sync.core import Core, Pinned
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.page import encode_burst, split_rows
from node.sync.ports import CloseSnapshot, OpenSnapshot, ReadSnapshot, Row, Snapshot
from node.sync.streams import Link
from node.sync.wire import (
    InvalidBoundary,
    Message,
    MessagePayload,
    ResumeCursorInvalid,
    SnapshotBoundaryResponse,
    SnapshotFailed,
    SnapshotStreamRequest,
)

MAX_PAGE_LIMIT: Final = 64
MAX_BYTE_LIMIT: Final = 1024 * 1024
"""Pages of one burst and bytes of one page that a peer may ask for."""

MAX_BURST: Final = 4 * 1024 * 1024
"""Bytes of one burst, which is in memory while it is sent: every page names the number of pages in it. A larger wish
gets fewer pages and goes on behind them; the reference asks for 1 MiB."""

PIN_TIME: Final = 120 * SECOND
"""A view that nobody read for this long is closed: it keeps old rows of the database alive."""

MAX_PINS: Final = 8
"""Views held for one context; joiners come one at a time as a rule."""


async def boundary(core: Core, context: Followed, link: Link) -> None:
    """Pin the state as it is and say what it is."""
    try:
        view = await _pin(core, context, link.peer)
    except NotFound:
        await _fail(core, link, InvalidBoundary())
        return
    await _send(core, link, SnapshotBoundaryResponse(core.kernel.now, view.root, view.heads))


async def burst(core: Core, context: Followed, link: Link, asked: SnapshotStreamRequest) -> None:
    """Send the next pages of the view that the peer's boundary named."""
    if asked.resume_cursor is not None and len(asked.resume_cursor) != ID_LENGTH:
        await _fail(core, link, ResumeCursorInvalid())
        return
    view = await _view(core, context, link.peer, asked.boundary_root_hash)
    if view is None:
        await _fail(core, link, InvalidBoundary())
        return
    try:
        await _pages(core, context, link, view, asked)
    except NotFound:
        await _unpin(core, context.id, link.peer)
        await _fail(core, link, InvalidBoundary())


async def _pages(core: Core, context: Followed, link: Link, view: Snapshot, asked: SnapshotStreamRequest) -> None:
    byte_limit = max(1, min(asked.byte_limit, MAX_BYTE_LIMIT))
    wanted = max(1, min(asked.page_limit, MAX_PAGE_LIMIT, MAX_BURST // byte_limit))
    pages: list[list[Row]] = []
    cursor = asked.resume_cursor
    while len(pages) < wanted:
        found = await Ask(ReadSnapshot(context.id, view.handle, cursor, byte_limit))
        pages += split_rows(found.rows, byte_limit)[: wanted - len(pages)]
        cursor = found.next
        if cursor is None:
            break
    if pages and cursor is not None:
        cursor = pages[-1][-1][0]
    for number, page in enumerate(encode_burst(pages, cursor)):
        await _send(core, link, page, number)
    if cursor is None:
        await _unpin(core, context.id, link.peer)


async def _pin(core: Core, context: Followed, peer: str) -> Snapshot:
    await _unpin(core, context.id, peer)
    if sum(held == context.id for held, _ in core.pinned) >= MAX_PINS:
        oldest = next(key for key in core.pinned if key[0] == context.id)
        await _unpin(core, *oldest)
    view = await Ask(OpenSnapshot(context.id))
    core.pinned[context.id, peer] = Pinned(view, core.kernel.now)
    core.kernel.at(core.kernel.now + PIN_TIME, lambda: _expire_soon(core, context.id, peer, view))
    return view


async def _view(core: Core, context: Followed, peer: str, root: Hash) -> Snapshot | None:
    """The peer's view if it has this root; a new one if the state happens to have it."""
    held = core.pinned.get((context.id, peer))
    if held is None or held.view.root != root:
        try:
            await _pin(core, context, peer)
        except CalimeroError:
            return None
        held = core.pinned[context.id, peer]
    held.used_at = core.kernel.now
    return held.view if held.view.root == root else None


async def _unpin(core: Core, context_id: ContextId, peer: str) -> None:
    held = core.pinned.pop((context_id, peer), None)
    if held is not None:
        await Ask(CloseSnapshot(context_id, held.view.handle))


def _expire_soon(core: Core, context_id: ContextId, peer: str, view: Snapshot) -> None:
    core.kernel.spawn(_expire(core, context_id, peer, view), "unused view")


async def _expire(core: Core, context_id: ContextId, peer: str, view: Snapshot) -> None:
    """Close a view that nobody reads any more; look again later when somebody does."""
    held = core.pinned.get((context_id, peer))
    if held is None or held.view is not view:
        return
    if core.kernel.now - held.used_at < PIN_TIME:
        again = held.used_at + PIN_TIME
        core.kernel.at(again, lambda: _expire_soon(core, context_id, peer, view))
        return
    await _unpin(core, context_id, peer)


async def _fail(core: Core, link: Link, error: InvalidBoundary | ResumeCursorInvalid) -> None:
    await _send(core, link, SnapshotFailed(error))


async def _send(core: Core, link: Link, payload: MessagePayload, number: int = 0) -> None:
    await link.send(Message(number, payload, core.random_bytes(12)))
