"""Tree comparison: repair the state where histories cannot explain the difference. Asking side.

Between our nodes children are compared in buckets of their ids, so that a tree of 10,000 entries costs what differs,
and level by level with the questions of a level together, so that it costs few round trips. Entities come with their
place, times and tombstones, and are merged by the application; what would change nothing here is not merged. Each
answer names the root that it was read at. When that moves, what was found is merged all the same, since every entity is
one that the peer had, and the session compares again. It only pulls: the peer sees the other root and pulls from us.
The reference's HashComparison is served (:mod:`node.sync.serve_tree`) and never asked for: its leaves lack place and
times, and applying them would part the states for good.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import msgspec

from node.codec import borsh
from node.context.owner.repair import DIGEST, MAX_BITS, Buckets, Part, Place, Row
from node.errors import RemoteProtocolError
from node.primitives import EntityId, Hash
from node.storage.action import Action, Add, DeleteRef
from node.storage.entities import ChildInfo, EntityIndex
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Sleep
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

AGENT_PAUSE: Final = SECOND // 10
AGENT_LOOKS: Final = 20
"""A peer that connected a moment ago has not told its agent yet. Two seconds are less than what is lost when a node of
ours is asked for one delta after the other, as others have to be."""

GROUP: Final = 128
"""Entities asked for at once: a round trip of 50 ms costs each less than the owner's look at it does."""

MAX_NUMBERS: Final = 65_536
"""Buckets named in one request: all of the widest entity, and 256 KiB."""

BATCH: Final = 128
"""Actions merged in one commit: a slice of the owner's time, as for deltas."""

MAX_ENTITIES: Final = 100_000
"""Entities of one comparison; more means that a snapshot of another node would be cheaper, or that the peer invents."""

Rows = frozenset[tuple[int, Hash]]
"""Creation times and full hashes under which a parent lists one child: one that was created on two nodes at once may
have two."""


class Moved(RemoteProtocolError):
    """The peer's state moved while it was compared; ``merged`` entities were found nevertheless."""

    def __init__(self, peer: str, merged: int = 0) -> None:
        super().__init__(f"the state of peer {peer} moved during the comparison", peer=peer, score=0)
        self.merged = merged


@dataclass(frozen=True, slots=True)
class Branch:
    """An entity whose children are compared, and the chain that names it as their ancestor."""

    entity: EntityId
    chain: tuple[ChildInfo, ...]


@dataclass(frozen=True, slots=True)
class Child:
    """An entity that is listed otherwise there than here."""

    id: EntityId
    chain: tuple[ChildInfo, ...] = ()
    theirs: Rows = frozenset()
    ours: Rows = frozenset()


@dataclass(slots=True)
class Comparison:
    """One comparison: where it stands and what it found."""

    core: Core
    context: Followed
    link: Link
    root: Hash
    level: list[Branch] = field(default_factory=list)
    """What the next level down begins with."""
    actions: list[bytes] = field(default_factory=list)
    asked: int = 0
    merged: int = 0
    moved: bool = False
    """An answer was read at another root."""


async def is_ours(core: Core, context: Followed, peer: str) -> bool:
    """Whether the peer understands these requests; asked once. A peer that does not say what it is gets no such
    request, and is asked again by the next session."""
    for look in range(AGENT_LOOKS):
        if peer in context.ours:
            break
        if look:
            await Sleep(AGENT_PAUSE)
        agent = await Ask(ReadAgent(peer))
        if agent:
            context.ours[peer] = agent.startswith(OUR_AGENT)
    return context.ours.get(peer, False)


