"""A tree of many entries of which few differ, between nodes that lack the deltas behind the difference.

The author writes, one node leaves, the author writes what will differ, another node joins by snapshot, and the author
leaves. The first two to meet then are two states whose difference no history explains: the trees have to be compared.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

from node.codec import borsh
from node.errors import DecodeError
from node.storage.entities import EntityIndex
from node.storage.keys import index_key
from tests.acceptance.crowd import LANES, PATIENCE, equal
from tests.acceptance.figures import Row, Scenario, verdict
from tests.acceptance.lines import dial, remote
from tests.workers.sync.nodes import Node, converged, until
from workers.messages import runtime as r

SECONDS: Final = 3.0
TIMES: Final = 10.0
"""Times the bytes of the differing rows: an entry is its value and its place (parent, times, hashes), and two states
are equal only when both are. The same counted by bare values is told beside it."""

DIFFERING: Final = 100
"""One entry in so many."""

VALUE: Final = 100
"""Characters of a value."""

SHELVES: Final = 100
"""Branches of the tree, over which the entries that differ are spread. (In one flat map of 10,000 entries the guest's
own code needs tens of milliseconds for each write, whoever makes it.)"""

PAGE: Final = 1000


async def run(home: Path, size: int) -> Row:
    """``size``: entries."""
    async with remote(home, 2) as (near, far, proxies):
        author, late = near
        await author.create(await author.install("collections"))
        await _fill(author, range(size), "old")
        await author.invite(far)
        await equal((author, far))
        await far.stop()
        before = await _rows(author)
        await _fill(author, range(0, size, DIFFERING), "new")
        await author.invite(late)
        await equal((author, late))
        differing = _differing(before, await _rows(author))
        await author.stop()
        author.workers.clear()
        await far.start()
        proxies[1].bytes = 0
        began = time.monotonic()
        await dial(far, [late], proxies[1:])
        await until(lambda: converged([late, far]), PATIENCE)
        took = time.monotonic() - began
        moved = proxies[1].bytes
    figures: Row = {
        "entries": size,
        "differing": len(range(0, size, DIFFERING)),
        "differing_bytes": differing,
        "synced_s": round(took, 2),
        "bytes": moved,
        "times": round(moved / differing, 1),
        "times_bare_values": round(moved / (VALUE * len(range(0, size, DIFFERING))), 1),
    }
    return verdict(figures, [("synced_s", SECONDS), ("times", TIMES)])


async def _fill(node: Node, entries: range, mark: str) -> None:
    numbers = iter(entries)

    async def lane() -> None:
        for number in numbers:
            shelf, item = f"shelf {number * SHELVES // entries.stop}", f"item {number}"
            await node.call("put", shelf=shelf, item=item, value=f"{mark} {item} ".ljust(VALUE, "."))

    await asyncio.gather(*(lane() for _ in range(LANES)))


async def _rows(node: Node) -> dict[bytes, bytes]:
    """The state, raw."""
    found: dict[bytes, bytes] = {}
    after: bytes | None = None
    while True:
        page = await node.ask("runtime[0]", r.InspectState(node.context, after, PAGE))
        found.update((row.key, row.value) for row in page.rows)
        if page.next is None:
            return found
        after = page.next


def _differing(old: dict[bytes, bytes], new: dict[bytes, bytes]) -> int:
    """Bytes of the rows of entries that changed: data and index of each. Lists of children do not count, though they
    change with every child."""
    changed = ((key, value) for key, value in new.items() if old.get(key) != value)
    return sum(len(key) + len(value) for key, value in changed if not _lists(key, value))


def _lists(key: bytes, value: bytes) -> bool:
    """Whether a row is the index of an entity that has children."""
    try:
        index = borsh.decode(EntityIndex, value)
    except DecodeError:
        return False
    return bool(index.children) and index_key(index.id) == key


SCENARIO: Final = Scenario(
    "tree", "10,000 entries with 1 % different sync in 3 s and 10 times the differing bytes", run, 10_000, 300
)
