"""DeltaRequest: fetch deltas and their ancestors until everything connects.

Requests are pipelined on one stream per peer and spread over peers. The walk is bounded in count and bytes; what it
brought is handed to the owner in slices, so a walk that is cut short is continued later and nothing is fetched twice.
An answer is checked against the id that was asked for before it goes anywhere.
Source of the messages: core 0.10.0: crates/node/src/sync/delta_request.rs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from node.errors import CalimeroError, RemoteProtocolError
from node.primitives import DeltaId
from node.sync.content import open_delta
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.ports import ApplyDeltas, OpenDelta, SamplePast, UnknownDeltas
from node.sync.streams import Link
from node.sync.wire import DeltaNotFound, DeltaRequest, DeltaResponse, Init, LackingRequest, LackingResponse

PIPELINE: Final = 64
"""Requests in flight on one stream: enough to hide a round trip of 50 ms at 1,000 deltas a second, few enough that the
answers (64 KiB each at most, as a rule) fit the stream's window."""

ANSWER_TIMEOUT: Final = 30 * SECOND
"""Per answer, as in the reference."""

MAX_WALK: Final = 50_000
"""Deltas of one walk. The owner keeps 131,072 waiting ones; half of that in one go leaves room for gossip."""

MAX_WALK_BYTES: Final = 256 * 1024 * 1024
"""Bytes of one walk; a hostile peer can invent parents for ever, and this ends it."""

LACKING: Final = 256
"""Deltas asked for at once. The peer walks its whole graph for each request, so few requests are better; but it closes
a stream that is silent for a minute, and an application may need a tenth of a second for each delta."""

SLICE: Final = 64
"""Deltas handed to the owner at once: about what it applies while the next ones are on the way."""


@dataclass(slots=True)
class Walk:
    """One search for deltas: what is wanted, what came, what nobody had."""

    wanted: dict[DeltaId, None] = field(default_factory=dict)
    seen: set[DeltaId] = field(default_factory=set)
    absent: dict[DeltaId, None] = field(default_factory=dict)
    held: list[OpenDelta] = field(default_factory=list)
    refused: dict[DeltaId, str] = field(default_factory=dict)
    fetched: int = 0
    bytes: int = 0
    ends: dict[DeltaId, None] = field(default_factory=dict)
    """Of what came parents first: those that are no parents of others."""

    @property
    def exhausted(self) -> bool:
        return self.fetched >= MAX_WALK or self.bytes >= MAX_WALK_BYTES

    def want(self, ids: Iterable[DeltaId]) -> None:
        for delta_id in ids:
            if not delta_id.is_zero and delta_id not in self.seen:
                self.seen.add(delta_id)
                self.wanted[delta_id] = None

    def pass_by(self, deltas: Iterable[OpenDelta]) -> bool:
        """Note deltas that came parents first. True if one of them did not come before."""
        before = len(self.seen)
        for delta in deltas:
            self.seen.add(delta.id)
            self.ends[delta.id] = None
            for parent in delta.parents:
                self.ends.pop(parent, None)
        return len(self.seen) > before


async def fetch(core: Core, context: Followed, link: Link, ids: Iterable[DeltaId]) -> Walk:
    """Fetch these deltas and whatever they need from one peer, and feed them to the owner.

    Raises :class:`RemoteProtocolError` and :class:`DecodeError` for a peer that lies, :class:`DeadlineExceeded` for a
    silent one; what came before is kept.
    """
    walk = Walk()
    walk.want(await _unknown(context, ids))
    try:
        while walk.wanted and not walk.exhausted:
            await _round(core, context, link, walk)
            if len(walk.held) >= SLICE or not walk.wanted or walk.exhausted:
                await feed(core, context, walk, link.peer)
    finally:
        if walk.held:
            context.counters.add("deltas cut off", len(walk.held))
    for delta_id, reason in walk.refused.items():
        raise RemoteProtocolError(f"peer {link.peer} sent delta {delta_id}, refused: {reason}", peer=link.peer)
    return walk