async def repair(core: Core, context: Followed, link: Link, root: Hash) -> int:
    """Merge what the peer's state at ``root`` has more or newer; the number of entities.

    Raises :class:`Moved` after that, if the peer was not at ``root`` all the time, :class:`RemoteProtocolError`, and
    what the owner refused with.
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
        raise Moved(link.peer)
    _take(work, Child(top), theirs, mine)
    while work.level:
        level, work.level = work.level, []
        for start in range(0, len(level), GROUP):
            await _branches(work, level[start : start + GROUP])
    await _merge(work)
    context.counters.add("repaired entities", work.merged)
    if work.moved:
        raise Moved(link.peer, work.merged)
    return work.merged


async def _branches(work: Comparison, branches: Sequence[Branch]) -> None:
    entities = tuple(branch.entity for branch in branches)
    theirs = await buckets(work, entities)
    ours = await our_buckets(work, tuple((entity, found.bits) for entity, found in zip(entities, theirs, strict=True)))
    looked: list[tuple[Branch, Part]] = []
    for branch, here, there in zip(branches, ours, theirs, strict=True):
        numbers = tuple(here.differing(there))
        if numbers:
            looked.append((branch, Part(branch.entity, there.bits, numbers)))
    for piece in _pieces(looked):
        await _parts(work, piece)


def _pieces(looked: list[tuple[Branch, Part]]) -> Iterator[list[tuple[Branch, Part]]]:
    """What fits one request each."""
    piece: list[tuple[Branch, Part]] = []
    numbers = 0
    for branch, part in looked:
        if piece and numbers + len(part.numbers) > MAX_NUMBERS:
            yield piece
            piece, numbers = [], 0
        piece.append((branch, part))
        numbers += len(part.numbers)
    if piece:
        yield piece


async def _parts(work: Comparison, looked: list[tuple[Branch, Part]]) -> None:
    parts = tuple(part for _, part in looked)
    theirs, ours = await rows(work, parts), await our_rows(work, parts)
    found: list[Child] = []
    for (branch, _), there, here in zip(looked, theirs, ours, strict=True):
        found += _differing(branch, grouped(there), grouped(here))
    work.asked += len(found)
    if work.asked > MAX_ENTITIES:
        raise RemoteProtocolError(f"peer {work.link.peer} differs in more than {MAX_ENTITIES} entities", score=0)
    for start in range(0, len(found), GROUP):
        await _children(work, found[start : start + GROUP])


def _differing(branch: Branch, theirs: dict[EntityId, Rows], ours: dict[EntityId, Rows]) -> list[Child]:
    """Children of a branch that are not listed alike. One that only we list may be a tombstone there."""
    nowhere: Rows = frozenset()
    children = (
        Child(child, branch.chain, theirs.get(child, nowhere), ours.get(child, nowhere)) for child in {**theirs, **ours}
    )
    return [child for child in children if child.theirs != child.ours]


def grouped(rows: Sequence[Row]) -> dict[EntityId, Rows]:
    """Rows by entity."""
    found: dict[EntityId, Rows] = {}
    for row in rows:
        found[row.id] = found.get(row.id, frozenset()) | {(row.created_at, row.full_hash)}
    return found


async def _children(work: Comparison, children: Sequence[Child]) -> None:
    entities = tuple(child.id for child in children)
    theirs, ours = await places(work, entities), await our_places(work, entities)
    for child, place, mine in zip(children, theirs, ours, strict=True):
        if place is None:
            continue  # only we have it: the peer fetches it from us
        if place.node.index.id != child.id:
            raise RemoteProtocolError(f"peer {work.link.peer} sent another entity than asked", score=5)
        _take(work, child, place, mine)
    if len(work.actions) >= BATCH:
        await _merge(work)


def _take(work: Comparison, child: Child, theirs: Place, mine: Place | None) -> None:
    """Note what has to be merged of one entity, and go on to its children if it has any."""
    index = theirs.node.index
    if index.deleted_at is not None:
        if mine is None or mine.node.index.deleted_at is None or mine.node.index.deleted_at < index.deleted_at:
            work.actions.append(_encode(DeleteRef(index.id, index.deleted_at, index.metadata)))
        return
    if theirs.node.data is not None and not _settled(child, theirs, mine):
        times = sorted(created for created, _ in child.theirs) or [index.metadata.created_at]
        work.actions.extend(_encode(_add(theirs.node.data, index, child.chain, at)) for at in times)
    if theirs.children and (mine is None or mine.node.index.full_hash != index.full_hash):
        link = ChildInfo(index.id, index.full_hash, index.metadata)
        work.level.append(Branch(index.id, (link, *child.chain)))


def _settled(child: Child, theirs: Place, mine: Place | None) -> bool:
    """Whether merging an entity's own value would change nothing here: an earlier one is refused by the rules of the
    storage, and an equal one is written as it is. Its children may differ all the same."""
    if mine is None or mine.node.data is None or mine.node.index.deleted_at is not None:
        return False
    if not child.chain:
        return mine.node.data == theirs.node.data  # the top, which no parent lists
    if not _times(child.theirs) <= _times(child.ours):
        return False
    here, there = mine.node.index, theirs.node.index
    if here.metadata.updated_at != there.metadata.updated_at:
        return here.metadata.updated_at > there.metadata.updated_at
    same = mine.node.data == theirs.node.data and here.metadata == there.metadata
    return same and _plain(child.ours, here) and _plain(child.theirs, there)


def _times(rows: Rows) -> set[int]:
    return {created for created, _ in rows}


def _plain(rows: Rows, index: EntityIndex) -> bool:
    """Whether a parent lists an entity by its full hash: after an apply it may be the hash of its value alone."""
    return all(full_hash == index.full_hash for _, full_hash in rows)


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


# -- questions: to the peer, and the same to our own state; each is repeated until all of it is answered


async def buckets(work: Comparison, entities: tuple[EntityId, ...]) -> list[Buckets]:
    """The peer's digests of the children of entities. Raises :class:`RemoteProtocolError` for digests of other bits."""

    async def once(left: tuple[EntityId, ...]) -> tuple[Buckets, ...]:
        return (await ask(work, TreeBucketsRequest(work.context.id, left), TreeBucketsResponse)).buckets

    found = await _all(work, entities, once)
    for each in found:
        if each.bits > MAX_BITS or len(each.digests) != DIGEST << each.bits:
            raise RemoteProtocolError(f"peer {work.link.peer} sent a bad digest", peer=work.link.peer, score=5)
    return found


