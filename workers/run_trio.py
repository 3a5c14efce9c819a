"""Runs a worker on a trio loop: channels, readiness, stop. What it serves is given by its main."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from typing import Final

import trio

from workers.channels.trio_ import OnNote, OnRequest, Peers
from workers.start import EXIT_FAULT, Control, WorkerStart, begin

__all__ = ["Worker", "run_trio"]

BEAT: Final = 1.0
"""Seconds between two signs of life of the loop."""

_log: Final = logging.getLogger(__name__)


class Worker:
    """What a worker's main coroutine works with. ``stopping`` is set when the node stops; finish and return then."""

    def __init__(self, start: WorkerStart, control: Control, nursery: trio.Nursery) -> None:
        self.start = start
        self.nursery = nursery
        self.stopping = trio.Event()
        self.grace = 0.0
        """Seconds that are left for finishing, once ``stopping`` is set."""
        self.fault: Exception | None = None
        self._control = control
        self._token = trio.lowlevel.current_trio_token()
        self._peers: Peers | None = None

    def open(self, on_request: OnRequest, on_note: OnNote) -> Peers:
        """Begin to serve the channels; once."""
        self._peers = Peers(
            self.start.peers,
            on_request,
            on_note,
            nursery=self.nursery,
            runtimes=self.start.runtimes,
            on_lost=self._channel_lost,
        )
        self._control.connect(
            lambda name, sock: self._later(self._attach, name, sock), lambda grace: self._later(self._stop, grace)
        )
        return self._peers

    def ready(self, details: Mapping[str, object] | None = None) -> None:
        """Tell the supervisor that this worker serves; ``details`` must be JSON, e.g. the bound addresses."""
        self._control.ready(details)

    async def run(self, serve: Callable[[Worker], Awaitable[None]]) -> None:
        self.nursery.start_soon(self._beat)
        await serve(self)
        if self._peers is not None:
            self._peers.close()
        self.nursery.cancel_scope.cancel()

    def _later(self, action: Callable[..., None], *arguments: object) -> None:
        try:
            self._token.run_sync_soon(action, *arguments)
        except trio.RunFinishedError:
            return

    def _attach(self, name: str, sock: socket.socket) -> None:
        if self._peers is not None:
            _log.info("new channel to %s", name)
            self._peers.attach(name, sock)

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
            await trio.sleep(BEAT)


def run_trio(start: WorkerStart, serve: Callable[[Worker], Awaitable[None]]) -> None:
    """The body of a worker's main: returns when ``serve`` does. Exits with a fault code if it raised."""
    control = begin(start)

    async def body() -> Exception | None:
        async with trio.open_nursery() as nursery:
            worker = Worker(start, control, nursery)
            await worker.run(serve)
        return worker.fault

    try:
        fault = trio.run(body)
    except Exception as error:  # noqa: BLE001 - the last word of a process that ends; the supervisor starts it again
        _log.critical("%s failed: %s", start.name, error, exc_info=True)
        fault = error
    control.finish()
    if fault is not None:
        sys.exit(EXIT_FAULT)
