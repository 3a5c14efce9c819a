"""What a worker process is given at its start, and its life line to the supervisor.

Every worker's main has the form ``main(start: WorkerStart) -> None`` and hands over to one of ``run_asyncio``,
``run_trio``, ``run_blocking``. The control channel is served by a thread of its own, so that a worker whose loop is
busy still logs, learns that it shall stop, and ends when the supervisor is gone.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeVar, cast

from node.config.model import NodeConfig
from node.errors import CalimeroError
from workers.channels.blocking import Hub
from workers.channels.core import DEFAULT_TIMEOUT, Outcome, unwrap
from workers.channels.peers import peer_name
from workers.logs import ControlHandler, LogFilter
from workers.messages import Message, Note, Request
from workers.messages.control import Attach, Ping, Pong, Ready, Stop

__all__ = ["Control", "WorkerStart", "begin"]

R = TypeVar("R", bound=Message)
SUPERVISOR: Final = "supervisor"

ORPHAN_GRACE: Final = 0.7
"""Seconds that a worker has to end by itself when its supervisor is gone; then SIGALRM ends it, whatever it does."""

EXIT_GRACE: Final = 0.5
"""Seconds in which the last log lines may still leave a process that ends."""

EXIT_FAULT: Final = 1

_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WorkerStart:
    """All that a worker knows at its start. ``home`` is the node's directory; ``peers`` are channel ends by name."""

    role: str
    index: int
    home: Path
    config: NodeConfig
    control: socket.socket
    peers: Mapping[str, socket.socket]
    log_filter: str = "info"

    @property
    def name(self) -> str:
        return peer_name(self.role, self.index)

    @property
    def runtimes(self) -> int:
        """Number of runtime workers, for the routing of contexts."""
        return self.config.runtime.workers

    @property
    def data_dir(self) -> Path:
        return self.home / self.config.datastore.path

    @property
    def blob_dir(self) -> Path:
        return self.home / self.config.blobstore.path


class Control:
    """The control channel of this process; its thread ends with the process.

    ``on_attach(peer, socket)`` and ``on_stop(grace)`` are called in the control thread: a worker's runner passes them
    on to its own loop. What arrives before they are set is kept for them. ``beat`` is to be called by the worker's loop
    again and again; its age is how the supervisor tells a busy loop from a stuck one.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._hub = Hub(self._asked, self._told, on_parcel=self._given, on_lost=self._orphaned)
        self._hub.attach(SUPERVISOR, sock, parcels=True)
        self._lock = threading.Lock()
        self._on_attach: Callable[[str, socket.socket], None] | None = None
        self._on_stop: Callable[[float], None] | None = None
        self.on_note: Callable[[Note], None] = lambda note: None
        """Called in the control thread with what the supervisor tells beside attaching and stopping."""

        self._early: list[tuple[str, socket.socket]] = []
        self._stop: float | None = None
        self._beat = time.monotonic()
        self._thread = threading.Thread(target=self._hub.run, name="control", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def ready(self, details: Mapping[str, object] | None = None) -> None:
        """Tell the supervisor that this worker serves; ``details`` must be JSON, e.g. the bound addresses."""
        self.note(Ready(json.dumps(details or {}).encode()))

    def note(self, note: Note) -> None:
        """Tell the supervisor; from any thread."""

        def tell() -> None:
            self._hub.note(SUPERVISOR, note)

        self._hub.call_soon(tell)

    def request(self, operation: Request[R], *, timeout: float = DEFAULT_TIMEOUT) -> Future[R]:
        """Ask the supervisor; from any thread. The future fails like every request does."""
        future: Future[R] = Future()
        self._hub.call_soon(lambda: self._send(operation, future, timeout))
        return future

    def connect(self, on_attach: Callable[[str, socket.socket], None], on_stop: Callable[[float], None]) -> None:
        """Set both callbacks, and hand over what came before."""
        with self._lock:
            self._on_attach, self._on_stop = on_attach, on_stop
            early, self._early = self._early, []
            for peer, sock in early:
                on_attach(peer, sock)
            if self._stop is not None:
                on_stop(self._stop)

    def beat(self) -> None:
        self._beat = time.monotonic()

    def finish(self) -> None:
        """Send what waits, then end the thread and the life line."""

        def end() -> None:
            self._hub.flush(EXIT_GRACE)
            self._hub.stop()

        self._hub.call_soon(end)
        self._thread.join(EXIT_GRACE * 2)
        if not self._thread.is_alive():
            self._hub.close()

    # -- inside, all in the control thread

    def _send(self, operation: Request[R], future: Future[R], timeout: float) -> None:
        def done(outcome: Outcome) -> None:
            if not future.set_running_or_notify_cancel():
                return  # nobody waits for it any more
            try:
                future.set_result(cast(R, unwrap(outcome)))
            except CalimeroError as error:
                future.set_exception(error)

        try:
            self._hub.send(SUPERVISOR, operation, done, timeout=timeout)
        except CalimeroError as error:
            if future.set_running_or_notify_cancel():
                future.set_exception(error)

    def _asked(self, _: str, request: Request[Any]) -> Message:
        if isinstance(request, Ping):
            return Pong(time.monotonic() - self._beat)
        raise CalimeroError(f"{type(request).__name__} is not served by a worker's control channel")

    def _told(self, _: str, note: Note) -> None:
        if isinstance(note, Stop):
            self._stopped(note.grace)
        else:
            self.on_note(note)

    def _given(self, _: str, note: Note, sock: socket.socket) -> None:
        if not isinstance(note, Attach):
            sock.close()
            return
        with self._lock:
            if self._on_attach is None:
                self._early.append((peer_name(note.peer, note.index), sock))
            else:
                self._on_attach(peer_name(note.peer, note.index), sock)

    def _stopped(self, grace: float) -> None:
        with self._lock:
            self._stop = grace
            if self._on_stop is not None:
                self._on_stop(grace)

    def _orphaned(self, _: str, fault: Exception | None) -> None:
        """The supervisor died: its end of the channel closed."""
        signal.setitimer(signal.ITIMER_REAL, ORPHAN_GRACE)
        self._stopped(ORPHAN_GRACE / 2)


def begin(start: WorkerStart) -> Control:
    """Make this process a worker: no terminal, no SIGINT, logs and life line to the supervisor."""
    _give_up_stdio()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    if hasattr(signal, "SIGHUP"):
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    control = Control(start.control)
    root = logging.getLogger()
    chosen = LogFilter.parse(start.log_filter)
    root.handlers[:] = [ControlHandler(control.note, chosen)]
    root.setLevel(chosen.lowest)
    threading.excepthook = _log_thread_fault
    sys.excepthook = _log_fault
    control.start()
    return control


def _give_up_stdio() -> None:
    """A stray print must not reach the terminal or a pipe that carries data."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _log_fault(kind: type[BaseException], error: BaseException, trace: Any) -> None:
    _log.critical("the worker ends: %s: %s", kind.__name__, error, exc_info=(kind, error, trace))


def _log_thread_fault(fault: threading.ExceptHookArgs) -> None:
    if fault.exc_value is not None:
        _log.critical("a thread ended: %s", fault.exc_value, exc_info=fault.exc_value)
