"""Host-side map inserts: many in one execution, and one per execution, with the exponent by which the cost grows.

The format forces a rewrite of the parent's whole list for each execution; within one execution an insert must be flat.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from node.primitives import ContextId, EntityId, PublicKey
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.shapes import BLOB
from node.storage.engine import Engine
from node.storage.env import INTEROP, REPAIRED, Env, guest_env
from node.storage.index import ChildCache
from node.storage.native import key_value_app
from node.storage.rows import MemoryRows, OverlayRows

SIZES: Final = (10, 1_000, 100_000)
SINGLES: Final = 15
"""Executions of one insert that are timed at each size; the median counts."""


@dataclass
class World:
    """A context with one map; the clock moves a little with every reading."""

    rows: MemoryRows = field(default_factory=MemoryRows)
    cache: ChildCache = field(default_factory=ChildCache)
    now: int = 10**18
    size: int = 0

    def __post_init__(self) -> None:
        dice = random.Random(1)
        self.env: Env = guest_env(ContextId(b"c" * 32), PublicKey(b"x" * 32), self._tick, dice.randbytes)
        engine = Engine(self.rows, self.env)
        self.map: EntityId = UnorderedMap.create(engine, BLOB, BLOB).id
        engine.close()

    def _tick(self) -> int:
        self.now += 1000
        return self.now

    def insert(self, count: int, cache: ChildCache | None) -> None:
        """``count`` new keys in one execution."""
        over = OverlayRows(self.rows.get)
        engine = Engine(over, self.env, INTEROP, cache)
        table = UnorderedMap.open(engine, self.map, BLOB, BLOB)
        for number in range(self.size, self.size + count):
            table.insert(b"key %d" % number, b"value of a usual size")
        engine.flush_delta()
        engine.close()
        self.rows.commit(over.writes)
        self.size += count


def run() -> Iterator[dict[str, object]]:
    world, batch, warm, cold = World(), list[float](), list[float](), list[float]()
    for size in SIZES:
        count = size - world.size
        batch.append(_seconds(lambda count=count: world.insert(count, world.cache)) / count)
        warm.append(_median(lambda: world.insert(1, world.cache)))
        cold.append(_median(lambda: world.insert(1, None)))
        yield {"name": f"insert in a batch up to {size}", "value": round(batch[-1] * 1e6, 1), "unit": "us"}
        yield {"name": f"insert alone at {size}", "value": round(warm[-1] * 1e6, 1), "unit": "us"}
        yield {"name": f"insert alone at {size}, nothing cached", "value": round(cold[-1] * 1e6, 1), "unit": "us"}
    for name, times in (("in a batch", batch), ("alone", warm), ("alone, nothing cached", cold)):
        yield {"name": f"growth exponent {name}", "value": round(_exponent(times), 3), "unit": "log/log"}
    yield {"name": "apply one set of a native app", "value": round(_apply() * 1e6, 1), "unit": "us"}


def _seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def _median(call: Callable[[], None]) -> float:
    return sorted(_seconds(call) for _ in range(SINGLES))[SINGLES // 2]


def _exponent(times: list[float]) -> float:
    """Slope between the second and the last size: 0 is flat, 1 is linear."""
    return math.log(times[-1] / times[1]) / math.log(SIZES[-1] / SIZES[1])


def _apply() -> float:
    """Time of a peer to apply the artifact of one ``set``, below 100 other keys."""
    app, world = key_value_app(REPAIRED), World()
    here, there = MemoryRows(), MemoryRows()
    genesis = app.init(here.get, world.env)
    here.commit(genesis.writes)
    there.commit(app.sync_next(there.get, world.env, genesis.artifact).writes)
    times = []
    for number in range(100):
        made = app.run(here.get, world.env, "set", b"k%d=v" % number)
        here.commit(made.writes)
        start = time.perf_counter()
        heard = app.sync_next(there.get, world.env, made.artifact)
        times.append(time.perf_counter() - start)
        there.commit(heard.writes)
    return sorted(times)[len(times) // 2]
