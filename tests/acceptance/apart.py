"""Three nodes, a partition, many writes on each side over the same keys, and how soon all are equal again."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from tests.acceptance.crowd import equal, share, write
from tests.acceptance.figures import Row, Scenario, rank, verdict
from tests.acceptance.lines import alone, remote
from tests.acceptance.proxy import Proxy
from tests.workers.sync.nodes import Node, until

KEYS: Final = 100
WRITES: Final = 1000
"""On each side of the partition."""

APART: Final = float(os.environ.get("ACCEPTANCE_APART_S", "60"))
"""Seconds that a partition lasts at full size; shorter ones are for development."""

SHORT: Final = 1
SHORT_WRITES: Final = 40
LIMIT: Final = 10.0


async def run(home: Path, size: int) -> Row:
    """``size``: rounds. One round alone is the short form: few writes, and a partition as long as they take."""
    writes, apart = (SHORT_WRITES, 0.0) if size == SHORT else (WRITES, APART)
    async with remote(home, 2) as (near, far, proxies):
        await share([*near, far])
        healed = [await _round(near, far, proxies, f"{number}/", writes, apart) for number in range(size)]
    figures: Row = {
        "rounds": size,
        "partition_s": apart,
        "writes_each_side": writes,
        "keys": KEYS,
        "healed_p50_s": rank(healed, 50),
        "healed_p99_s": rank(healed, 99),
        "healed_s": healed,
    }
    return verdict(figures, [("healed_p99_s", LIMIT)])


async def _round(
    near: Sequence[Node], far: Node, proxies: Sequence[Proxy], mark: str, writes: int, apart: float
) -> float:
    """Seconds from the healing until all roots are equal."""
    for proxy in proxies:
        proxy.cut()
    began = time.monotonic()
    await until(lambda: alone(far), 10)
    share_of_each = writes // len(near)
    await asyncio.gather(
        write(far, writes, KEYS, f"{mark}far "),
        *(write(node, share_of_each, KEYS, f"{mark}near {node.number} ") for node in near),
    )
    await equal(near)
    assert await near[0].root() != await far.root(), "the partition parted nobody"
    await asyncio.sleep(max(0.0, began + apart - time.monotonic()))
    assert await alone(far), "the remote node found a way around the proxies"
    for proxy in proxies:
        proxy.heal()
    return round(await equal([*near, far]), 2)


SCENARIO: Final = Scenario(
    "apart", "60 s apart, 1,000 writes on each side over 100 keys: equal 10 s after healing, p99 of 20", run, 20, SHORT
)
