"""Tree comparison: repair the state where histories cannot explain the difference. Asking side.

Between our nodes children are compared in buckets of their ids, so that a tree of 10,000 entries costs what differs;
entities come with their place, times and tombstones, and are merged by the application. Each answer names the root that
it was read at: a root that moves ends the comparison, which then starts again. It only pulls: the peer sees the other
root and pulls from us. The reference's HashComparison is served (:mod:`node.sync.serve_tree`) and never asked for: its
leaves lack place and times, and applying them would part the states for good.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from node.codec import borsh
from node.context.owner.repair import Buckets, Place, Row
from node.errors import RemoteProtocolError
from node.primitives import EntityId, Hash
from node.storage.action import Action, Add, DeleteRef
from node.storage.entities import ChildInfo, EntityIndex
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask
from node.sync.ports import ApplyLeaves, ReadAgent, ReadBuckets, ReadPlaces, ReadRows
from node.sync.streams import Link
from node.sync.wire import (
    Init,
    InitPayload,
    TreeBucketsRequest,
    TreeBucketsResponse,
    TreePlacesRequest,
    TreePlacesResponse,
    TreeRowsRequest,
    TreeRowsResponse,
)

STEP_TIMEOUT: Final = 30 * SECOND

OUR_AGENT: Final = "calimero-py/"
"""How our nodes begin their agent string; the requests of this module are understood by them alone."""

PLACES: Final = 128
"""Entities asked for at once; with values of usual size the answer stays far below a frame."""

BATCH: Final = 128
"""Actions merged in one commit: a slice of the owner's time, as for deltas."""

MAX_ENTITIES: Final = 100_000
"""Entities of one comparison; more means that a snapshot of another node would be cheaper, or that the peer invents."""


class Moved(RemoteProtocolError):
    """The peer's state moved while it was compared."""


@dataclass(slots=True)
class Comparison:
    """One comparison: where it stands and what it found."""

    core: Core
    context: Followed
    link: Link
    root: Hash
    queue: deque[tuple[EntityId, tuple[ChildInfo, ...]]] = field(default_factory=deque)
    actions: list[bytes] = field(default_factory=list)
    asked: int = 0
    merged: int = 0


async def is_ours(core: Core, context: Followed, peer: str) -> bool:
    """Whether the peer understands these requests; asked once."""
    if peer not in context.ours:
        agent = await Ask(ReadAgent(peer))
        if not agent:
            return False  # not identified yet; asked again by the next session
        context.ours[peer] = agent.startswith(OUR_AGENT)
    return context.ours[peer]


async def repair(core: Core, context: Followed, link: Link, root: Hash) -> int:
    """Merge what the peer's state at ``root`` has more or newer; the number of entities.

    Raises :class:`Moved`, :class:`RemoteProtocolError`, and what the owner refused with.
    """
    if not await is_ours(core, context, link.peer):
        raise RemoteProtocolError(
            f"peer {link.peer} has another state and lacks the deltas behind it; only nodes of ours can be compared",
            peer=link.peer,
            score=0,
        )
    work = Comparison(core, context, link, root)
    top = EntityId(context.id)
    (mine,), (theirs,) = await our_places(work, (top,)), await places(work, (top,))
    if theirs is None:
        raise Moved(f"peer {link.peer} has no state any more", peer=link.peer, score=0)
    _take(work, theirs, mine, (), ())
    while work.queue:
        entity, chain = work.queue.popleft()
        await _children(work, entity, chain)
    await _merge(work)
    context.counters.add("repaired entities", work.merged)
    return work.merged


async def _children(work: Comparison, entity: EntityId, chain: tuple[ChildInfo, ...]) -> None:
    theirs = (await ask(work, TreeBucketsRequest(work.context.id, entity), TreeBucketsResponse)).buckets
    if len(theirs.digests) != 8 << theirs.bits:
        raise RemoteProtocolError(f"peer {work.link.peer} sent a bad digest", peer=work.link.peer, score=5)
    ours = await Ask(ReadBuckets(work.context.id, entity, theirs.bits))
    numbers = tuple(ours[1].differing(theirs))
    if not numbers:
        return
    await _rows(work, entity, chain, theirs, numbers)