async def fetch_lacking(core: Core, context: Followed, link: Link) -> Walk:
    """Fetch what a node of ours has and we lack, parents first, until it names nothing new.

    A long absence then costs a request for every slice instead of one for every delta. Raises as :func:`fetch`.
    """
    walk = Walk()
    while not walk.exhausted:
        found = await _ask_lacking(core, context, link, walk)
        if not await _feed_slices(core, context, walk, found, link.peer):
            break
    return walk


async def _ask_lacking(core: Core, context: Followed, link: Link, walk: Walk) -> tuple[OpenDelta, ...]:
    """One answer. What earlier ones brought counts as here; our own past is told by a sample, since after a partition
    the peer knows none of our heads."""
    have = (*await Ask(SamplePast(context.id)), *walk.ends)
    me = core.my_identity(context).public_key
    await link.send(Init(context.id, me, LackingRequest(context.id, have, LACKING), core.random_bytes(12)))
    answer = await link.expect(LackingResponse, ANSWER_TIMEOUT)
    walk.bytes += sum(len(raw) for raw in answer.deltas)
    return tuple(open_delta(raw) for raw in answer.deltas)


async def _feed_slices(core: Core, context: Followed, walk: Walk, found: tuple[OpenDelta, ...], peer: str) -> bool:
    """Hand deltas to the owner. False when there is no use in asking for more: nothing was new in this walk, or one of
    them cannot be applied now."""
    fresh = False
    for start in range(0, len(found), SLICE):
        part = found[start : start + SLICE]
        report = await Ask(ApplyDeltas(context.id, part, peer))
        core.took(context, report, peer)
        walk.fetched += len(report.applied)
        fresh = walk.pass_by(part) or fresh
        if report.rejected or report.pending:
            return False
    return fresh


async def _unknown(context: Followed, ids: Iterable[DeltaId]) -> tuple[DeltaId, ...]:
    wanted = tuple(delta_id for delta_id in ids if not delta_id.is_zero)
    return await Ask(UnknownDeltas(context.id, wanted)) if wanted else ()


async def _round(core: Core, context: Followed, link: Link, walk: Walk) -> None:
    """Ask for up to a pipeline of ids and take every answer, in order."""
    asked = list(walk.wanted)[:PIPELINE]
    me = core.my_identity(context)
    for delta_id in asked:
        link.post(Init(context.id, me.public_key, DeltaRequest(context.id, delta_id), core.random_bytes(12)))
    for delta_id in asked:
        del walk.wanted[delta_id]
        await _answer(core, context, link, walk, delta_id)


async def _answer(core: Core, context: Followed, link: Link, walk: Walk, delta_id: DeltaId) -> None:
    try:
        payload = (await link.message(ANSWER_TIMEOUT)).payload
    except CalimeroError as error:
        context.trail(delta_id, link.peer, core.kernel.now, str(error))
        raise
    if isinstance(payload, DeltaNotFound):
        walk.absent[delta_id] = None
        context.trail(delta_id, link.peer, core.kernel.now, "does not have it")
        return
    if not isinstance(payload, DeltaResponse):
        raise RemoteProtocolError(f"peer {link.peer} answered {type(payload).__name__} to DeltaRequest", peer=link.peer)
    _take(walk, link, delta_id, payload.delta)


def _take(walk: Walk, link: Link, delta_id: DeltaId, raw: bytes) -> None:
    delta = open_delta(raw)
    if delta.id != delta_id:
        raise RemoteProtocolError(
            f"peer {link.peer} was asked for delta {delta_id} and sent {delta.id}", peer=link.peer, score=20
        )
    walk.held.append(delta)
    walk.fetched += 1
    walk.bytes += len(raw)
    walk.want(delta.parents)


async def feed(core: Core, context: Followed, walk: Walk, peer: str) -> None:
    """Hand what came to the owner, oldest first, and correct the list of wants by what the owner knows."""
    deltas, walk.held = tuple(reversed(walk.held)), []
    if deltas:
        report = await Ask(ApplyDeltas(context.id, deltas, peer))
        core.took(context, report, peer)
        walk.refused.update(report.rejected)
    if walk.wanted:
        unknown = set(await _unknown(context, tuple(walk.wanted)))
        walk.wanted = {delta_id: None for delta_id in walk.wanted if delta_id in unknown}
