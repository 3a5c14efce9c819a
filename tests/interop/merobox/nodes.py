"""Nodes that are connected to the first of them, the coordinator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from calimero_tui import launch
from tests.workers.server.real import node

__all__ = ["nodes"]


@contextmanager
def nodes(folder: Path, count: int) -> Iterator[list[str]]:
    """The addresses of ``count`` running nodes."""
    home = folder / "node1"
    with ExitStack() as stack:
        clients = [stack.enter_context(node(home))]
        status = launch.node_status(home)
        peer = clients[0].get("/calimero/v1/peers").json()["data"]["peer"]
        for number in range(2, count + 1):
            other = stack.enter_context(node(folder / f"node{number}", status["registry"][0]))
            dialled = other.post("/calimero/v1/peers", json={"address": f"{status['swarm'][0]}/p2p/{peer}"})
            assert dialled.status_code == 200, dialled.text
            clients.append(other)
        yield [str(client.base_url).rstrip("/") for client in clients]
