"""Soak: ``python -m tests.soak [--minutes 30] [--round 60] [--nodes 5] [--seed N] [--calls 5] [--json]``.

Nodes on loopback share one context. The first and the last are never touched, and their memory is watched; the others
are killed, stopped, frozen or lose their network worker at random, and come back. After every round all nodes must
agree and be connected to each other again. One row a round, one at the end; the exit status is 1 when a promise broke.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Final

from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.demo import story
from tests.soak.nodes import Cluster, Disturbance

SETTLE: Final = 45.0
"""Seconds in which all nodes must agree after a round: one back-off at its limit and one sync round."""

GROWTH: Final = 1.15
"""What the memory of an undisturbed node may be at the end, as a multiple of what it was after the warm-up."""

WARM_UP: Final = 5
"""Rounds before memory counts: caches fill."""

WASM: Final = Path(__file__).parents[1] / "apps" / "wasm" / "kv.wasm"


class Soak:
    """One run. ``rows`` are what was seen after every round."""

    def __init__(self, cluster: Cluster, dice: random.Random, length: float, pause: float) -> None:
        self.cluster = cluster
        self.dice = dice
        self._length = length
        self._pause = pause
        self.rows: list[dict[str, object]] = []
        self.calls = self.failed = 0
        self._nodes: list[Node] = []
        self._members: list[str] = []
        self._context = ""

    async def form(self) -> None:
        """Create the context and let every node join."""
        self._nodes = [Node(Http(url)) for url in self.cluster.urls]
        members = await story.form(self._nodes, WASM, lambda _: None)
        self._members = [member.identity for member in members]
        self._context = (await self._nodes[0].contexts())[0].id

    async def close(self) -> None:
        for node in self._nodes:
            await node.close()

    async def round(self, number: int) -> dict[str, object]:
        """Disturb and write for a while, bring everybody back, and look."""
        disturbed: list[str] = []
        async with asyncio.TaskGroup() as tasks:
            writing = tasks.create_task(self._write())
            await self._disturb(disturbed)
            await self.cluster.all_back()
            writing.cancel()
        row = {"round": number, "disturbed": disturbed, **await self._settle(), "calls": self.calls}
        row |= {"calls_refused": self.failed, "rss_mb": self.cluster.memory(), "streams": await self._streams()}
        row["rss_by_worker_mb"] = self.cluster.memory_of(1)
        self.rows.append(row)
        return row

    async def _disturb(self, done: list[str]) -> None:
        end = asyncio.get_running_loop().time() + self._length
        while asyncio.get_running_loop().time() < end:
            number = self.dice.randrange(2, len(self.cluster.urls))
            kind = self.dice.choice(list(Disturbance))
            done.append(f"{kind.value} {number}")
            await self.cluster.disturb(number, kind, away=self.dice.uniform(0.5, 12))
            await asyncio.sleep(self.dice.uniform(0.5, 5))

    async def _write(self) -> None:
        while True:
            number = self.dice.randrange(len(self._members))
            args = {"key": f"key-{self.dice.randrange(60)}", "value": f"{self.calls}"}
            try:
                async with asyncio.timeout(5):
                    await self._nodes[number].call(self._context, "set", args, self._members[number])
                self.calls += 1
            except Exception:  # noqa: BLE001 - a node that is down refuses in many ways, all of them expected
                self.failed += 1
            await asyncio.sleep(self._pause)

    async def _settle(self) -> dict[str, object]:
        """Wait until all nodes agree and see each other."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        state: dict[str, object] = {}
        while loop.time() - start < SETTLE:
            states = await asyncio.gather(*map(self._state, self._nodes))
            state = {"roots": len({root for root, _ in states}), "peers": [peers for _, peers in states]}
            if state["roots"] == 1 and min(state["peers"]) >= len(states) - 1:  # type: ignore[call-overload]
                return {"settled_s": round(loop.time() - start, 1), **state}
            await asyncio.sleep(0.5)
        return {"settled_s": None, **state}

    async def _state(self, node: Node) -> tuple[str, int]:
        try:
            async with asyncio.timeout(5):
                return (await node.context(self._context)).root_hash, await node.peer_count()
        except Exception as error:  # noqa: BLE001 - a node that does not answer is the finding
            return f"{node.url}: {error!r}", 0

    async def _streams(self) -> list[int]:
        """Application streams that are open at the undisturbed first node, by peer."""
        return [row["streams"] for row in await self._nodes[0].inspection.peers()]

    def verdict(self) -> dict[str, object]:
        """The figures of the whole run."""
        settled = [row["settled_s"] for row in self.rows]
        first, last = self._memory(self.rows[WARM_UP : WARM_UP + 5]), self._memory(self.rows[-5:])
        stuck = settled.count(None)
        flat = len(self.rows) < WARM_UP + 10 or all(b <= a * GROWTH for a, b in zip(first, last, strict=True))
        times = [each for each in settled if isinstance(each, float)]
        return {
            "rounds": len(self.rows), "disturbances": self.cluster.disturbances, "calls": self.calls,
            "stuck_rounds": stuck, "settled_median_s": statistics.median(times) if times else None,
            "settled_max_s": max(times, default=None), "rss_after_warm_up_mb": first, "rss_at_end_mb": last,
            "holds": stuck == 0 and flat,
        }  # fmt: skip

    def _memory(self, rows: list[dict[str, object]]) -> list[float]:
        """Median memory of the undisturbed nodes."""
        samples = [row["rss_mb"] for row in rows]
        return [round(statistics.median(s[i] for s in samples), 1) for i in (0, -1)] if samples else []  # type: ignore[index]


async def main(options: argparse.Namespace) -> int:
    def show(row: dict[str, object]) -> None:
        text = json.dumps(row) if options.json else "  ".join(f"{key}={value}" for key, value in row.items())
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    with tempfile.TemporaryDirectory(prefix="soak-") as home:
        cluster = await Cluster.start(options.nodes, Path(home))
        soak = Soak(cluster, random.Random(options.seed), options.round, 1 / options.calls)
        try:
            await soak.form()
            end = asyncio.get_running_loop().time() + options.minutes * 60
            while asyncio.get_running_loop().time() < end:
                show(await soak.round(len(soak.rows) + 1))
            verdict = soak.verdict()
            show(verdict)
            return 0 if verdict["holds"] else 1
        finally:
            await soak.close()
            await cluster.stop()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--round", type=float, default=60, help="seconds of disturbance between two looks at the whole")
    parser.add_argument("--calls", type=float, default=5, help="attempted calls a second")
    parser.add_argument("--nodes", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(arguments())))
