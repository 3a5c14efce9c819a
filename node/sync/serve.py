"""The responder: what this node answers on streams that peers open.

One table says what each request needs. Roots and heads are told to whoever names a member, as every heartbeat tells
them to the whole topic; state, deltas and blobs only to a peer that proved a member's identity since this node started.
An error costs the peer an ``OpaqueError`` and nobody else anything.
Source of the loop: core 0.10.0: crates/node/src/sync/manager.rs.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from node.errors import CalimeroError, NotAMember, RemoteProtocolError
from node.sync import blob, fetching, gossip, key_share, serve_snapshot, serve_tree
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.ports import GetDeltas, GetLacking
from node.sync.streams import Link
from node.sync.wire import (
    DagHeadsRequest,
    DagHeadsResponse,
    DeltaNotFound,
    DeltaRequest,
    DeltaResponse,
    Init,
    InitBlobShare,
    InitKeyShare,
    LackingRequest,
    LackingResponse,
    LevelWiseRequest,
    Message,
    MessagePayload,
    OpaqueError,
    SnapshotBoundaryRequest,
    SnapshotStreamRequest,
    TreeBucketsRequest,
    TreeNodeRequest,
    TreePlacesRequest,
    TreeRowsRequest,
)

IDLE: Final = 60 * SECOND
"""A stream without a request for this long is closed. The reference reports an error every 10 s and waits on; a session
of ours may apply a slice of deltas for some seconds between two requests."""

MAX_STREAMS: Final = 64
"""Inbound streams per peer; a member needs a handful."""

MAX_LACKING: Final = 512
MAX_LACKING_BYTES: Final = 4 * 1024 * 1024
"""Deltas and bytes of one answer: half a frame at most, and a slice of the owner's time."""

MAX_ERRORS: Final = 8
"""Errors on one stream before it is dropped: a peer that does not speak our protocol must not keep a stream busy."""


@dataclass(slots=True)
class Call:
    """One request being answered."""

    core: Core
    context: Followed
    link: Link
    init: Init

    async def answer(self, payload: MessagePayload, sequence_id: int = 0) -> None:
        """Send one message."""
        await self.link.send(Message(sequence_id, payload, self.core.random_bytes(12)))


async def _key_share(call: Call) -> None:
    core, context, link = call.core, call.context, call.link
    me = core.my_identity(context)
    await key_share.acknowledge(link, context.id, me, core.random_bytes)
    shared = await key_share.exchange(link, me, call.init.party_id, core.random_bytes)
    await fetching.keep(core, context, link, shared)
    gossip.release(core, context)


async def _heads(call: Call) -> None:
    call.core.kernel.spawn(call.core.glance_at_registry(call.context), "registry")
    heads = await call.core.read_heads(call.context)
    await call.answer(DagHeadsResponse(heads.heads, heads.root))


async def _delta(call: Call) -> None:
    payload = call.init.payload
    assert isinstance(payload, DeltaRequest)
    found = (await Ask(GetDeltas(call.context.id, (payload.delta_id,))))[0]
    await call.answer(DeltaNotFound() if found is None else DeltaResponse(found))


async def _lacking(call: Call) -> None:
    payload = call.init.payload
    assert isinstance(payload, LackingRequest)
    limit = max(1, min(payload.limit, MAX_LACKING))
    found = await Ask(GetLacking(call.context.id, payload.have, limit, MAX_LACKING_BYTES))
    await call.answer(LackingResponse(found))


Handler = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Entry:
    """How a request is answered. ``proof``: only for a peer that proved a membership."""

    handler: Handler
    proof: bool = True


async def _boundary(call: Call) -> None:
    await serve_snapshot.boundary(call.core, call.context, call.link)


async def _snapshot(call: Call) -> None:
    assert isinstance(call.init.payload, SnapshotStreamRequest)
    await serve_snapshot.burst(call.core, call.context, call.link, call.init.payload)


