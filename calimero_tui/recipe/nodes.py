"""The nodes of a recipe while it runs: those that it names, or a network of its own that ends with it."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.recipe.model import Recipe


@asynccontextmanager
async def nodes_of(recipe: Recipe, keep: Path | None, report: Callable[[str], None]) -> AsyncIterator[dict[str, Node]]:
    """Nodes by name, each of which has answered. Raises :class:`~node.errors.Unreachable`."""
    async with AsyncExitStack() as stack:
        urls = dict(recipe.urls) or await _started(recipe, keep, report, stack)
        nodes = {name: Node(await stack.enter_async_context(Http(url))) for name, url in urls.items()}
        for node in nodes.values():
            await node.health()
        yield nodes


async def _started(
    recipe: Recipe, keep: Path | None, report: Callable[[str], None], stack: AsyncExitStack
) -> dict[str, str]:
    from calimero_tui.demo.network import Network

    home = keep or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="calimero-recipe-")))
    network = await Network.start(recipe.count, home, report=report)
    stack.push_async_callback(network.stop)
    return dict(zip(recipe.nodes, network.urls, strict=True))
