"""Sync between real nodes on loopback: the scenarios of ``tests.acceptance`` at a size that takes a minute or two.

The nodes have no server; the test process asks their owners directly, so no HTTP is in the figures.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance import apart, away, joins, tree
from tests.acceptance.__main__ import measure

SIZES = ((joins.SCENARIO, 5), (away.SCENARIO, 2000), (apart.SCENARIO, apart.SHORT), (tree.SCENARIO, 2000))


def run() -> Iterator[dict[str, object]]:
    """One row a scenario, on nodes of its own."""
    for scenario, size in SIZES:
        yield measure(scenario, size)
