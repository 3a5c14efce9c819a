"""The tables of the screens: their columns, and their rows from the state of the network."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from calimero_tui.tui.model.columns import Cell, Column, Row
from calimero_tui.tui.model.network import Agreement, Network, Shared, Watched
from calimero_tui.tui.model.snapshot import Details, Part, State
from calimero_tui.tui.model.text import bars, clean, count, rate, size

TONES: Final[Mapping[str, str]] = {
    State.READY: "good", State.CONNECTING: "warn", State.RECONNECTING: "bad",
    Agreement.SAME: "good", Agreement.DIFFERS: "bad", Agreement.FETCHING: "warn", Agreement.ALONE: "",
    "ready": "good", "starting": "warn", "stopping": "warn", "restarting": "warn", "failed": "bad",
    "in sync": "good", "ahead": "good", "unreachable": "bad", "refused": "bad", "error": "bad",
}  # fmt: skip
"""States and outcomes that have a colour. The word is always shown beside it."""

MARKS: Final[Mapping[str, str]] = {"good": "●", "warn": "◐", "bad": "✗", "": "·"}

NODES: Final = (
    Column("node", "node", 6),
    Column("address", "address", 15, 30, rank=1),
    Column("state", "state", 14),
    Column("peers", "peers", 5),
    Column("contexts", "ctx", 3),
    Column("pending", "pend", 4, rank=3),
    Column("workers", "workers", 9, 14),
    Column("rate", "ev/s", 4),
    Column("total", "events", 6, 9, rank=2),
    Column("history", "last 30 s", 30, rank=4),
)


def node_rows(network: Network, now: float) -> list[Row]:
    return [_node(node, now) for node in network.nodes.values()]


def _node(node: Watched, now: float) -> Row:
    last = node.last
    pending = [found for context in last.contexts if (found := node.pending(context.id)) is not None]
    cells = {
        "node": Cell(node.name, "accent"),
        "address": Cell(node.address),
        "state": _toned(last.state),
        "peers": Cell("-" if last.peer_count is None else str(last.peer_count)),
        "contexts": Cell(str(len(last.contexts))),
        "pending": _alarm(sum(pending)) if pending else Cell("-", "dim"),
        "workers": _workers(last.workers),
        "rate": Cell(rate(node.meter.rate(now))),
        "total": Cell(str(node.meter.total)),
        "history": Cell(bars(node.meter.history(now)), "accent"),
    }
    return Row(node.url, cells, node.url)


def _toned(text: str) -> Cell:
    tone = TONES.get(text, "")
    return Cell(f"{MARKS[tone]} {text}", tone)


def _alarm(number: int) -> Cell:
    return Cell(str(number), "warn" if number else "")


def _workers(rows: Sequence[Mapping[str, Any]] | None) -> Cell:
    if rows is None:
        return Cell("-", "dim")
    ready = sum(row.get("state") == "ready" for row in rows)
    restarts = sum(int(row.get("restarts") or 0) for row in rows)
    text = f"{ready}/{len(rows)} ok" if ready == len(rows) else f"{ready}/{len(rows)} !"
    return Cell(text + (f" ↻{restarts}" if restarts else ""), "good" if ready == len(rows) else "bad")


def context_columns(network: Network) -> tuple[Column, ...]:
    """One column a node, so that it is seen who disagrees."""
    roots = tuple(Column(node.url, node.name, 9, 14, rank=1 + node.number) for node in network.nodes.values())
    return (
        Column("context", "context", 9, 44),
        Column("agreement", "roots", 10),
        *(roots if len(roots) > 1 else (Column(next(iter(network.nodes)), "root hash", 9, 44),)),
        Column("heads", "heads", 5, 11),
        Column("pending", "pending", 7, rank=1),
    )


def context_rows(network: Network) -> list[Row]:
    return [_context(network, context) for context in network.contexts()]


def _context(network: Network, context: Shared) -> Row:
    agreement, copies = context.agreement, {node.url: copy for node, copy in context.copies}
    majority = _majority([copy.root_hash for node, copy in context.copies if node.ready])
    cells = {
        "context": Cell(context.id, "accent"),
        "agreement": _toned(agreement),
        "heads": Cell(_heads(context.heads)),
        "pending": Cell("-", "dim") if context.pending is None else _alarm(context.pending),
    }
    for url, node in network.nodes.items():
        copy = copies.get(url)
        if copy is None:
            cells[url] = Cell("-", "dim")
        elif not copy.initialised:
            cells[url] = Cell("fetching", "warn")
        else:
            tone = "dim" if not node.ready else "bad" if copy.root_hash != majority else ""
            cells[url] = Cell(copy.root_hash, tone)
    return Row(context.id, cells, context.id)


def _majority(roots: Sequence[str]) -> str:
    """The root that most nodes have; the first of equals."""
    return max(roots, key=roots.count, default="")


def _heads(heads: Sequence[int]) -> str:
    return str(heads[0]) if len(set(heads)) == 1 else " ".join(map(str, heads))


WORKERS: Final = (
    Column("node", "node", 6),
    Column("name", "worker", 12),
    Column("state", "state", 12),
    Column("pid", "pid", 8, rank=2),
    Column("restarts", "restarts", 8),
    Column("memory", "memory", 9),
    Column("cpu", "cpu s", 8, rank=1),
)


def worker_rows(network: Network) -> list[Row]:
    """Workers of all nodes; those that are not as they should be come first, where they are seen."""
    rows = []
    for node in network.nodes.values():
        if node.last.workers is None:
            why = (
                "not offered" if Part.WORKERS in node.last.gaps else "not read" if node.ready else str(node.last.state)
            )
            cells = {"node": Cell(node.name, "accent"), "name": Cell("-", "dim"), "state": Cell(why, "dim")}
            rows.append((False, Row(node.url, cells)))
        rows += [(_sound(row), _worker(node, row)) for row in node.last.workers or ()]
    return [row for _, row in sorted(rows, key=lambda pair: pair[0])]


def _sound(row: Mapping[str, Any]) -> bool:
    return row.get("state") == "ready" and not row.get("restarts")


def _worker(node: Watched, row: Mapping[str, Any]) -> Row:
    name, restarts = str(row.get("name")), int(row.get("restarts") or 0)
    memory = row.get("memory")
    cells = {
        "node": Cell(node.name, "accent"),
        "name": Cell(clean(name)),
        "state": _toned(str(row.get("state"))),
        "pid": Cell(str(row.get("pid"))),
        "restarts": Cell(str(restarts), "warn" if restarts else ""),
        "memory": Cell(size(memory) if isinstance(memory, int | float) else f"{row.get('memory_mb', '-')} MB"),
        "cpu": Cell(f"{float(row.get('cpu') or 0):.1f}"),
    }
    return Row(f"{node.url} {name}", cells, str(row.get("pid")))


PEERS: Final = (
    Column("peer", "peer", 14, 52),
    Column("connected", "connected", 9),
    Column("latency", "ms", 6),
    Column("received", "received", 9),
    Column("sent", "sent", 9),
    Column("topics", "topics", 6, rank=1),
    Column("streams", "streams", 7, rank=2),
    Column("score", "score", 5, rank=4),
    Column("agent", "agent", 12, 24, rank=3),
)


def peer_rows(node: Watched) -> list[Row]:
    return [_peer(row) for row in node.last.peers or ()]


def _peer(row: Mapping[str, Any]) -> Row:
    peer, connected = str(row.get("peer")), bool(row.get("connected"))
    topics = row.get("topics")
    latency = row.get("latencyMs", row.get("latency_ms"))
    cells = {
        "peer": Cell(peer, "accent"),
        "connected": Cell("● yes" if connected else "✗ no", "good" if connected else "bad"),
        "latency": Cell(f"{latency:.1f}" if isinstance(latency, int | float) and latency else "-"),
        "received": Cell(size(row.get("received") or 0)),
        "sent": Cell(size(row.get("sent") or 0)),
        "topics": Cell(str(len(topics) if isinstance(topics, list) else topics or 0)),
        "streams": Cell(str(row.get("streams") or 0)),
        "score": Cell(str(row.get("score", "-"))),
        "agent": Cell(clean(str(row.get("agent") or "-"))),
    }
    return Row(peer, cells, peer)


SESSIONS: Final = (
    Column("at", "at", 8),
    Column("context", "context", 8, 14),
    Column("peer", "peer", 9),
    Column("strategy", "strategy", 14, 24),
    Column("outcome", "outcome", 13, 30),
    Column("millis", "ms", 6),
    Column("fetched", "deltas", 6, rank=1),
    Column("bytes", "bytes", 9, rank=2),
    Column("reason", "reason", 12, 20, rank=3),
)


def session_rows(node: Watched, clock: Callable[[float], str]) -> list[Row]:
    """Sync sessions of a node, newest first; ``clock`` writes unix seconds as wall time."""
    return [_session(number, row, clock) for number, row in enumerate(node.last.sessions or ())]


def _session(number: int, row: Mapping[str, Any], clock: Callable[[float], str]) -> Row:
    started = row.get("started_ns")
    outcome = clean(str(row.get("outcome") or "running"))
    peer = str(row.get("peer") or "-")
    cells = {
        "at": Cell(clock(started / 1e9) if isinstance(started, int) else "-", "dim"),
        "context": Cell(str(row.get("context") or "-")),
        "peer": Cell(f"…{peer[-8:]}" if len(peer) > 9 else peer),
        "strategy": Cell(clean(str(row.get("strategy") or "-"))),
        "outcome": _toned(outcome) if outcome in TONES else Cell(f"· {outcome}"),
        "millis": Cell(str(row.get("millis", "-"))),
        "fetched": Cell(str(row.get("deltas", "-"))),
        "bytes": Cell(size(row.get("bytes") or 0)),
        "reason": Cell(clean(str(row.get("reason") or "-"))),
    }
    return Row(f"{number}", cells, peer)


MEMBERS: Final = (Column("member", "member", 44), Column("owned", "on this node", 12))


def member_rows(details: Details) -> list[Row]:
    owned = set(details.owned)
    return [
        Row(key, {"member": Cell(key, "accent"), "owned": Cell("yes" if key in owned else "-")}, key)
        for key in details.members
    ]


METHODS: Final = (Column("method", "method", 18, 30), Column("signature", "signature", 50, 120))


def method_rows(details: Details) -> list[Row]:
    return [
        Row(
            str(row.get("name")),
            {
                "method": Cell(clean(str(row.get("name"))), "accent"),
                "signature": Cell(clean(str(row.get("signature") or ""))),
            },
            str(row.get("name")),
        )
        for row in details.methods
    ]


DELTAS: Final = (
    Column("delta", "delta", 12, 44),
    Column("author", "author", 9, 20),
    Column("parents", "parents", 7),
    Column("root", "root", 12, 44, rank=1),
    Column("first", "first parent", 12, 20, rank=2),
)


def delta_rows(details: Details) -> list[Row]:
    """The newest deltas; a merge (several parents) stands out."""
    return [_delta(row) for row in details.deltas]


def _delta(row: Mapping[str, Any]) -> Row:
    parents = [str(parent) for parent in row.get("parents") or ()]
    cells = {
        "delta": Cell(str(row.get("id")), "accent"),
        "author": Cell(str(row.get("author") or "-")),
        "parents": Cell(str(len(parents)), "warn" if len(parents) > 1 else ""),
        "root": Cell(str(row.get("root") or "-")),
        "first": Cell(parents[0] if parents else "-"),
    }
    return Row(str(row.get("id")), cells, str(row.get("id")))


def standing(network: Network) -> tuple[str, str]:
    """The state of everything in a few words, and its tone."""
    nodes = list(network.nodes.values())
    away = [node for node in nodes if not node.ready]
    if away:
        what = "reconnecting" if any(node.last.state is State.RECONNECTING for node in away) else "connecting"
        return f"◐ {what}: {away[0].name if len(away) == 1 else len(away)}", "warn"
    agreements = [context.agreement for context in network.contexts()]
    apart = agreements.count(Agreement.DIFFERS)
    if apart:
        return f"✗ {apart} of {len(agreements)} differ", "bad"
    fetching = agreements.count(Agreement.FETCHING)
    if fetching:
        return f"◐ fetching {fetching}", "warn"
    return f"● {count(len(nodes), 'node')} ready", "good"
