"""The explanation of a node in words: with whom a context agrees, what waits, what comes next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from calimero_tui.tui.model.text import clean, compact, duration, short

SHOWN: Final = 20
"""Waiting deltas that are written out; the number of all of them is told."""

Line = tuple[str, str]


def explain(why: Mapping[str, Any]) -> list[Line]:
    """Lines as (text, tone)."""
    converged = bool(why.get("converged"))
    verdict = ("● converged: every peer that answered has our root", "good")
    lines: list[Line] = [verdict if converged else ("◐ not known to be converged", "warn")]
    lines.append((f"root {why.get('root')}", ""))
    lines += [_peer(peer) for peer in _rows(why, "peers")]
    if isinstance(why.get("difference"), Mapping):
        lines += _difference(why["difference"])
    lines += _waiting(why)
    lines += [
        (f"sealed: delta {short(str(row.get('delta')), 12)} waits for its key", "warn") for row in _rows(why, "sealed")
    ]
    if isinstance(why.get("next"), Mapping):
        lines.append((_next(why["next"]), "dim"))
    return lines


def _rows(why: Mapping[str, Any], key: str) -> Sequence[Mapping[str, Any]]:
    found = why.get(key)
    return [row for row in found if isinstance(row, Mapping)] if isinstance(found, list) else []


def _peer(row: Mapping[str, Any]) -> Line:
    name = f"peer …{str(row.get('peer'))[-8:]}"
    if not row.get("online"):
        return f"{name}: not subscribed to the context", "dim"
    if row.get("root") is None:
        return f"{name}: has not told its root yet", "warn"
    if row.get("equal_since"):
        return f"{name}: same root", "good"
    failed = f", {row['failures']} failures" if row.get("failures") else ""
    return (
        f"{name}: other root {short(str(row['root']), 12)}, last session {row.get('last_session') or 'none'}{failed}",
        "warn",
    )


def _difference(row: Mapping[str, Any]) -> Iterator[Line]:
    """Where the states part: the subtree, and what both sides have of its entries."""
    name = f"…{str(row.get('peer'))[-8:]}"
    if row.get("error"):
        yield f"difference to {name}: {clean(str(row['error']))}", "warn"
        return
    path = row.get("path") or ()
    if not path:
        yield f"difference to {name}: none any more", "good"
        return
    yield f"difference to {name}: {row.get('differing')} entries below {short(str(path[-1]), 12)}", "warn"
    for entry in _rows(row, "entries")[:SHOWN]:
        deltas = ", ".join(short(str(delta), 12) for delta in entry.get("deltas") or ()) or "no delta of ours"
        sides = f"here {_side(entry.get('ours'))}, there {_side(entry.get('theirs'))}"
        yield f"  {short(str(entry.get('id')), 12)}: {sides}; behind it: {deltas}", "warn"


def _side(side: object) -> str:
    if not isinstance(side, Mapping):
        return "never"
    return "removed" if side.get("deleted_at") else f"{side.get('bytes') or 0} B at {side.get('updated_at')}"


def _waiting(why: Mapping[str, Any]) -> Iterator[Line]:
    waiting = _rows(why, "waiting")
    pending = why.get("pending") or 0
    yield f"pending deltas: {pending}", "warn" if pending else ""
    for row in waiting[:SHOWN]:
        span = duration(float(row.get("for") or 0))
        error = f": {clean(str(row['error']))}" if row.get("error") else ""
        yield (
            f"  {short(str(row.get('delta')), 12)} waits for {compact(row.get('waits_for'))} since {span}{error}",
            "warn",
        )


def _next(row: Mapping[str, Any]) -> str:
    if row.get("in_session"):
        return "a sync session is running"
    reasons = ", ".join(map(str, row.get("reasons") or ())) or "the interval"
    return f"next sync in {duration(float(row.get('in') or 0))} ({reasons})"
