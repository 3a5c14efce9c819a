"""From a call on one node to its event on another node's WebSocket: whole nodes, over HTTP, on loopback."""

from __future__ import annotations

from collections.abc import Iterator

from tests.acceptance import events
from tests.acceptance.__main__ import measure


def run() -> Iterator[dict[str, object]]:
    """One row for each number of nodes; ten nodes are sixty processes."""
    for scenario in events.SCENARIOS:
        yield measure(scenario, scenario.full)
