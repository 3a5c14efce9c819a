"""The other end of a channel for tests: a blocking hub in a thread of its own."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from node.errors import NotFound
from workers.channels.blocking import Hub
from workers.messages import Message, Note, Request
from workers.messages.control import ListWorkers, Ping, Pong, WorkerList

Handler = Callable[[str, Request[Any]], Message]


def answer(_: str, request: Request[Any]) -> Message:
    """Answers pings; everything else is not found."""
    if isinstance(request, Ping):
        return Pong(0.5)
    if isinstance(request, ListWorkers):
        return WorkerList([])
    raise NotFound(f"{type(request).__name__} of the far end")


@contextmanager
def far_end(sock: socket.socket, handler: Handler = answer) -> Iterator[list[Note]]:
    """Serve ``sock`` until the block ends; yields the notes that arrive."""
    notes: list[Note] = []
    hub = Hub(handler, lambda _, note: notes.append(note))
    hub.attach("near", sock)
    thread = threading.Thread(target=hub.run)
    thread.start()
    try:
        yield notes
    finally:
        hub.stop()
        thread.join()
        hub.close()
