"""Runs a worker on an asyncio loop: channels, readiness, stop. What it serves is given by its main."""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar

from workers.channels.asyncio_ import OnNote, OnRequest, Peers
from workers.channels.core import DEFAULT_TIMEOUT
from workers.messages import Message, Note, Request
from workers.start import EXIT_FAULT, Control, WorkerStart, begin

__all__ = ["Worker", "run_asyncio"]

BEAT: Final = 1.0
"""Seconds between two signs of life of the loop."""

R = TypeVar("R", bound=Message)
_log: Final = logging.getLogger(__name__)


class Worker:
    """What a worker's main coroutine works with. ``stopping`` is set when the node stops; finish and return then."""

    def __init__(self, start: WorkerStart, control: Control) -> None:
        self.start = start
        self.stopping = asyncio.Event()
        self.grace = 0.0
        """Seconds that are left for finishing, once ``stopping`` is set."""
        self.fault: Exception | None = None
        self.on_attached: Callable[[str], None] | None = None
        """Called with the name of a peer that was restarted, once its new channel is in place."""
        self.on_note: Callable[[Note], None] = lambda note: None
        """Called with what the supervisor tells beside attaching and stopping."""

        self._control = control
        control.on_note = lambda note: self._later(self._note, note)
        self._loop = asyncio.get_running_loop()
        self._peers: Peers | None = None

    def open(self, on_request: OnRequest, on_note: OnNote) -> Peers:
        """Begin to serve the channels; once."""
        self._peers = Peers(
            self.start.peers, on_request, on_note, runtimes=self.start.runtimes, on_lost=self._channel_lost
        )
        self._control.connect(
            lambda name, sock: self._later(self._attach, name, sock), lambda grace: self._later(self._stop, grace)
        )
        return self._peers

    def ready(self, details: Mapping[str, object] | None = None) -> None:
        """Tell the supervisor that this worker serves; ``details`` must be JSON, e.g. the bound addresses."""
        self._control.ready(details)

    async def supervisor(
        self,
        operation: Request[R],
        *,
        timeout: float = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - the deadline is the request's own
    ) -> R:
        """Ask the supervisor, e.g. ``ListWorkers``."""
        return await asyncio.wrap_future(self._control.request(operation, timeout=timeout))

    async def run(self, serve: Callable[[Worker], Awaitable[None]]) -> None:
        beat = asyncio.create_task(self._beat())
        try:
            await serve(self)
        finally:
            beat.cancel()
            if self._peers is not None:
                self._peers.close()

    def _later(self, action: Callable[..., None], *arguments: object) -> None:
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(action, *arguments)

    def _attach(self, name: str, sock: socket.socket) -> None:
        if self._peers is not None:
            _log.info("new channel to %s", name)
            self._peers.attach(name, sock)
            if self.on_attached is not None:
                self.on_attached(name)

    def _note(self, note: Note) -> None:
        self.on_note(note)

    def _stop(self, grace: float) -> None:
        self.grace = grace
        self.stopping.set()

    def _channel_lost(self, name: str, fault: Exception | None) -> None:
        """A channel whose bytes are no frames is beyond repair from here: end, and be started again with new ones."""
        if fault is not None:
            _log.critical("the channel to %s is broken: %s", name, fault)
            self.fault = fault
            self.stopping.set()

    async def _beat(self) -> None:
        while True:
            self._control.beat()
            await asyncio.sleep(BEAT)


def run_asyncio(start: WorkerStart, serve: Callable[[Worker], Awaitable[None]]) -> None:
    """The body of a worker's main: returns when ``serve`` does. Exits with a fault code if it raised."""
    control = begin(start)

    async def body() -> Exception | None:
        worker = Worker(start, control)
        await worker.run(serve)
        return worker.fault

    try:
        fault = asyncio.run(body())
    except Exception as error:  # noqa: BLE001 - the last word of a process that ends; the supervisor starts it again
        _log.critical("%s failed: %s", start.name, error, exc_info=True)
        fault = error
    control.finish()
    if fault is not None:
        sys.exit(EXIT_FAULT)
