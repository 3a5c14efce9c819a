"""DagStore: inserts per second by order of arrival and length, restore, and a walk of the history.

Counted in seconds of this process's own CPU time, since the graph neither waits nor is waited for: on a machine that is
busy with other work the clock on the wall would measure that work.
"""

from __future__ import annotations

import gc
import hashlib
import random
import time
from collections.abc import Callable, Iterator

from node.dag.delta import CausalDelta, Link
from node.dag.history import between
from node.dag.store import DagStore
from node.primitives import GENESIS, DeltaId

SMALL = 10_000
LARGE = 1_000_000
ROUNDS = 5


def chain(count: int) -> list[CausalDelta]:
    ids = [GENESIS, *(DeltaId(hashlib.sha256(n.to_bytes(8, "big")).digest()) for n in range(count))]
    return [CausalDelta(ids[n], (ids[n - 1],)) for n in range(1, count + 1)]


def wide(count: int, writers: int = 4) -> list[CausalDelta]:
    """Writers that fork from and merge each other's heads, as concurrent nodes do."""
    rng, heads, made = random.Random(1), [GENESIS], []
    for n in range(count):
        delta_id = DeltaId(hashlib.sha256(n.to_bytes(8, "big")).digest())
        parents = tuple(rng.sample(heads, min(len(heads), 1 + (n % 3 == 0)))) if GENESIS not in heads else (GENESIS,)
        made.append(CausalDelta(delta_id, parents))
        heads = [head for head in heads if head not in parents or (len(heads) < writers and head != GENESIS)]
        heads.append(delta_id)
    return made


ORDERS: dict[str, Callable[[list[CausalDelta]], list[CausalDelta]]] = {
    "in order": list,
    "reversed": lambda deltas: deltas[::-1],
    "shuffled": lambda deltas: random.Random(1).sample(deltas, len(deltas)),
}


def _seconds(feed: list[CausalDelta]) -> float:
    dag: DagStore[CausalDelta] = DagStore(_nothing, pending_limit=len(feed))
    add = dag.add
    started = time.process_time()
    for delta in feed:
        add(delta)
    taken = time.process_time() - started
    if dag.pending_count or len(dag) != len(feed):
        raise AssertionError("not every delta was applied")
    return taken


def _nothing(delta: CausalDelta) -> None:
    """The applier costs nothing here: the graph alone is measured."""


def run() -> Iterator[dict[str, object]]:
    small = chain(SMALL)
    rates: dict[str, float] = {}
    for name, order in ORDERS.items():
        feed = order(small)
        rates[name] = SMALL / min(_seconds(feed) for _ in range(ROUNDS))
        yield {"name": f"insert {SMALL} {name}", "value": round(rates[name]), "unit": "deltas/s"}
    feed = ORDERS["shuffled"](wide(SMALL))
    best = SMALL / min(_seconds(feed) for _ in range(ROUNDS))
    yield {"name": f"insert {SMALL} forked and merged, shuffled", "value": round(best), "unit": "deltas/s"}
    large = chain(LARGE)
    for name, order in ORDERS.items():
        taken = _seconds(order(large))
        gc.collect()
        yield {"name": f"insert {LARGE} {name}", "value": round(LARGE / taken), "unit": "deltas/s"}
        growth = taken / LARGE * rates[name]
        yield {"name": f"time per delta at {LARGE} to {SMALL}, {name}", "value": round(growth, 2), "unit": "times"}
    yield from _whole(large)


def _whole(large: list[CausalDelta]) -> Iterator[dict[str, object]]:
    links = [Link(delta.id, delta.parents) for delta in ORDERS["shuffled"](large)]
    dag: DagStore[CausalDelta] = DagStore(_nothing)
    started = time.process_time()
    dag.restore(links)
    yield {"name": f"restore {LARGE}", "value": round(LARGE / (time.process_time() - started)), "unit": "deltas/s"}
    started = time.process_time()
    count = len(between(dag, [large[LARGE // 2].id], dag.heads))
    yield {"name": "what a peer lacks", "value": round(count / (time.process_time() - started)), "unit": "deltas/s"}
