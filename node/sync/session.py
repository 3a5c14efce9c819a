"""One sync session: with one peer, for one context, from key share to the comparison of roots.

A session that reports ``in sync`` has compared our root with the peer's after everything it did; there is no other
success. What it could not settle it reports by name, and the schedule tries again.
"""

from __future__ import annotations

from typing import Final

from node.errors import CalimeroError, RemoteProtocolError
from node.primitives import DeltaId
from node.sync import application, deltas, fetching, gossip, snapshot, tree
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Sleep
from node.sync.ports import Heads, UnknownDeltas
from node.sync.report import Report
from node.sync.strategy import Strategy, View, choose
from node.sync.streams import Link
from node.sync.wire import DagHeadsRequest, DagHeadsResponse, Init

HEADS_TIMEOUT: Final = 10 * SECOND

SETTLE: Final = SECOND // 5
SETTLE_LOOKS: Final = 25
"""Five seconds without one more applied delta: what waits does not wait for the owner's time alone."""

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
        gossip.release(core, context)
        await application.ensure(core, context, link)
        await _steps(core, context, link, report)
    except CalimeroError as error:
        report.outcome, report.detail = "failed", f"{type(error).__name__}: {error}"
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
        ended = _ended(rule.strategy, rule.because)
        if ended is not None:
            report.outcome, report.detail = ended
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


def _ended(strategy: Strategy, because: str) -> tuple[str, str] | None:
    if strategy is Strategy.IN_SYNC:
        return "in sync", because
    if strategy is Strategy.AHEAD:
        return "ahead", because
    if strategy is Strategy.NOTHING:
        return "no state", because
    return None


async def look(core: Core, context: Followed, link: Link, absent: dict[DeltaId, None]) -> View:
    """Ask for the peer's heads and read ours, in this order: what arrives in between makes ours newer, never theirs."""
    theirs = await ask_heads(core, context, link)
    ours = await core.read_heads(context)
    context.agreed(link.peer, theirs.root, core.kernel.now)
    named = tuple(head for head in theirs.heads if not head.is_zero)
    unknown = await Ask(UnknownDeltas(context.id, named)) if named and not ours.root.is_zero else ()
    return View(ours, theirs, tuple(head for head in unknown if head not in absent), len(absent))


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
        walk = await deltas.fetch(core, context, link, (*view.unknown, *view.ours.missing))
        report.fetched += walk.fetched
        absent.update(walk.absent)
        if not walk.fetched and not walk.absent:
            raise RemoteProtocolError(f"peer {link.peer} brought nothing new", peer=link.peer, score=0)
    elif strategy is Strategy.TREE:
        await tree.repair(core, context, link, view.theirs)
        absent.clear()
