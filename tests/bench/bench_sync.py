"""Sync between real nodes on loopback: writes around a join, a node that was away, and a partition that heals.

The nodes have no server; the test process asks their owners directly, so no HTTP is in the figures.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

from tests.workers.sync.nodes import Node, cluster, converged, until

JOINS = 5
AWAY = 2000
KEYS = 100
APART = 300


def run() -> Iterator[dict[str, object]]:
    """The cases one after the other, each on nodes of its own."""
    for case in (_joins, _away, _apart):
        yield asyncio.run(_with_nodes(case))


async def _with_nodes(case: Callable[[list[Node]], Awaitable[dict[str, object]]]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        async with cluster(Path(folder), 3) as nodes:
            return await case(nodes)


async def _joins(nodes: list[Node]) -> dict[str, object]:
    """The joiner's first write reaches both old members, and a write right after a join reaches the joiner."""
    first, second, third = nodes
    application = await first.install()
    reached: list[float] = []
    for number in range(JOINS):
        await first.create(application)
        await first.invite(second)
        await until(lambda: converged([first, second]), 10)
        await first.invite(third)
        await first.set(f"greeting{number}", "welcome")
        await until(lambda: converged(nodes), 10)
        await third.set(f"first{number}", "words")
        reached.append(await until(lambda: converged(nodes), 10) * 1000)
    return {"case": "first write after a join", "joins": JOINS, **_spread(reached)}


async def _share(nodes: list[Node]) -> None:
    await nodes[0].create(await nodes[0].install())
    for other in nodes[1:]:
        await nodes[0].invite(other)
    await until(lambda: converged(nodes), 10)


async def _away(nodes: list[Node]) -> dict[str, object]:
    """A node is down during many deltas and comes back."""
    await _share(nodes)
    first, _, third = nodes
    await third.stop()
    began = time.monotonic()
    for number in range(AWAY):
        await first.set(f"key{number % KEYS}", f"value{number}")
    wrote = time.monotonic() - began
    await third.start()
    for other in nodes[:2]:
        await third.dial(other)
    took = await until(lambda: converged(nodes), 300)
    return {
        "case": "away during deltas",
        "deltas": AWAY,
        "writes_per_second": AWAY / wrote,
        "caught_up_s": took,
        "deltas_per_second": AWAY / took,
    }


async def _apart(nodes: list[Node]) -> dict[str, object]:
    """Two nodes write without hearing of each other, then meet."""
    await _share(nodes)
    first, second, _ = nodes
    await second.workers["network"].stop()
    for number in range(APART):
        await first.set(f"key{number % KEYS}", f"left{number}")
        await second.set(f"key{number % KEYS}", f"right{number}")
    await second.stop()
    await second.start()
    for other in (nodes[0], nodes[2]):
        await second.dial(other)
    took = await until(lambda: converged(nodes), 120)
    return {"case": "partition heals", "writes_each_side": APART, "keys": KEYS, "healed_s": took}


def _spread(values: list[float]) -> dict[str, object]:
    ordered = sorted(values)
    return {"p50_ms": statistics.median(ordered), "worst_ms": ordered[-1]}
