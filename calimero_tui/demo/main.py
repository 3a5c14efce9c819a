"""The demo from start to exit code: a network, the story on it, and what the user sees."""

from __future__ import annotations

import asyncio
import json
import signal
import tempfile
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from calimero_tui.bundled import demo_app
from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.demo import story
from calimero_tui.demo.network import Network
from calimero_tui.output import show
from calimero_tui.output.exits import FAILED, INTERRUPTED
from node.errors import Refused

MARKER: Final = "demo.json"
"""What a kept demo remembers: the number of nodes and the context."""

MAX_NODES: Final = 9
"""Nodes of a demo; each is six processes."""


def demo(*, count: int, keep: Path | None, headless: bool, as_json: bool) -> int:
    """Run the demo; the exit code."""
    if not 2 <= count <= MAX_NODES:
        raise Refused(f"--nodes {count}: choose 2 to {MAX_NODES}", kind="argument")
    with tempfile.TemporaryDirectory(prefix="calimero-demo-") as folder:
        home = Path(folder) if keep is None else keep.expanduser().resolve()
        try:
            return asyncio.run(_demo(count, home, headless=headless, as_json=as_json))
        except asyncio.CancelledError:
            show.note("interrupted; every node is stopped")
            return INTERRUPTED


async def _demo(count: int, home: Path, *, headless: bool, as_json: bool) -> int:
    _cancel_on_signals()
    started = time.monotonic()
    async with AsyncExitStack() as stack:
        report = stack.enter_context(show.steps("demo", quiet=as_json))
        context_id = _kept(home, count)
        network = await Network.start(count, home, report=report)
        stack.push_async_callback(network.stop)
        nodes = [Node(await stack.enter_async_context(Http(url))) for url in network.urls]
        outcome = await _play(nodes, context_id, home, report)
        outcome.seconds = time.monotonic() - started
        report.close()
        if not headless:
            return await _dashboard(network, outcome)
        report("stopping the nodes")
    _print(outcome, as_json=as_json)
    return 0 if outcome.converged else FAILED


def _cancel_on_signals() -> None:
    """Ctrl-C and SIGTERM cancel the demo, so that it stops its nodes on every way out."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if task is not None:
            loop.add_signal_handler(number, task.cancel)


async def _play(nodes: list[Node], context_id: str | None, home: Path, report: Callable[[str], None]) -> story.Outcome:
    if context_id is None:
        members = await story.form(nodes, demo_app(), report)
        context_id = (await nodes[0].contexts())[0].id
        (home / MARKER).write_text(json.dumps({"nodes": len(nodes), "context_id": context_id}))
    else:
        members = await story.resume(nodes, context_id, report)
    return await story.run(members, context_id, report)


def _kept(home: Path, count: int) -> str | None:
    """The context of an earlier run in this directory. Raises :class:`Refused` when it does not fit."""
    file = home / MARKER
    if not file.exists():
        if home.exists() and any(home.iterdir()):
            raise Refused(f"{home} is not empty and holds no demo; name an empty or a new directory", kind="argument")
        return None
    try:
        kept = json.loads(file.read_text())
        nodes, context_id = int(kept["nodes"]), str(kept["context_id"])
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(f"{file} is damaged; remove {home} to start over", kind="argument") from error
    if nodes != count:
        raise Refused(f"{home} holds a demo of {nodes} nodes; add --nodes {nodes}", kind="argument")
    return context_id


async def _dashboard(network: Network, outcome: story.Outcome) -> int:
    from calimero_tui.tui.app import dashboard

    await dashboard(network.urls, title=f"calimero demo · {len(network.urls)} nodes")
    return 0 if outcome.converged else FAILED


def _print(outcome: story.Outcome, *, as_json: bool) -> None:
    if as_json:
        show.data(outcome.to_json())
        return
    show.table(
        [{"node": url, "root": root} for url, root in outcome.roots.items()], [("node", "node"), ("root hash", "root")]
    )
    found = outcome.to_json()
    show.line("")
    verdict = "all root hashes agree" if outcome.converged else "THE ROOT HASHES DIFFER"
    show.line(f"{verdict} after {outcome.calls} calls; {outcome.events_received} events received")
    show.line(f"call to event on another node, ms: {found['propagation_ms']}")
    show.line(f"{found['seconds']} s")