async def _rows(
    work: Comparison, entity: EntityId, chain: tuple[ChildInfo, ...], buckets: Buckets, numbers: tuple[int, ...]
) -> None:
    request = TreeRowsRequest(work.context.id, entity, buckets.bits, numbers)
    theirs = grouped((await ask(work, request, TreeRowsResponse)).rows)
    mine = await Ask(ReadRows(work.context.id, entity, buckets.bits, numbers))
    ours = grouped(mine[1])
    differing = [child for child in {**theirs, **ours} if theirs.get(child) != ours.get(child)]
    work.asked += len(differing)
    if work.asked > MAX_ENTITIES:
        raise RemoteProtocolError(f"peer {work.link.peer} differs in more than {MAX_ENTITIES} entities", score=0)
    for start in range(0, len(differing), PLACES):
        await _entities(work, tuple(differing[start : start + PLACES]), chain, theirs)


def grouped(rows: tuple[Row, ...]) -> dict[EntityId, frozenset[tuple[int, Hash]]]:
    """Rows by entity: one that was created on two nodes at once may have two."""
    found: dict[EntityId, frozenset[tuple[int, Hash]]] = {}
    for row in rows:
        found[row.id] = found.get(row.id, frozenset()) | {(row.created_at, row.full_hash)}
    return found


async def _entities(
    work: Comparison,
    entities: tuple[EntityId, ...],
    chain: tuple[ChildInfo, ...],
    rows: dict[EntityId, frozenset[tuple[int, Hash]]],
) -> None:
    theirs = await places(work, entities)
    ours = await our_places(work, entities)
    for entity, place, mine in zip(entities, theirs, ours, strict=True):
        if place is None:
            continue  # only we have it: the peer fetches it from us
        if place.node.index.id != entity:
            raise RemoteProtocolError(f"peer {work.link.peer} sent another entity than asked", score=5)
        _take(work, place, mine, chain, tuple(sorted(created for created, _ in rows.get(entity, ()))))
    if len(work.actions) >= BATCH:
        await _merge(work)


def _take(
    work: Comparison, theirs: Place, mine: Place | None, chain: tuple[ChildInfo, ...], created: tuple[int, ...]
) -> None:
    """Note what has to be merged of one entity, and go on to its children if it has any."""
    index = theirs.node.index
    if index.deleted_at is not None:
        if mine is None or mine.node.index.deleted_at is None or mine.node.index.deleted_at < index.deleted_at:
            work.actions.append(_encode(DeleteRef(index.id, index.deleted_at, index.metadata)))
        return
    if theirs.node.data is not None and (created or not _same(theirs, mine)):
        times = created or (index.metadata.created_at,)
        work.actions.extend(_encode(_add(theirs.node.data, index, chain, at)) for at in times)
    if theirs.children and (mine is None or mine.node.index.full_hash != index.full_hash):
        link = ChildInfo(index.id, index.full_hash, index.metadata)
        work.queue.append((index.id, (link, *chain)))


def _same(theirs: Place, mine: Place | None) -> bool:
    return mine is not None and mine.node.data == theirs.node.data


def _add(data: bytes, index: EntityIndex, chain: tuple[ChildInfo, ...], created_at: int) -> Add:
    metadata = msgspec.structs.replace(index.metadata, created_at=created_at)
    return Add(index.id, data, chain, metadata)


def _encode(action: Action) -> bytes:
    return _ACTION.encode(action)


_ACTION: Final[borsh.Codec[Action]] = borsh.codec(Action)


async def _merge(work: Comparison) -> None:
    while work.actions:
        batch, work.actions = work.actions[:BATCH], work.actions[BATCH:]
        work.core.note_heads(work.context, await Ask(ApplyLeaves(work.context.id, tuple(batch))))
        work.merged += len(batch)


async def our_places(work: Comparison, entities: tuple[EntityId, ...]) -> tuple[Place | None, ...]:
    return (await Ask(ReadPlaces(work.context.id, entities)))[1]


async def places(work: Comparison, entities: tuple[EntityId, ...]) -> tuple[Place | None, ...]:
    answer = await ask(work, TreePlacesRequest(work.context.id, entities), TreePlacesResponse)
    if len(answer.places) != len(entities):
        raise RemoteProtocolError(f"peer {work.link.peer} sent another number of entities than asked", score=5)
    return answer.places


Answer = TypeVar("Answer", TreeBucketsResponse, TreeRowsResponse, TreePlacesResponse)


async def ask(work: Comparison, request: InitPayload, kind: type[Answer]) -> Answer:
    """One request; an answer from another root than the comparison's raises :class:`Moved`."""
    core, context, link = work.core, work.context, work.link
    await link.send(Init(context.id, core.my_identity(context).public_key, request, core.random_bytes(12)))
    answer = await link.expect(kind, STEP_TIMEOUT)
    if answer.root != work.root:
        raise Moved(f"the state of peer {link.peer} moved during the comparison", peer=link.peer, score=0)
    return answer
