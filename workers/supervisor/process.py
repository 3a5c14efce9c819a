"""One worker process: started by spawn with its channel ends, without a chance for a terminal's Ctrl-C to reach it."""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import signal
import socket
from collections.abc import Iterator
from multiprocessing import resource_tracker
from typing import TYPE_CHECKING, Final

from workers.roles import Role
from workers.start import WorkerStart

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

__all__ = ["end_tracker", "enter", "spawn"]

_HELD: Final = {signal.SIGINT, signal.SIGTERM}
_spawn: Final = multiprocessing.get_context("spawn")


def spawn(start: WorkerStart, role: Role) -> SpawnProcess:
    """Start the worker and close this process's copies of the ends that it was given."""
    process = _spawn.Process(target=enter, args=(role.module, start), name=start.name)
    resource_tracker.ensure_running()
    with _signals_held():
        process.start()
    _close(start.control, *start.peers.values())
    return process


@contextlib.contextmanager
def _signals_held() -> Iterator[None]:
    """A child is born with these signals blocked; it ignores them before it unblocks them."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_tracker() -> None:
    """End multiprocessing's helper process too, once the workers are gone; it would follow a moment later by itself."""
    stop = getattr(resource_tracker._resource_tracker, "_stop", None)
    if stop is not None:
        stop()


def _close(*sockets: socket.socket) -> None:
    for sock in sockets:
        sock.close()


def enter(module: str, start: WorkerStart) -> None:
    """The first function of a worker process: loads only this worker's code."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _HELD)
    importlib.import_module(module).main(start)
