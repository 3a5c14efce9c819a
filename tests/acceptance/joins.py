"""Writes around a join: one made directly after it reaches the joiner, and the joiner's first one every old member."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from node.errors import Uninitialized
from node.primitives import ApplicationId
from tests.acceptance.crowd import PATIENCE, equal
from tests.acceptance.figures import Row, Scenario, spread, verdict
from tests.workers.sync.nodes import Node, cluster, until

LIMIT_MS: Final = 1000.0


async def run(home: Path, size: int) -> Row:
    """``size``: joins, each into a context of its own with two old members.

    One more join comes first and is told by itself: its joiner also fetches the application and compiles it.
    """
    heard: list[float] = []
    answered: list[float] = []
    async with cluster(home, 3) as nodes:
        application = await nodes[0].install()
        first, _ = await _join(nodes, application, -1)
        for number in range(size):
            one, other = await _join(nodes, application, number)
            heard.append(one)
            answered.append(other)
    in_time = sum(max(pair) * 1000 <= LIMIT_MS for pair in zip(heard, answered, strict=True))
    figures: Row = {
        "joins": size,
        "first_to_joiner_ms": round(first * 1000, 1),
        "in_time": in_time,
        **spread("to_joiner", heard),
        **spread("from_joiner", answered),
    }
    return verdict(figures, [("to_joiner_p99_ms", LIMIT_MS), ("from_joiner_p99_ms", LIMIT_MS)])


async def _join(nodes: Sequence[Node], application: ApplicationId, number: int) -> tuple[float, float]:
    """Seconds until the joiner reads a write made right after its join, and the old members the joiner's first."""
    first, second, third = nodes
    await first.create(application)
    await first.invite(second)
    await equal((first, second))
    await first.invite(third)
    began = time.monotonic()
    await first.set("greeting", f"welcome {number}")
    heard, answered = await asyncio.gather(
        _seen(third, "greeting", f"welcome {number}", began), _first_words(third, (first, second), number)
    )
    return heard, answered


async def _first_words(joiner: Node, old: Sequence[Node], number: int) -> float:
    """The joiner writes as soon as it has a state to write on."""
    while True:
        began = time.monotonic()
        try:
            await joiner.set("first", f"words {number}")
            break
        except Uninitialized:
            await asyncio.sleep(0.005)
    return max(await asyncio.gather(*(_seen(node, "first", f"words {number}", began) for node in old)))


async def _seen(node: Node, key: str, value: str, since: float) -> float:
    async def there() -> bool:
        try:
            return bool(await node.call("get", key=key) == value)
        except Uninitialized:
            return False

    await until(there, PATIENCE)
    return time.monotonic() - since


SCENARIO: Final = Scenario(
    "joins", "a write right after a join and the joiner's first arrive within 1 s, 100 of 100", run, 100, 2
)
