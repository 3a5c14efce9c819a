"""Whole nodes on loopback: create, invite, join, write, restart."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.workers.sync.nodes import Node, cluster, converged, until


async def _joined(nodes: list[Node]) -> None:
    first = nodes[0]
    await first.create(await first.install())
    for other in nodes[1:]:
        await first.invite(other)
    await until(lambda: converged(nodes), 10)


def test_three_nodes_share_a_context_and_every_write(tmp_path: Path) -> None:
    async def body() -> None:
        async with cluster(tmp_path, 3) as nodes:
            await _joined(nodes)
            for number, node in enumerate(nodes * 3):
                await node.set(f"key{number}", f"value{number}")
            await until(lambda: converged(nodes), 10)
            for node in nodes:
                assert await node.call("get", key="key8") == "value8"

    asyncio.run(body())


def test_a_network_worker_that_is_killed_gets_its_topics_back(tmp_path: Path) -> None:
    """The new process knows no topic; without its subscriptions the node would neither hear nor be heard."""

    async def body() -> None:
        async with cluster(tmp_path, 2) as nodes:
            alice, bob = nodes
            await _joined(nodes)
            await bob.kill("network")
            await alice.set("meanwhile", "unheard")
            await bob.revive("network")
            await bob.dial(alice)
            await until(lambda: converged(nodes), 10)
            for node in nodes:
                await node.set(f"after {node.number}", "heard")
            await until(lambda: converged(nodes), 5)
            assert await bob.call("get", key="meanwhile") == "unheard"
            assert await alice.call("get", key="after 2") == "heard"

    asyncio.run(body())