async def _tree(call: Call) -> None:
    assert isinstance(call.init.payload, TreeNodeRequest)
    await serve_tree.nodes(call.core, call.context, call.link, call.init.payload)


async def _levels(call: Call) -> None:
    assert isinstance(call.init.payload, LevelWiseRequest)
    await serve_tree.level(call.core, call.context, call.link, call.init.payload)


async def _buckets(call: Call) -> None:
    assert isinstance(call.init.payload, TreeBucketsRequest)
    await serve_tree.buckets(call.core, call.context, call.link, call.init.payload)


async def _rows(call: Call) -> None:
    assert isinstance(call.init.payload, TreeRowsRequest)
    await serve_tree.rows(call.core, call.context, call.link, call.init.payload)


async def _places(call: Call) -> None:
    assert isinstance(call.init.payload, TreePlacesRequest)
    await serve_tree.places(call.core, call.context, call.link, call.init.payload)


async def _blob(call: Call) -> None:
    assert isinstance(call.init.payload, InitBlobShare)
    await blob.serve(call.core, call.context, call.link, call.init.party_id, call.init.payload.blob_id)


REQUESTS: Final[dict[type, Entry]] = {
    InitKeyShare: Entry(_key_share, proof=False),
    DagHeadsRequest: Entry(_heads, proof=False),
    DeltaRequest: Entry(_delta),
    SnapshotBoundaryRequest: Entry(_boundary),
    SnapshotStreamRequest: Entry(_snapshot),
    TreeNodeRequest: Entry(_tree),
    LevelWiseRequest: Entry(_levels),
    InitBlobShare: Entry(_blob),
    LackingRequest: Entry(_lacking),
    TreeBucketsRequest: Entry(_buckets),
    TreeRowsRequest: Entry(_rows),
    TreePlacesRequest: Entry(_places),
}


async def serve(core: Core, link: Link) -> None:
    """Answer requests on one stream until the peer ends it."""
    errors = 0
    try:
        while errors < MAX_ERRORS:
            init = await _next(core, link)
            if init is None:
                return
            if isinstance(init, CalimeroError) or not await _answered(core, link, init):
                errors += 1
                await link.send(OpaqueError())
    except CalimeroError:
        core.tell("peer", "stream lost", None, peer=link.peer)
    finally:
        link.close()


async def _next(core: Core, link: Link) -> Init | CalimeroError | None:
    """The next request; an error that the peer is told of; None at the end."""
    data = await link.frame(IDLE)
    if data is None:
        return None
    try:
        return link.as_init(data)
    except CalimeroError as error:
        core.tell("peer", "bad request", None, peer=link.peer, reason=str(error))
        core.blame(link.peer, error)
        return error


async def _answered(core: Core, link: Link, init: Init) -> bool:
    entry = REQUESTS[type(init.payload)]
    try:
        context = core.context(init.context_id)
        await _admit(core, context, link, init, entry)
        await entry.handler(Call(core, context, link, init))
    except CalimeroError as error:
        core.tell(
            "peer", "request refused", None, peer=link.peer, request=type(init.payload).__name__, reason=str(error)
        )
        core.blame(link.peer, error)
        return False
    return True


async def _admit(core: Core, context: Followed, link: Link, init: Init, entry: Entry) -> None:
    """Raises :class:`NotAMember`, or :class:`RemoteProtocolError` for two contexts in one request."""
    if not await core.knows_member(context, init.party_id):
        raise NotAMember(f"unknown context member {init.party_id} in context {context.id}")
    named = getattr(init.payload, "context_id", context.id)
    if named != context.id:
        raise RemoteProtocolError(f"peer {link.peer} asks for context {named} in the name of {context.id}", score=5)
    if entry.proof and not core.peers.has_proved(context.id, link.peer, context.members):
        raise NotAMember(f"peer {link.peer} did not prove a membership of context {context.id} yet")
