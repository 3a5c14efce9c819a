"""From a call on one node to its event on another node's WebSocket, over HTTP on whole nodes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from calimero_tui.bundled import demo_app
from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.demo import network, story
from tests.acceptance.figures import Row, Scenario, spread, verdict

LIMITS_MS: Final = {2: 20.0, 3: 30.0, 10: 200.0}
"""Median, by number of nodes."""

CALLS: Final = 60
WARM: Final = 10
"""Calls before the measured ones: the first ones load modules and open streams."""


def scenario(count: int, calls: int, short: int) -> Scenario:
    """The scenario of so many nodes; its size counts the measured calls."""
    limit = LIMITS_MS[count]

    async def run(home: Path, size: int) -> Row:
        first, every = await _measure(home, count, size)
        figures: Row = {"nodes": count, "calls": size, **spread("event", every), **spread("last_node", first)}
        return verdict(figures, [("event_p50_ms", limit)])

    return Scenario(
        f"events{count}", f"call to event on another of {count} nodes: p50 {limit:.0f} ms", run, calls, short
    )


async def _measure(home: Path, count: int, calls: int) -> tuple[list[float], list[float]]:
    """Seconds to the last node of each call, and to every node."""
    async with AsyncExitStack() as stack:
        running = await network.Network.start(count, home)
        stack.push_async_callback(running.stop)
        nodes = [Node(await stack.enter_async_context(Http(url))) for url in running.urls]
        members = await story.form(nodes, demo_app(), _quiet)
        context = (await nodes[0].contexts())[0].id
        await _until_ready(nodes, context)
        listeners = [story.Listener(member, context) for member in members]
        tasks = [asyncio.create_task(listener.listen()) for listener in listeners]
        try:
            await asyncio.gather(*(listener.ready.wait() for listener in listeners))
            await _calls(members, context, listeners, WARM)
            every = await _calls(members, context, listeners, calls)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    return [max(times) for times in every], [seconds for times in every for seconds in times]


async def _until_ready(nodes: Sequence[Node], context: str) -> None:
    async with asyncio.timeout(120):
        for node in nodes:
            while not (await node.context(context)).initialised:  # noqa: ASYNC110 - happens in other processes
                await asyncio.sleep(0.05)


async def _calls(
    members: Sequence[story.Member], context: str, listeners: Sequence[story.Listener], count: int
) -> list[list[float]]:
    """One call after the other, each from the next node; the seconds until each other node reports its event."""
    found = []
    for number in range(count):
        member, key = members[number % len(members)], f"key {number} of {count}"
        others = [listener for listener in listeners if listener.member is not member]
        began = time.monotonic()
        call = asyncio.create_task(member.node.call(context, "set", {"key": key, "value": "x"}, member.identity))
        arrived = await asyncio.gather(*(listener.arrival(key) for listener in others))
        await call
        found.append([float("inf") if at is None else at - began for at in arrived])
    return found


_quiet: Callable[[str], None] = lambda _: None  # noqa: E731 - nobody follows the steps

SCENARIOS: Final = (scenario(2, CALLS, 20), scenario(3, CALLS, 10), scenario(10, CALLS, 5))
