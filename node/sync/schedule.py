"""When a context is synced, and with whom. One endless script per context; sessions of one context never overlap.

A session is due every 10 to 30 s at random, and at once for a reason: a subscription, a heartbeat that disagrees, a
join, a wish, missing parents. Peers with a reason come first, then any other in random order until one settles it.
While something is pending the next round comes sooner, with growing pauses, for ever.
"""

from __future__ import annotations

from typing import Final

from node.errors import CalimeroError
from node.sync import gossip, session
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Cancelled, Join, Task
from node.sync.report import Report

FIRST_RETRY: Final = SECOND // 4
MAX_RETRY: Final = 10 * SECOND
"""Pauses between rounds while something is pending double from the first to the last."""

IMPATIENCE: Final = 2 * SECOND
"""How long a peer that does not prove its membership keeps a node without a state from asking the next one. It doubles
with every failure of the peer, so that a network or a machine that is slow gets the time it needs."""

NEVER: Final = 1 << 63

PEERS_PER_ROUND: Final = 8
"""Peers asked in one round before the pause; more would make one round last minutes when all are slow."""


PATIENT: Final = frozenset({"missing", "apply failed", "dropped", "key share failed"})
"""Reasons that name trouble: a round that did not end it is followed by a pause, not by the next round at once."""


async def follow(core: Core, context: Followed) -> None:
    """Sync the context for as long as the node follows it."""
    context.due = core.kernel.now + core.rng.randrange(SECOND)
    beat = core.kernel.now + core.settings.heartbeat
    while True:
        now = core.kernel.now
        await context.wake.wait(min(context.due, beat, _soon(context), _ready_at(context, now)) - now)
        context.wake.clear()
        now = core.kernel.now
        if now >= min(beat, _soon(context)):
            beat = now + core.settings.heartbeat
            context.quiet_at = 0
            await _heartbeat(core, context)
        if now >= min(context.due, _ready_at(context, now)):
            context.due = await _due(core, context)


def _ready_at(context: Followed, now: int) -> int:
    """When the reasons at hand want a round."""
    if not context.reasons:
        return NEVER
    if context.reasons <= PATIENT:
        return context.not_before
    return now


def _soon(context: Followed) -> int:
    """When a heartbeat is due out of turn: one that was postponed, or one after a burst of concurrent writes."""
    allowed = context.heartbeat_at + gossip.HEARTBEAT_GAP
    postponed = allowed if context.beat_soon else NEVER
    return min(postponed, max(allowed, context.quiet_at)) if context.quiet_at else postponed


async def _heartbeat(core: Core, context: Followed) -> None:
    try:
        await gossip.heartbeat(core, context)
    except CalimeroError as error:
        core.tell("context", "heartbeat failed", context, reason=str(error))


async def _due(core: Core, context: Followed) -> int:
    """Run a round; when the next one is due without a new reason."""
    if context.fetching is not None and not context.fetching.done and context.reasons <= PATIENT:
        await _ended(context.fetching)
    settled = await round_(core, context)
    if settled and not context.heads.missing and not context.sealed and context.initialised:
        context.retry, context.not_before = 0, 0
        return core.kernel.now + core.settings.interval + core.rng.randrange(core.settings.jitter)
    context.not_before = core.kernel.now + _pause(core, context)
    context.retry += 1
    return context.not_before


def _pause(core: Core, context: Followed) -> int:
    pause = min(MAX_RETRY, FIRST_RETRY << min(context.retry, 10))
    return pause // 2 + core.rng.randrange(pause // 2)


async def round_(core: Core, context: Followed) -> bool:
    """Sessions with every peer that has a reason, or with others until one settles; True if one did."""
    context.in_round = True
    try:
        return await _sessions(core, context)
    finally:
        context.in_round = False
        context.round_ended()


async def _sessions(core: Core, context: Followed) -> bool:
    reasons, context.reasons = context.reasons, set()
    wanted, context.preferred = context.preferred, {}
    settled = False
    for peer, reason in wanted.items():
        settled = (await one(core, context, peer, reason)).settled or settled
    if settled and not context.heads.missing:
        return True
    reason = ", ".join(sorted(reasons)) or "periodic"
    for peer in core.peers.candidates(context.id, core.kernel.now)[:PEERS_PER_ROUND]:
        if peer not in wanted and (await one(core, context, peer, reason)).settled and not context.heads.missing:
            return True
    return settled


async def one(core: Core, context: Followed, peer: str, reason: str) -> Report:
    """One session under its deadline, and what the books say about it afterwards."""
    context.generation += 1
    report = Report(peer, reason, core.kernel.now, context.generation)
    core.tell("sync", "started", context, peer=peer, reason=reason, generation=report.generation)
    task = core.kernel.spawn(session.run(core, context, report), f"session {context.generation}")
    context.session = task
    core.kernel.at(core.kernel.now + core.settings.session, lambda: core.kernel.cancel(task))
    if not context.initialised:
        patience = IMPATIENCE << min(core.peers.standing(context.id, peer).failures, 7)
        core.kernel.at(core.kernel.now + patience, lambda: _move_on(core, context, task, report))
    await _ended(task)
    _book(core, context, report)
    return report


def _move_on(core: Core, context: Followed, task: Task[None], report: Report) -> None:
    """End a session whose peer said nothing yet, when another one may have a state for us."""
    if task.done or report.met or context.initialised:
        return
    if len(core.peers.candidates(context.id, core.kernel.now)) > 1:
        report.detail = "it said nothing in time; the next peer is asked"
        core.kernel.cancel(task)


async def _ended(task: Task[None]) -> None:
    try:
        await Join(task)
    except CalimeroError:
        return  # cancelled at its deadline: the report says "interrupted"
    except Cancelled:
        task.script.close()
        raise


def _book(core: Core, context: Followed, report: Report) -> None:
    context.last_sync = core.kernel.now
    answer = f"{report.outcome}: {report.detail}" if report.detail else report.outcome
    if report.outcome in ("failed", "interrupted"):
        core.peers.failed(context.id, report.peer, core.kernel.now, answer)
    else:
        core.peers.succeeded(context.id, report.peer, core.kernel.now, answer)
    core.tell("sync", "ended", context, **report.fields())
    core.history.appendleft((context.id, report))
    if report.outcome == "ahead":
        context.beat_soon = True  # the peer learns from our heads that it is behind
