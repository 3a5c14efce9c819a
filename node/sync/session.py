"""One sync session: with one peer, for one context, from key share to the comparison of roots.

A session that reports ``in sync`` has compared our root with the peer's after everything it did; there is no other
success. What it could not settle it reports by name, and the schedule tries again.
"""

from __future__ import annotations

from typing import Final

from node.errors import CalimeroError, NotFound, RemoteProtocolError
from node.primitives import DeltaId
from node.sync import application, deltas, fetching, gossip, snapshot, tree
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Sleep
from node.sync.ports import AdoptHeads, Heads, ListPending, UnknownDeltas
from node.sync.report import Report
from node.sync.strategy import Strategy, View, choose
from node.sync.streams import Link
from node.sync.wire import DagHeadsRequest, DagHeadsResponse, DeltaRequest, DeltaResponse, Init

HEADS_TIMEOUT: Final = 10 * SECOND

SETTLE: Final = SECOND // 5
SETTLE_LOOKS: Final = 25
"""Five seconds without one more applied delta: what waits does not wait for the owner's time alone."""

MAX_STUCK: Final = 2
"""Comparisons that changed nothing here before the session leaves the rest to the peer."""

MAX_ADOPTED: Final = 64
"""Waiting deltas that one session looks up for adoption."""

MAX_STEPS: Final = 8
"""Strategies tried in one session: each step must change what both sides have, and a peer that writes all the time
moves ahead at every comparison; the next session goes on from there."""


async def run(core: Core, context: Followed, report: Report) -> None:
    """Run a session and complete its report. Raises nothing but cancellation."""
    link: Link | None = None
    try:
        await _refresh(core, context)
        link = await core.streams.open(report.peer)
        await fetching.share_keys(core, context, link)
        report.met = True
        gossip.release(core, context)
        await application.ensure(core, context, link)
        await _steps(core, context, link, report)
    except CalimeroError as error:
        report.outcome, report.detail = "failed", f"{type(error).__name__}: {error}"
        core.blame(report.peer, error)
    finally:
        report.ended_ns = core.kernel.now
        if link is not None:
            report.bytes = link.received_bytes
            link.close()


async def _refresh(core: Core, context: Followed) -> None:
    """A registry that does not answer keeps nobody from syncing with the members known so far."""
    try:
        await core.refresh_members(context, now=False)
    except CalimeroError as error:
        core.tell("context", "registry unreachable", context, reason=str(error))


async def _steps(core: Core, context: Followed, link: Link, report: Report) -> None:
    absent: dict[DeltaId, None] = {}
    steps = 0
    while steps < MAX_STEPS:
        view = await look(core, context, link, absent)
        report.theirs, report.ours = view.theirs.root, view.ours.root
        rule = choose(view)
        report.strategies.append(rule.strategy)
        core.tell("sync", "chosen", context, peer=link.peer, strategy=str(rule.strategy), because=rule.because)
        if rule.strategy is Strategy.IN_SYNC and (absent or view.ours.missing):
            await _adopt(core, context, link, view, absent)
        ended = _ended(rule.strategy, rule.because) if report.stuck < MAX_STUCK else _STUCK
        if ended is not None:
            report.outcome, report.detail = ended
            if rule.strategy is Strategy.AHEAD:
                context.stood_off(link.peer, view.ours.root, view.theirs.root, core.kernel.now)
            return
        if rule.strategy is Strategy.WAIT:
            if not await _settled(core, context, view.ours.pending):
                report.outcome, report.detail = "waiting", f"{view.ours.pending} deltas cannot be applied yet"
                return
            continue
        steps += 1
        await _act(core, context, link, report, view, rule.strategy, absent)
    report.outcome, report.detail = "moving", f"not settled after {MAX_STEPS} steps; the peer keeps changing"


async def _settled(core: Core, context: Followed, pending: int) -> bool:
    """Give the owner time to apply what is here; False when it gets nowhere."""
    for _ in range(SETTLE_LOOKS):
        await Sleep(SETTLE)
        if (await core.read_heads(context)).pending < pending:
            return True
    return False


_STUCK: Final = ("ahead", "all of the peer's entities are here; the rest of the difference is for the peer to fetch")


def _ended(strategy: Strategy, because: str) -> tuple[str, str] | None:
    if strategy is Strategy.IN_SYNC:
        return "in sync", because
    if strategy is Strategy.AHEAD:
        return "ahead", because
    if strategy is Strategy.NOTHING:
        return "no state", because
    if strategy is Strategy.ELSEWHERE:
        return "elsewhere", because
    return None