async def our_buckets(work: Comparison, wanted: tuple[tuple[EntityId, int | None], ...]) -> list[Buckets]:
    async def once(left: tuple[tuple[EntityId, int | None], ...]) -> tuple[Buckets, ...]:
        return (await Ask(ReadBuckets(work.context.id, left)))[1]

    return await _all(work, wanted, once)


async def rows(work: Comparison, parts: tuple[Part, ...]) -> list[tuple[Row, ...]]:
    """The peer's children in some buckets of entities."""

    async def once(left: tuple[Part, ...]) -> tuple[tuple[Row, ...], ...]:
        return (await ask(work, TreeRowsRequest(work.context.id, left), TreeRowsResponse)).rows

    return await _all(work, parts, once)


async def our_rows(work: Comparison, parts: tuple[Part, ...]) -> list[tuple[Row, ...]]:
    async def once(left: tuple[Part, ...]) -> tuple[tuple[Row, ...], ...]:
        return (await Ask(ReadRows(work.context.id, left)))[1]

    return await _all(work, parts, once)


async def places(work: Comparison, entities: tuple[EntityId, ...]) -> list[Place | None]:
    """Entities as the peer has them."""

    async def once(left: tuple[EntityId, ...]) -> tuple[Place | None, ...]:
        return (await ask(work, TreePlacesRequest(work.context.id, left), TreePlacesResponse)).places

    return await _all(work, entities, once)


async def our_places(work: Comparison, entities: tuple[EntityId, ...]) -> list[Place | None]:
    async def once(left: tuple[EntityId, ...]) -> tuple[Place | None, ...]:
        return (await Ask(ReadPlaces(work.context.id, left)))[1]

    return await _all(work, entities, once)


Asked = TypeVar("Asked")
Found = TypeVar("Found")


async def _all(
    work: Comparison, questions: tuple[Asked, ...], once: Callable[[tuple[Asked, ...]], Awaitable[tuple[Found, ...]]]
) -> list[Found]:
    """Ask until everything is answered; an answer is for as many as fit, and for one at least."""
    found: list[Found] = []
    while len(found) < len(questions):
        part = await once(questions[len(found) :])
        if not 0 < len(part) <= len(questions) - len(found):
            raise RemoteProtocolError(f"peer {work.link.peer} answered for another number of entities", score=5)
        found += part
    return found


Answer = TypeVar("Answer", TreeBucketsResponse, TreeRowsResponse, TreePlacesResponse)


async def ask(work: Comparison, request: InitPayload, kind: type[Answer]) -> Answer:
    """One request. An answer from another root than the comparison's is noted."""
    core, context, link = work.core, work.context, work.link
    await link.send(Init(context.id, core.my_identity(context).public_key, request, core.random_bytes(12)))
    answer = await link.expect(kind, STEP_TIMEOUT)
    work.moved = work.moved or answer.root != work.root
    return answer
