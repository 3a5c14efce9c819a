"""What every scenario does with its nodes: share a context, write a lot, wait until they are equal."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

from tests.workers.sync.nodes import Node, converged, until

LANES: Final = 8
"""Calls that a node is given at once, so that its work and not the round trip of a call bounds the writing."""

PATIENCE: Final = 900.0
"""Seconds until a scenario gives up: far above every limit: a slow run has a figure, a stuck one none."""


async def share(nodes: Sequence[Node]) -> None:
    """A context of the key-value application on all nodes."""
    await nodes[0].create(await nodes[0].install())
    for other in nodes[1:]:
        await nodes[0].invite(other)
    await equal(nodes)


async def equal(nodes: Sequence[Node]) -> float:
    """Wait until all roots agree; the seconds that it took."""
    return await until(lambda: converged(list(nodes)), PATIENCE)


async def write(node: Node, count: int, keys: int, mark: str) -> None:
    """So many calls of one node over so many keys, a few at a time."""
    numbers = iter(range(count))

    async def lane() -> None:
        for number in numbers:
            await node.set(f"key{number % keys}", f"{mark}{number}")

    await asyncio.gather(*(lane() for _ in range(LANES)))
