"""Snapshot: the whole state of a context for a node that has none. Asking side; :mod:`node.sync.serve` answers.

Rows are received aside, one page in memory at a time. The owner checks them against the root before they become the
state, in one batch: a lying or broken peer costs time and changes nothing.
Source of the messages: core 0.10.0: crates/node/src/sync/snapshot.rs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.errors import RemoteProtocolError
from node.primitives import Hash
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.page import decode_page
from node.sync.ports import AbortInstall, BeginInstall, FinishInstall, Heads, PutSnapshotRows
from node.sync.streams import Link
from node.sync.wire import (
    Init,
    InvalidBoundary,
    SnapshotBoundaryRequest,
    SnapshotBoundaryResponse,
    SnapshotFailed,
    SnapshotPage,
    SnapshotStreamRequest,
)

PAGE_LIMIT: Final = 16
BYTE_LIMIT: Final = 65_536
"""Pages per burst and bytes per page that we ask for, as the reference does."""

STEP_TIMEOUT: Final = 30 * SECOND
INSTALL_TIMEOUT: Final = 120 * SECOND
"""The owner hashes every row and writes one batch; 1 GB takes about a minute."""

ATTEMPTS: Final = 3
"""A merod aborts its snapshot when a write comes in between, and succeeds when asked again at once."""

MAX_BYTES: Final = 4 * 1024 * 1024 * 1024
"""Most bytes of one snapshot; a peer that never ends must not fill the disk."""


@dataclass(slots=True)
class Transfer:
    """What came so far."""

    rows: int = 0
    bytes: int = 0
    pages: int = 0


async def fetch(core: Core, context: Followed, link: Link) -> tuple[Heads, Transfer]:
    """Receive and install the peer's state. Raises :class:`RemoteProtocolError` and what the owner refused with."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return await _attempt(core, context, link)
        except Moved:
            if attempt == ATTEMPTS:
                raise
            context.counters.add("snapshots moved")
    raise AssertionError("unreachable: the last attempt returns or raises")


class Moved(RemoteProtocolError):
    """The peer's state moved while it was sent; asking again at once helps."""


async def _attempt(core: Core, context: Followed, link: Link) -> tuple[Heads, Transfer]:
    boundary = await _boundary(core, context, link)
    heads = tuple(head for head in boundary.dag_heads if not head.is_zero)
    await Ask(BeginInstall(context.id, boundary.boundary_root_hash, heads))
    done = False
    try:
        transfer = await _pages(core, context, link, boundary.boundary_root_hash)
        installed = await Ask(FinishInstall(context.id), INSTALL_TIMEOUT)
        done = True
    finally:
        if not done:
            core.kernel.post(AbortInstall(context.id))
    core.note_heads(context, installed)
    return installed, transfer


async def _boundary(core: Core, context: Followed, link: Link) -> SnapshotBoundaryResponse:
    me = core.my_identity(context)
    await link.send(Init(context.id, me.public_key, SnapshotBoundaryRequest(context.id, None), core.random_bytes(12)))
    answer = (await link.message(STEP_TIMEOUT)).payload
    if isinstance(answer, SnapshotFailed):
        raise _failure(answer, link.peer)
    if not isinstance(answer, SnapshotBoundaryResponse):
        raise RemoteProtocolError(f"peer {link.peer} answered {type(answer).__name__} to a boundary request")
    if answer.boundary_root_hash.is_zero:
        raise RemoteProtocolError(f"peer {link.peer} has no data for this context", peer=link.peer, score=0)
    return answer


async def _pages(core: Core, context: Followed, link: Link, root: Hash) -> Transfer:
    transfer = Transfer()
    cursor: bytes | None = None
    while True:
        await _request(core, context, link, root, cursor)
        cursor = await _burst(context, link, transfer)
        if cursor is None:
            return transfer


async def _request(core: Core, context: Followed, link: Link, root: Hash, cursor: bytes | None) -> None:
    wanted = SnapshotStreamRequest(context.id, root, PAGE_LIMIT, BYTE_LIMIT, cursor)
    await link.send(Init(context.id, core.my_identity(context).public_key, wanted, core.random_bytes(12)))


async def _burst(context: Followed, link: Link, transfer: Transfer) -> bytes | None:
    """Take one burst; the cursor of the next one, or None at the end of the snapshot."""
    for _ in range(PAGE_LIMIT + 1):
        answer = (await link.message(STEP_TIMEOUT)).payload
        if isinstance(answer, SnapshotFailed):
            raise _failure(answer, link.peer)
        if not isinstance(answer, SnapshotPage):
            raise RemoteProtocolError(f"peer {link.peer} answered {type(answer).__name__} to a page request")
        page = decode_page(answer)
        if page.rows:
            await Ask(PutSnapshotRows(context.id, page.rows))
        transfer.rows += len(page.rows)
        transfer.bytes += answer.uncompressed_len
        transfer.pages += 1
        _check_size(transfer, link.peer)
        if page.last:
            return page.cursor
    raise RemoteProtocolError(f"peer {link.peer} sent more pages than were asked for", peer=link.peer, score=5)


def _check_size(transfer: Transfer, peer: str) -> None:
    if transfer.bytes > MAX_BYTES:
        raise RemoteProtocolError(f"the snapshot of peer {peer} passes {MAX_BYTES} bytes", peer=peer, score=20)


def _failure(answer: SnapshotFailed, peer: str) -> RemoteProtocolError:
    kind = Moved if isinstance(answer.error, InvalidBoundary) else RemoteProtocolError
    return kind(f"peer {peer} could not send its snapshot: {type(answer.error).__name__}", peer=peer, score=0)
