"""Reads nodes for the dashboard: one snapshot after the other, the details of a context, and the stream of events.

It calls what it found; it touches no widget. What a node does not offer is asked once per connection, not each time.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

from calimero_tui.client.activity import activity
from calimero_tui.client.events import watch
from calimero_tui.client.node import Context, Node
from calimero_tui.tui.model.activity import Happening, happenings
from calimero_tui.tui.model.snapshot import Details, Json, Part, Snapshot, State
from node.errors import ClientError, Refused, Unreachable

POLL: Final = 1.0
"""Seconds between two readings of a node that answers."""

LONGEST_PAUSE: Final = 4.0
"""Seconds between two tries to reach a node that does not; doubled from a quarter of a second."""

FIRST_PAUSE: Final = 0.25

EXPLAINED: Final = 4
"""Contexts that are explained in one reading; with more contexts each has its turn."""

FLUSH: Final = 0.25
"""Seconds that events are collected before they are handed on: four messages a second at any rate of events."""

MOST: Final = 2_000
"""Events of one hand-over; more are counted, not kept. Far above what a node of this kind sends in that time."""

SESSIONS: Final = 100
WINDOW: Final = 50
"""Rows of sync sessions and of the delta window that are asked for."""

NOT_OFFERED: Final = frozenset({404, 405, 501})

NO_STREAM: Final = NOT_OFFERED | {400, 403}
"""A server without the path may refuse the upgrade in its own way (Starlette: 403)."""

ASK_AGAIN: Final = 30
"""Readings after which a part that a node lacked is asked for again: a 404 may also be a context that just went."""

Clock = Callable[[], float]
T = TypeVar("T")


class Reader:
    """Reads one node. Not for two tasks at a time."""

    def __init__(self, node: Node, *, clock: Clock = time.monotonic) -> None:
        self.node = node
        self._clock = clock
        self._gaps: dict[Part, str] = {}
        self._turn = 0
        self._explained: dict[str, Json] = {}
        self._seen = False
        self._readings = 0

    async def snapshots(self) -> AsyncIterator[Snapshot]:
        """Readings for ever, with a longer pause after each failure."""
        pause = FIRST_PAUSE
        while True:
            snapshot = await self.snapshot()
            yield snapshot
            if snapshot.state is State.READY:
                pause = FIRST_PAUSE
                await asyncio.sleep(POLL)
            else:
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE)

    async def snapshot(self) -> Snapshot:
        """One reading; a node that does not answer is a state, not an error."""
        try:
            found = await self._read()
        except ClientError as error:
            self._gaps.clear()
            state = State.RECONNECTING if self._seen else State.CONNECTING
            return Snapshot(self.node.url, self._clock(), state, str(error))
        self._seen = True
        return found

    async def _read(self) -> Snapshot:
        self._readings += 1
        if self._readings % ASK_AGAIN == 0:
            self._gaps.clear()
        contexts, count = await self.node.contexts(), await self._peer_count()
        inspection = self.node.inspection
        workers = await self._rows(Part.WORKERS, inspection.workers)
        peers = await self._rows(Part.PEERS, inspection.peers)
        sessions = await self._rows(Part.SESSIONS, lambda: inspection.sync_sessions(SESSIONS))
        await self._explain(contexts)
        return Snapshot(
            self.node.url, self._clock(), State.READY, "", tuple(contexts), count,
            workers, peers, sessions, dict(self._explained), dict(self._gaps),
        )  # fmt: skip

    async def _peer_count(self) -> int | None:
        try:
            return await self.node.peer_count()
        except Refused:
            return None

    async def _explain(self, contexts: Sequence[Context]) -> None:
        ids = [context.id for context in contexts]
        for context_id in [ids[(self._turn + n) % len(ids)] for n in range(min(EXPLAINED, len(ids)))]:
            found = await self._why(context_id)
            if found is not None:
                self._explained[context_id] = found
        self._turn += EXPLAINED
        self._explained = {key: value for key, value in self._explained.items() if key in ids}

    async def details(self, context_id: str) -> Details:
        """Members, methods, deltas and the explanation of one context."""
        url = self.node.url
        try:
            members, owned = await self.node.members(context_id), await self.node.owned(context_id)
        except ClientError as error:
            return Details(url, context_id, error=str(error))
        inspection = self.node.inspection
        methods = await self._rows(Part.METHODS, lambda: inspection.methods(context_id))
        page = await self._optional(Part.DELTAS, lambda: inspection.deltas(context_id, limit=WINDOW))
        why = await self._why(context_id)
        return Details(
            url, context_id, tuple(members), tuple(owned), methods or (), _objects((page or {}).get("deltas")),
            why, gaps=dict(self._gaps),
        )  # fmt: skip

    async def _why(self, context_id: str) -> Json | None:
        return await self._optional(Part.WHY, lambda: self.node.inspection.explain(context_id))

    async def _rows(self, part: Part, ask: Callable[[], Awaitable[list[Json]]]) -> tuple[Json, ...] | None:
        found = await self._optional(part, ask)
        return None if found is None else _objects(found)

    async def _optional(self, part: Part, ask: Callable[[], Awaitable[T]]) -> T | None:
        """A part that a node may lack: None and an entry in the gaps then, so that it is not asked again."""
        if part in self._gaps:
            return None
        try:
            return await ask()
        except Refused as error:
            if error.status in NOT_OFFERED:
                self._gaps[part] = f"this node does not offer {part}"
            return None
        except Unreachable:
            return None


def _objects(rows: object) -> tuple[Json, ...]:
    return tuple(row for row in rows if isinstance(row, dict)) if isinstance(rows, list) else ()


async def batches(
    node: Node, context_ids: Sequence[str], *, now: Callable[[], float] = time.time
) -> AsyncIterator[tuple[list[Happening], int]]:
    """Events of a node, collected: (rows, how many more there were than are kept). Joined again after a break.

    It follows the node-wide stream where the node has one, the given contexts otherwise.
    """
    collected: list[Happening] = []
    lost = 0
    fresh = asyncio.Event()

    async def collect() -> None:
        nonlocal lost
        async for found in _stream(node, context_ids):
            rows = list(happenings(node.url, found, now()))
            room = MOST - len(collected)
            collected.extend(rows[:room])
            lost += max(0, len(rows) - room)
            fresh.set()

    task = asyncio.create_task(collect())
    task.add_done_callback(lambda _: fresh.set())
    try:
        while not task.done():
            await fresh.wait()
            await asyncio.sleep(FLUSH)
            fresh.clear()
            rows, more, lost = collected[:], lost, 0
            collected.clear()
            if rows:
                yield rows, more
        await task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _stream(node: Node, context_ids: Sequence[str]) -> AsyncIterator[Any]:
    """The node-wide stream while it stands; a node without it is followed by its contexts."""
    pause = FIRST_PAUSE
    while True:
        try:
            async for found in activity(node.url):
                pause = FIRST_PAUSE
                yield found
        except Refused as error:
            if error.status in NO_STREAM:
                break
        except Unreachable:
            pass
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)
    async for event in watch(node.url, context_ids):
        yield event
