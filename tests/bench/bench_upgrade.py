"""How soon a new version of an application can be called on all of three nodes, after the upgrade of their context.

A module gets a new id with every version, a bundle keeps its own. The second and third node fetch the bytes from the
first. Time runs from the request for the upgrade until the version's method answers everywhere.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from node.context.bundle import make_bundle
from node.errors import ContextError, MethodResolutionError
from node.primitives import ApplicationId, PrivateKey
from tests.workers.runtime.nodes import WASM
from tests.workers.sync.nodes import Node, cluster, converged, until
from workers.messages import sync as s

VERSIONS = 6
KEY = PrivateKey(b"\x21" * 32)
MODULE = (WASM / "kv.wasm").read_bytes()


def run() -> Iterator[dict[str, object]]:
    for name, make in (("module", _module), ("bundle", _bundle)):
        yield asyncio.run(_case(name, make))


def _module(number: int) -> bytes:
    """A version with a method of its own."""
    return MODULE.replace(b"whoami", b"whoam%d" % number)


def _bundle(number: int) -> bytes:
    return make_bundle(KEY, package="com.example.app", version=f"1.{number}.0", name="app", module=_module(number))


async def _case(name: str, make: Callable[[int], bytes]) -> dict[str, object]:
    with tempfile.TemporaryDirectory() as folder:
        async with cluster(Path(folder), 3) as nodes:
            first = nodes[0]
            await first.create(await _install(first, make(0), Path(folder)))
            for other in nodes[1:]:
                await first.invite(other)
            await until(lambda: converged(nodes), 30)
            taken = [await _upgrade(nodes, make(number), number, Path(folder)) for number in range(1, VERSIONS)]
    taken.sort()
    return {"case": f"new {name} on three nodes", "p50_s": taken[len(taken) // 2], "max_s": taken[-1]}


async def _install(node: Node, content: bytes, folder: Path) -> ApplicationId:
    file = folder / "app"
    file.write_bytes(content)
    return (await node.ask("sync", s.InstallFile(str(file)))).application.id


async def _upgrade(nodes: list[Node], content: bytes, number: int, folder: Path) -> float:
    first = nodes[0]
    newer = await _install(first, content, folder)
    began = time.perf_counter()
    await first.ask("sync", s.UpdateApplication(first.context, newer, first.member))
    await until(lambda: _all_answer(nodes, f"whoam{number}"), 60)
    return time.perf_counter() - began


async def _all_answer(nodes: list[Node], method: str) -> bool:
    try:
        for node in nodes:
            await node.call(method)
    except (MethodResolutionError, ContextError):
        return False
    return True
