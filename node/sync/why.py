"""Why a context is, or is not, the same everywhere: what waits, for what, who was asked, and who differs since when.

It reads what the scripts noted, asks the owner for what waits, and looks at the tree of one peer whose root is another.
It changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Union

from node.sync.core import Core
from node.sync.difference import look
from node.sync.followed import Asked, Followed
from node.sync.kernel import SECOND, Ask
from node.sync.parted import Difference, Entry, Side
from node.sync.ports import ListPending, Waiting
from node.sync.report import Report

Json = dict[str, "JsonValue"]
JsonValue = Union[str, int, float, bool, None, Sequence["JsonValue"], Mapping[str, "JsonValue"]]  # noqa: UP007

MAX_WAITING: Final = 100
"""Waiting deltas listed; the count names all of them."""


async def explain(core: Core, context: Followed) -> Json:
    """The explanation as JSON values. Times are unix seconds, durations seconds."""
    heads = await core.read_heads(context)
    waiting = await Ask(ListPending(context.id))
    peers = core.peers.of(context.id)
    found = await _difference(core, context)
    return {
        "context": str(context.id),
        "root": str(heads.root),
        "heads": [str(head) for head in heads.heads],
        "converged": _converged(context),
        "peers": [_peer(core, context, peer) for peer in sorted(peers)],
        "difference": None if found is None else _parted(found),
        "pending": heads.pending,
        "waiting": [_waiting(core, context, item) for item in waiting[:MAX_WAITING]],
        "sealed": [
            {"delta": str(delta_id), "author": str(held.delta.author_id), "source": held.source}
            for delta_id, held in list(context.sealed.items())[:MAX_WAITING]
        ],
        "next": _next(core, context),
        "sessions": [_session(report) for of, report in core.history if of == context.id][:10],
        "counters": dict(context.counters.counts),
    }


def _session(report: Report) -> Json:
    return {**report.fields()}


def _converged(context: Followed) -> bool:
    """Every peer that named a root named ours, and nothing waits here."""
    equal = [agreement.equal_since > 0 for agreement in context.agreements.values()]
    return bool(equal) and all(equal) and not context.heads.pending and not context.sealed


def _peer(core: Core, context: Followed, peer: str) -> Json:
    known = core.peers.standing(context.id, peer)
    agreement = context.agreements.get(peer)
    return {
        "peer": peer,
        "online": known.subscribed,
        "members": [str(member) for member in sorted(known.proven)],
        "root": str(agreement.root) if agreement else None,
        "equal_since": agreement.equal_since / SECOND if agreement and agreement.equal_since else None,
        "compared_at": agreement.compared_at / SECOND if agreement else None,
        "last_session": known.answer or None,
        "last_asked": known.asked_at / SECOND if known.asked_at else None,
        "failures": known.failures,
        "paused_for": max(0, known.paused_until - core.kernel.now) / SECOND,
    }


async def _difference(core: Core, context: Followed) -> Difference | None:
    """Of the first peer that is there and named another root; None if there is none, or no state here to compare."""
    if not context.initialised:
        return None
    named = [peer for peer, known in sorted(context.agreements.items()) if not known.equal_since]
    there = [peer for peer in named if core.peers.standing(context.id, peer).subscribed]
    return await look(core, context, there[0]) if there else None


def _parted(found: Difference) -> Json:
    return {
        "peer": found.peer,
        "looked_at": found.looked_at / SECOND,
        "ours": str(found.ours) if found.ours is not None else None,
        "theirs": str(found.theirs) if found.theirs is not None else None,
        "path": [entity.hex() for entity in found.path],
        "differing": found.differing,
        "entries": [_entry(entry) for entry in found.entries],
        "error": found.error or None,
    }


def _entry(entry: Entry) -> Json:
    return {
        "id": entry.id.hex(),
        "ours": _side(entry.ours),
        "theirs": _side(entry.theirs),
        "deltas": [str(delta) for delta in entry.deltas],
    }


def _side(side: Side | None) -> Json | None:
    if side is None:
        return None
    return {
        "updated_at": side.updated_at / SECOND,
        "deleted_at": side.deleted_at / SECOND if side.deleted_at is not None else None,
        "hash": str(side.full_hash),
        "bytes": side.size,
    }


def _waiting(core: Core, context: Followed, item: Waiting) -> Json:
    return {
        "delta": str(item.id),
        "waits_for": item.waits_for,
        "error": item.error or None,
        "for": max(0, core.kernel.now - item.since_ns) / SECOND,
        "missing": [_missing(str(parent), context.trails.get(parent, [])) for parent in item.missing],
    }


def _missing(parent: str, asked: list[Asked]) -> Json:
    return {
        "delta": parent,
        "asked": [{"peer": one.peer, "at": one.at_ns / SECOND, "answer": one.answer} for one in asked],
    }


def _next(core: Core, context: Followed) -> Json:
    return {
        "in_session": context.in_round,
        "reasons": [*sorted(context.reasons)],
        "in": max(0, context.due - core.kernel.now) / SECOND,
        "rounds_without_success": context.retry,
    }
