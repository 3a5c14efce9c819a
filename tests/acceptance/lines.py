"""Nodes whose only connections run through proxies of the test."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import msgspec

from node.config.model import Swarm
from tests.acceptance.proxy import Proxy
from tests.workers.sync.nodes import Coordinator, Node, cluster, config_of
from workers.messages import network as n
from workers.network import address


@asynccontextmanager
async def remote(home: Path, near: int) -> AsyncIterator[tuple[list[Node], Node, list[Proxy]]]:
    """Some nodes that know each other, and one that reaches each of them through a proxy only.

    The remote node listens nowhere, so nobody can dial it. It dials a name instead of a loopback address, so it does
    not take the loopback addresses that its peers tell of themselves for dialable.
    """
    registry = Coordinator(home / "registry")
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(cluster(home, near, registry))
        proxies = [await stack.enter_async_context(Proxy(*_where(node))) for node in nodes]
        relayer = nodes[0].config.context.config.signer.relayer.url
        config = msgspec.structs.replace(config_of(near + 1, relayer), swarm=Swarm(listen=()))
        far = Node(near + 1, home / "far", config)
        await far.start()
        stack.push_async_callback(far.stop)
        await dial(far, nodes, proxies)
        yield nodes, far, proxies


async def dial(far: Node, nodes: Sequence[Node], proxies: Sequence[Proxy]) -> None:
    """Connect the remote node to the others, each through its proxy."""
    for node, proxy in zip(nodes, proxies, strict=True):
        await far.ask("network", n.Dial(f"/dns4/localhost/tcp/{proxy.port}/p2p/{node.peer}"))


async def alone(node: Node) -> bool:
    """Whether the node is connected to nobody."""
    return not any(peer.connected for peer in (await node.ask("network", n.ListPeers())).peers)


def _where(node: Node) -> tuple[str, int]:
    where = address.parse(node.listen[0])
    return where.host, where.port
