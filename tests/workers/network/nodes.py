"""Real hosts on loopback in one trio loop, with their events at hand."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, TypeVar

import trio

from workers.messages.base import Note
from workers.network.config import NetworkConfig
from workers.network.host import NetworkHost

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
SYNC = "/calimero/stream/0.0.2"
BLOB = "/calimero/blob/0.0.2"

NoteT = TypeVar("NoteT", bound=Note)


class TestNode:
    """A host and every note it told."""

    __test__ = False

    def __init__(self, number: int, **settings: Any) -> None:
        config = {"seed": number.to_bytes(32, "big"), "listen": (LOOPBACK,), **settings}
        self.notes: list[Note] = []
        self._changed = trio.Event()
        self.hold: trio.Event | None = None
        self.host = NetworkHost(NetworkConfig(**config), self._sink)

    async def _sink(self, note: Note) -> None:
        if self.hold is not None:
            await self.hold.wait()
        self.notes.append(note)
        self.changed()

    def changed(self) -> None:
        self._changed.set()
        self._changed = trio.Event()

    @property
    def peer(self) -> str:
        return self.host.peer

    @property
    def address(self) -> str:
        return f"{self.host.listening[0]}/p2p/{self.peer}"

    def of(self, kind: type[NoteT]) -> list[NoteT]:
        return [note for note in self.notes if isinstance(note, kind)]

    async def wait_for(self, kind: type[NoteT], count: int = 1) -> list[NoteT]:
        """Wait until ``count`` notes of a kind came."""
        with trio.fail_after(10):
            while len(self.of(kind)) < count:
                await self._changed.wait()
        return self.of(kind)


@asynccontextmanager
async def running(*nodes: TestNode) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        for node in nodes:
            await stack.enter_async_context(node.host.running())
        yield


async def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    """Wait until something outside of the events holds."""
    with trio.fail_after(seconds):
        while not condition():  # noqa: ASYNC110 - the thing waited for has no event
            await trio.sleep(0.005)


def run(body: Callable[[], Awaitable[None]], seconds: float = 15.0) -> None:
    """Run a test body under trio with a deadline."""

    async def main() -> None:
        with trio.fail_after(seconds):
            await body()

    trio.run(main)
