"""Runs a worker without an event loop: one hub serves its channels. What it serves is given by its main."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Callable, Mapping
from typing import Final

from workers.channels.blocking import Hub, OnNote, OnRequest
from workers.start import EXIT_FAULT, Control, WorkerStart, begin

__all__ = ["Worker", "run_blocking"]

BEAT: Final = 1.0
"""Seconds between two signs of life of the hub."""

_log: Final = logging.getLogger(__name__)


class Worker:
    """What a worker's main works with: open the hub, say ready, and call :meth:`serve` until the node stops."""

    def __init__(self, start: WorkerStart, control: Control) -> None:
        self.start = start
        self.grace = 0.0
        """Seconds that are left for finishing, once :meth:`serve` returned."""
        self.fault: Exception | None = None
        self._control = control
        self._hub: Hub | None = None
        self._stopped = False

    def open(self, on_request: OnRequest, on_note: OnNote) -> Hub:
        """Take the channels; once. Requests are handled in :meth:`serve`."""
        hub = Hub(on_request, on_note, on_lost=self._channel_lost, runtimes=self.start.runtimes)
        hub.attach_all(self.start.peers)
        self._hub = hub
        self._control.connect(
            lambda name, sock: hub.call_soon(lambda: self._attach(hub, name, sock)),
            lambda grace: hub.call_soon(lambda: self._stop(hub, grace)),
        )
        return hub

    def ready(self, details: Mapping[str, object] | None = None) -> None:
        """Tell the supervisor that this worker serves; ``details`` must be JSON."""
        self._control.ready(details)

    def serve(self) -> None:
        """Handle requests until the node stops; answers that wait are written before it returns."""
        if self._hub is None:
            raise RuntimeError("open() comes before serve()")
        self._beat(self._hub)
        if not self._stopped:
            self._hub.run()
        self._hub.flush(self.grace)

    def close(self) -> None:
        if self._hub is not None:
            self._hub.close()

    def _beat(self, hub: Hub) -> None:
        self._control.beat()
        hub.call_later(BEAT, lambda: self._beat(hub))

    def _attach(self, hub: Hub, name: str, sock: socket.socket) -> None:
        _log.info("new channel to %s", name)
        hub.attach(name, sock)

    def _stop(self, hub: Hub, grace: float) -> None:
        self.grace = grace
        self._stopped = True
        hub.stop()

    def _channel_lost(self, name: str, fault: Exception | None) -> None:
        """A channel whose bytes are no frames is beyond repair from here: end, and be started again with new ones."""
        if fault is not None and self._hub is not None:
            _log.critical("the channel to %s is broken: %s", name, fault)
            self.fault = fault
            self._hub.stop()


def run_blocking(start: WorkerStart, serve: Callable[[Worker], None]) -> None:
    """The body of a worker's main: returns when ``serve`` does. Exits with a fault code if it raised."""
    control = begin(start)
    worker = Worker(start, control)
    fault: Exception | None = None
    try:
        serve(worker)
        fault = worker.fault
    except Exception as error:  # noqa: BLE001 - the last word of a process that ends; the supervisor starts it again
        _log.critical("%s failed: %s", start.name, error, exc_info=True)
        fault = error
    finally:
        worker.close()
    control.finish()
    if fault is not None:
        sys.exit(EXIT_FAULT)
