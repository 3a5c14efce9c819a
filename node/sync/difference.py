"""Where two states part: the first subtree that a peer has otherwise than we, its entries, and the deltas behind them.

It looks and changes nothing. Only nodes of ours answer its requests; the walk is bounded in depth, entries, deltas and
time, and what it found is kept for a while, since a dashboard asks again and again.
"""

from __future__ import annotations

from typing import Final

from node.context.owner.repair import Part, Place
from node.errors import CalimeroError, RemoteProtocolError, WorkerLost
from node.primitives import DeltaId, EntityId, Hash
from node.storage.action import ACTIONS
from node.sync import fetching, session, tree
from node.sync.content import open_delta
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Join
from node.sync.parted import Difference, Entry, Side
from node.sync.ports import GetDeltas
from node.sync.tree import Comparison

DEADLINE: Final = 3 * SECOND
"""Of one look: whoever asks why waits for it."""

KEPT: Final = 10 * SECOND
"""A look is not repeated sooner."""

MAX_DEPTH: Final = 16
MAX_ENTRIES: Final = 20
"""Entries written out; the number of all that were seen is told."""

MAX_BUCKETS: Final = 64
"""Buckets of one level that are looked into."""

MAX_DELTAS: Final = 512
"""Deltas of our own history, from the heads back, that are searched for the entries."""

STEP: Final = 64
"""Deltas read at once."""


async def look(core: Core, context: Followed, peer: str) -> Difference:
    """Compare with a peer, or tell what was found a moment ago. Never raises what a peer or the network did."""
    known = context.difference
    if known is not None and known.peer == peer and core.kernel.now - known.looked_at < KEPT:
        return known
    task = core.kernel.spawn(_look(core, context, peer), "difference")
    core.kernel.at(core.kernel.now + DEADLINE, lambda: core.kernel.cancel(task))
    try:
        found = await Join(task)
    except WorkerLost:
        found = Difference(peer, core.kernel.now, error=f"it did not answer within {DEADLINE // SECOND} s")
    except CalimeroError as error:
        found = Difference(peer, core.kernel.now, error=str(error))
    context.difference = found
    return found


async def _look(core: Core, context: Followed, peer: str) -> Difference:
    if not await tree.is_ours(core, context, peer):
        raise RemoteProtocolError("it is no node of ours, and cannot be asked for its tree", peer=peer, score=0)
    link = await core.streams.open(peer)
    try:
        await fetching.share_keys(core, context, link)
        theirs = await session.ask_heads(core, context, link)
        ours = await core.read_heads(context)
        if theirs.root == ours.root:
            return Difference(peer, core.kernel.now, ours.root, theirs.root)
        work = Comparison(core, context, link, theirs.root)
        path, entries, differing = await _descend(work)
    finally:
        link.close()
    if work.moved:
        raise tree.Moved(peer)
    behind = await _behind(context, ours.heads, {entry.id for entry in entries})
    named = tuple(Entry(e.id, e.ours, e.theirs, tuple(behind.get(e.id, ()))) for e in entries)
    return Difference(peer, core.kernel.now, ours.root, theirs.root, path, named, differing)


Found = tuple[tuple[EntityId, ...], tuple[Entry, ...], int]


async def _descend(work: Comparison) -> Found:
    """From the root into the first differing child that has children, until only entries differ."""
    path: tuple[EntityId, ...] = (EntityId(work.context.id),)
    found: Found = (path, (), 0)
    for _ in range(MAX_DEPTH):
        children = await _differing(work, path[-1])
        shown = tuple(children[:MAX_ENTRIES])
        theirs, ours = await tree.places(work, shown), await tree.our_places(work, shown)
        pairs = list(zip(shown, ours, theirs, strict=True))
        if not pairs:
            return found
        found = (path, tuple(Entry(child, _side(a), _side(b)) for child, a, b in pairs), len(children))
        below = next((child for child, a, b in pairs if _branches(a) and _branches(b)), None)
        if below is None:
            return found
        path = (*path, below)
    return found


async def _differing(work: Comparison, entity: EntityId) -> list[EntityId]:
    """Children that one side has otherwise than the other."""
    (theirs,) = await tree.buckets(work, (entity,))
    (ours,) = await tree.our_buckets(work, ((entity, theirs.bits),))
    numbers = tuple(ours.differing(theirs)[:MAX_BUCKETS])
    if not numbers:
        return []
    parts = (Part(entity, theirs.bits, numbers),)
    (there,), (here,) = await tree.rows(work, parts), await tree.our_rows(work, parts)
    return _unlike(tree.grouped(there), tree.grouped(here))


def _unlike(there: dict[EntityId, tree.Rows], here: dict[EntityId, tree.Rows]) -> list[EntityId]:
    return sorted(child for child in there.keys() | here.keys() if there.get(child) != here.get(child))


def _branches(place: Place | None) -> bool:
    return place is not None and place.children > 0


def _side(place: Place | None) -> Side | None:
    if place is None:
        return None
    index, data = place.node.index, place.node.data
    return Side(index.metadata.updated_at, index.deleted_at, Hash(index.full_hash), None if data is None else len(data))


async def _behind(
    context: Followed, heads: tuple[DeltaId, ...], wanted: set[EntityId]
) -> dict[EntityId, list[DeltaId]]:
    """The deltas of our history that touch these entities, from the heads back."""
    found: dict[EntityId, list[DeltaId]] = {}
    seen = {head: None for head in heads if not head.is_zero}
    queue = list(seen)
    while queue and wanted:
        batch, queue = tuple(queue[:STEP]), queue[STEP:]
        for raw in await Ask(GetDeltas(context.id, batch)):
            if raw is None:
                continue  # covered by a snapshot: its content is not here
            delta = open_delta(raw)
            for entity in wanted.intersection(_touched(delta.artifact)):
                found.setdefault(entity, []).append(delta.id)
            fresh = [p for p in delta.parents if p not in seen and not p.is_zero][: MAX_DELTAS - len(seen)]
            seen.update(dict.fromkeys(fresh))
            queue += fresh
    return found


def _touched(artifact: bytes) -> set[EntityId]:
    return {action.id for action in ACTIONS.decode(artifact[1:])}
