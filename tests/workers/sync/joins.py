"""Joins under bad conditions: ``python -m tests.workers.sync.joins [--trials N] [--case NAME ...]``.

Each trial makes a context on the first of two nodes and joins it on the second while something goes wrong. It ends well
in a correct member, whose writes arrive and whose root is that of the other, or in a clean refusal, after which nothing
of the context is on the joining node, the identity is still in its pool, and the same invitation works. One JSON object
a trial, one a case at the end; the status says whether all were well.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from node.errors import CalimeroError
from node.primitives import ApplicationId, ContextId, PublicKey
from tests.workers.sync.nodes import Coordinator, Node, cluster, converged, until
from workers.messages import runtime as r
from workers.messages import sync as s

TRIALS: Final = 50
DELTAS: Final = 1000
MOMENT: Final = 0.15
"""Seconds after its start within which a join is disturbed; an undisturbed one takes about a tenth."""

PATIENCE: Final = 60.0
"""Seconds for what must happen in the end, on a busy machine."""


class Scene:
    """Two nodes and their registry, through all trials of a case."""

    def __init__(self, nodes: list[Node], registry: Coordinator, rng: random.Random) -> None:
        self.alice, self.bob = nodes
        self.nodes = nodes
        self.registry = registry
        self.rng = rng
        self.deltas = DELTAS
        self.application: ApplicationId

    async def invite(self) -> tuple[str, PublicKey]:
        """A new context of the first node, and an invitation to it for the second."""
        await self.alice.create(self.application)
        await self.alice.set("before", "the join")
        invitee = await self.bob.identity()
        answer = await self.alice.ask("sync", s.InviteMember(self.alice.context, self.alice.member, invitee))
        assert answer.payload is not None
        return answer.payload, invitee

    async def moment(self) -> None:
        await asyncio.sleep(self.rng.uniform(0, MOMENT))


async def registry_restart(scene: Scene, joining: asyncio.Task[s.ContextCreated]) -> None:
    """The registry stops and comes back with what it had."""
    await scene.moment()
    await scene.registry.stop()
    await scene.registry.start()


async def coordinator_kill(scene: Scene, joining: asyncio.Task[s.ContextCreated]) -> None:
    """Every process of the first node and its registry are killed, and started again."""
    await scene.moment()
    await asyncio.gather(scene.registry.kill(), *(scene.alice.kill(role) for role in ("sync", "runtime[0]", "network")))
    await scene.registry.start()
    for role in ("runtime[0]", "network", "sync"):
        await scene.alice.revive(role)
    await scene.bob.dial(scene.alice)


async def deltas_arrive(scene: Scene, joining: asyncio.Task[s.ContextCreated]) -> None:
    """The first node writes all the while."""
    for number in range(scene.deltas):
        await scene.alice.set(f"key{number % 100}", str(number))


Disturbance = Callable[[Scene, "asyncio.Task[s.ContextCreated]"], Awaitable[None]]
CASES: Final[dict[str, Disturbance]] = {
    "registry restart": registry_restart,
    "coordinator kill": coordinator_kill,
    "join under deltas": deltas_arrive,
}


@asynccontextmanager
async def scene(folder: Path, seed: int = 0) -> AsyncIterator[Scene]:
    registry = Coordinator(folder / "registry")
    async with cluster(folder, 2, registry) as nodes:
        found = Scene(nodes, registry, random.Random(seed))
        found.application = await found.alice.install()
        yield found


async def trial(scene: Scene, disturb: Disturbance) -> dict[str, object]:
    """``outcome`` is ``member`` or ``refused``.

    Raises :class:`AssertionError`, :class:`TimeoutError` or :class:`CalimeroError` for a bad end.
    """
    payload, invitee = await scene.invite()
    began = time.monotonic()
    joining = asyncio.create_task(scene.bob.ask("sync", s.JoinContext(payload)))
    await disturb(scene, joining)
    found: dict[str, object] = {"outcome": "member"}
    try:
        joined = await joining
    except CalimeroError as error:
        await _nothing_is_left(scene.bob, scene.alice.context, invitee)
        found = {"outcome": "refused", "reason": f"{type(error).__name__}: {error}"}
        joined = await scene.bob.ask("sync", s.JoinContext(payload))
    assert (joined.context_id, joined.member) == (scene.alice.context, invitee)
    scene.bob.context, scene.bob.member = joined.context_id, joined.member
    await _is_member(scene)
    return {**found, "seconds": round(time.monotonic() - began, 2)}


async def _nothing_is_left(node: Node, context_id: ContextId, invitee: PublicKey) -> None:
    listed = (await node.ask("runtime[0]", r.ListContexts())).contexts
    assert context_id not in [record.id for record in listed]
    assert invitee in (await node.ask("runtime[0]", r.ListIdentities())).public_keys


async def _is_member(scene: Scene) -> None:
    """State came, and writes go both ways."""
    await until(lambda: converged(scene.nodes), PATIENCE)
    await scene.bob.set("from", "bob")
    await scene.alice.set("from alice", "too")
    await until(lambda: converged(scene.nodes), PATIENCE)
    for node, key, value in ((scene.alice, "from", "bob"), (scene.bob, "from alice", "too")):
        assert await node.call("get", key=key) == value


async def trials(name: str, count: int) -> AsyncIterator[dict[str, object]]:
    """Rows of one case; nodes are made anew after a bad end."""
    number = 0
    while number < count:
        with tempfile.TemporaryDirectory() as folder:
            async with scene(Path(folder), number) as running:
                while number < count:
                    row = await _row(running, CASES[name])
                    yield {"case": name, "trial": number, **row}
                    number += 1
                    if row["outcome"] == "wrong":
                        break


async def _row(running: Scene, disturb: Disturbance) -> dict[str, object]:
    try:
        return await trial(running, disturb)
    except (AssertionError, TimeoutError, CalimeroError) as error:
        return {"outcome": "wrong", "reason": f"{type(error).__name__}: {error}"}


async def _run(names: list[str], count: int) -> bool:
    well = True
    for name in names:
        outcomes: Counter[str] = Counter()
        async for row in trials(name, count):
            outcomes[str(row["outcome"])] += 1
            _write(row)
        _write({"case": name, "trials": count, **outcomes})
        well = well and not outcomes["wrong"]
    return well


def _write(row: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(row) + "\n")
    sys.stdout.flush()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.workers.sync.joins", description="Joins under bad conditions"
    )
    parser.add_argument("--trials", type=int, default=TRIALS, help="of each case")
    parser.add_argument("--case", action="append", choices=sorted(CASES), help="this one only; may be repeated")
    options = parser.parse_args(arguments)
    return 0 if asyncio.run(_run(options.case or list(CASES), options.trials)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
