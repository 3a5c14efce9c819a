"""A node was down while the others made many deltas, and comes back."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from tests.acceptance.crowd import equal, share, write
from tests.acceptance.figures import Row, Scenario, verdict
from tests.workers.sync.nodes import cluster

KEYS: Final = 100
LIMIT: Final = 60.0


async def run(home: Path, size: int) -> Row:
    """``size``: deltas, half of them from each of the two nodes that stay."""
    async with cluster(home, 3) as nodes:
        await share(nodes)
        *stayed, gone = nodes
        await gone.stop()
        began = time.monotonic()
        await asyncio.gather(*(write(node, size // 2, KEYS, f"from {node.number}: ") for node in stayed))
        await equal(stayed)
        wrote = time.monotonic() - began
        back = time.monotonic()
        await gone.start()
        started = time.monotonic()
        for other in stayed:
            await gone.dial(other)
        await equal(nodes)
        took = time.monotonic() - back
    figures: Row = {
        "deltas": size,
        "keys": KEYS,
        "writes_per_s": round(size / wrote, 1),
        "start_s": round(started - back, 2),
        "caught_up_s": round(took, 2),
        "deltas_per_s": round(size / took, 1),
    }
    return verdict(figures, [("caught_up_s", LIMIT)])


SCENARIO: Final = Scenario(
    "away", "a node that was down during 10,000 deltas over 100 keys catches up in 60 s", run, 10_000, 200
)