async def look(core: Core, context: Followed, link: Link, absent: dict[DeltaId, None]) -> View:
    """Ask for the peer's heads and read ours, in this order: what arrives in between makes ours newer, never theirs."""
    theirs = await ask_heads(core, context, link)
    ours = await core.read_heads(context)
    context.agreed(link.peer, theirs.root, core.kernel.now)
    named = tuple(head for head in theirs.heads if not head.is_zero)
    unknown = await Ask(UnknownDeltas(context.id, named)) if named and not ours.root.is_zero else ()
    wanted = tuple(head for head in unknown if head not in absent)
    parted = context.parted(link.peer, ours.root, theirs.root, core.kernel.now)
    parted = parted and await tree.is_ours(core, context, link.peer)
    return View(ours, theirs, wanted, len(absent), lost=_lost(core, context, absent), parted=parted)


def _lost(core: Core, context: Followed, absent: dict[DeltaId, None]) -> bool:
    """Whether every peer that can be asked now said that it lacks these deltas."""
    peers = core.peers.candidates(context.id, core.kernel.now)
    return all(context.absent.get(delta_id, set()).issuperset(peers) for delta_id in absent)


async def ask_heads(core: Core, context: Followed, link: Link) -> Heads:
    """The peer's root and heads."""
    me = core.my_identity(context)
    await link.send(Init(context.id, me.public_key, DagHeadsRequest(context.id), core.random_bytes(12)))
    answer = await link.expect(DagHeadsResponse, HEADS_TIMEOUT)
    return Heads(answer.root_hash, answer.dag_heads)


async def _act(
    core: Core,
    context: Followed,
    link: Link,
    report: Report,
    view: View,
    strategy: Strategy,
    absent: dict[DeltaId, None],
) -> None:
    if strategy is Strategy.SNAPSHOT:
        _, transfer = await snapshot.fetch(core, context, link)
        core.tell("sync", "snapshot", context, peer=link.peer, rows=transfer.rows, bytes=transfer.bytes)
    elif strategy is Strategy.DELTAS:
        if not report.fetched and await tree.is_ours(core, context, link.peer):
            report.fetched += (await deltas.fetch_lacking(core, context, link)).fetched
            if report.fetched:
                return
        walk = await deltas.fetch(core, context, link, (*view.unknown, *view.ours.missing))
        report.fetched += walk.fetched
        absent.update(walk.absent)
        for delta_id in walk.absent:
            context.absent.setdefault(delta_id, set()).add(link.peer)
        if not walk.fetched and not walk.absent:
            raise RemoteProtocolError(f"peer {link.peer} brought nothing new", peer=link.peer, score=0)
    elif strategy is Strategy.TREE:
        await _repair(core, context, link, report, view)


async def _repair(core: Core, context: Followed, link: Link, report: Report, view: View) -> None:
    """Compare the states; one that moves meanwhile is compared again by the next step."""
    try:
        merged = await tree.repair(core, context, link, view.theirs.root)
    except tree.Moved as moved:
        report.repaired += moved.merged
        context.counters.add("comparisons moved")
        return
    report.repaired += merged
    if (await core.read_heads(context)).root == view.ours.root:
        report.stuck += 1


async def _adopt(core: Core, context: Followed, link: Link, view: View, absent: dict[DeltaId, None]) -> None:
    """Both states are equal: what the peer has behind its state is here too, known by its delta or not.

    Only needed where deltas cannot be had any more; as long as the peer has them they are fetched. The peer is asked
    for its root once more at the end: a delta that it could serve may be newer than the root that was compared.
    """
    wanted = [head for head in view.theirs.heads if head in absent]
    wanted += [held.id for held in await Ask(ListPending(context.id)) if held.missing][:MAX_ADOPTED]
    if not wanted:
        return
    known = await _served(core, context, link, wanted)
    theirs = await ask_heads(core, context, link)
    if theirs.root != view.theirs.root:
        return
    try:
        heads = await Ask(AdoptHeads(context.id, theirs.root, (*known, *theirs.heads)))
    except NotFound:
        return
    core.note_heads(context, heads)
    core.tell("sync", "adopted", context, peer=link.peer, deltas=len(wanted))


async def _served(core: Core, context: Followed, link: Link, ids: list[DeltaId]) -> list[DeltaId]:
    """Those of the deltas that the peer can serve, and therefore has applied or waiting."""
    me = core.my_identity(context).public_key
    found = []
    for delta_id in ids:
        await link.send(Init(context.id, me, DeltaRequest(context.id, delta_id), core.random_bytes(12)))
        if isinstance((await link.message(HEADS_TIMEOUT)).payload, DeltaResponse):
            found.append(delta_id)
    return found
