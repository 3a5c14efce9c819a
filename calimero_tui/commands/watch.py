"""``calimero watch``: the events of contexts as they happen, as lines or as JSON."""

from __future__ import annotations

import argparse

from calimero_tui.commands.surface import Surface


def options(command: argparse.ArgumentParser) -> None:
    from calimero_tui.cli import add_node_options

    command.add_argument("context", metavar="CONTEXT", nargs="?", help="id or its beginning (default: all of the node)")
    command.add_argument("--count", type=int, metavar="N", help="stop after N events")
    command.add_argument("--seconds", type=float, metavar="S", help="stop after S seconds")
    add_node_options(command)


def run(options: argparse.Namespace) -> int:
    import asyncio

    return asyncio.run(_watch(options))


async def _watch(options: argparse.Namespace) -> int:
    from calimero_tui.actions.base import Session
    from calimero_tui.client.http import Http
    from calimero_tui.client.node import Node
    from calimero_tui.repl.following import follow, followed, shown

    async with Http(options.node) as http:
        ids = await followed(Session(Node(http)), options.context)
    await follow(options.node, ids, shown(as_json=options.json), count=options.count, seconds=options.seconds)
    return 0


SURFACE = Surface("watch", "Show the events of contexts as they happen", "calimero watch --count 3", options, run)
