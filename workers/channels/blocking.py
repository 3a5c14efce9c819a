"""Channels for workers without an event loop: one thread, one :class:`Hub`, several channels.

The hub waits on all sockets at once, never blocks on a write, and hands requests to the handler one at a time: in the
order of arrival for one peer, in turn between peers. While a handler waits for an answer of its own
(:meth:`Hub.request`), other requests are read but not handled. Only :meth:`Hub.call_soon` may be called from another
thread.
"""

from __future__ import annotations

import heapq
import logging
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from functools import partial
from itertools import count
from typing import Any, Final, TypeVar, cast

from node.errors import Busy, CalimeroError, RemoteProtocolError, WorkerLost
from workers.channels.core import DEFAULT_TIMEOUT, Asked, Core, Incoming, Outcome, Told, unwrap
from workers.channels.link import Link
from workers.channels.peers import GAP_TIMEOUT, Lost, Owners, Table, gap_error
from workers.messages import Message, Note, Request, failure_of

__all__ = ["Channel", "Hub"]

R = TypeVar("R", bound=Message)
OnRequest = Callable[[str, Request[Any]], "Message | Future[Message]"]
OnNote = Callable[[str, Note], None]
OnParcel = Callable[[str, Note, socket.socket], None]

MAX_DRAIN_READS: Final = 1000
"""Reads of a channel whose process has ended; a kernel buffer needs two, and another process may hold its end open."""

_log: Final = logging.getLogger(__name__)


class Channel:
    """One end of a channel; belongs to a hub."""

    def __init__(self, peer: str, sock: socket.socket, *, parcels: bool, core: Core | None = None) -> None:
        self.peer = peer
        self.core = core or Core(peer)
        self.link = Link(sock, self.core, parcels=parcels)
        self.inbox: deque[Incoming] = deque()
        self.mask = selectors.EVENT_READ
        self.on_close: Callable[[], None] | None = None
        self.closed = False

    @property
    def lost(self) -> bool:
        return self.core.lost

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            if self.on_close is not None:
                self.on_close()
            self.inbox.clear()
            self.link.close()


class Hub:
    """Serves the channels of a worker from one thread.

    ``on_request(peer, request)`` returns the answer, or a future of it that another thread completes. ``on_note(peer,
    note)`` returns nothing. ``on_parcel`` takes a note that came with a socket; only channels attached with ``parcels``
    receive such.
    """

    def __init__(
        self,
        on_request: OnRequest,
        on_note: OnNote,
        *,
        on_parcel: OnParcel | None = None,
        on_lost: Lost | None = None,
        runtimes: int = 1,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.owners = Owners(runtimes)
        self._on_request, self._on_note, self._on_parcel, self._on_lost = on_request, on_note, on_parcel, on_lost
        self._clock = clock
        self._table: Table[Channel] = Table(())
        self._selector = selectors.DefaultSelector()
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._soon: deque[Callable[[], None]] = deque()
        self._wake_receiver, self._wake_sender = socket.socketpair()
        self._wake_receiver.settimeout(0)
        self._wake_sender.settimeout(0)
        self._selector.register(self._wake_receiver, selectors.EVENT_READ, self._drain_wake)
        self._stopping = False

    # -- channels

    def attach(self, name: str, sock: socket.socket, *, parcels: bool = False, core: Core | None = None) -> None:
        """Serve a channel to ``name``; one that was there before is closed."""
        channel = Channel(name, sock, parcels=parcels, core=core)
        channel.on_close = lambda: self.unwatch(sock)
        self._table.attach(name, channel)
        self._selector.register(sock, selectors.EVENT_READ, channel)

    def attach_all(self, sockets: Mapping[str, socket.socket]) -> None:
        for name, sock in sockets.items():
            self.attach(name, sock)

    def detach(self, name: str) -> None:
        self._table.detach(name)

    def alive(self, peer: str) -> bool:
        return self._table.get(peer) is not None

    @property
    def dropped(self) -> int:
        """Notes that were not handed over."""
        return self._table.dropped

    def watch(self, source: int | socket.socket, on_readable: Callable[[], None]) -> None:
        """Call ``on_readable`` whenever a descriptor is readable: a signal's wake-up, a process's sentinel."""
        self._selector.register(source, selectors.EVENT_READ, on_readable)

    def unwatch(self, source: int | socket.socket) -> None:
        self._selector.unregister(source)

    # -- talking

    def send(self, peer: str, operation: Request[Any], done: Callable[[Outcome], None], *, timeout: float) -> None:
        """Ask without waiting; ``done`` is called from the hub's loop. Raises :class:`Busy`, :class:`WorkerLost`."""
        channel = self._living(peer)
        channel.core.request(operation, self._clock(), timeout, done)
        self._flush(channel)

    def request(
        self, peer: str, operation: Request[R], *, timeout: float = DEFAULT_TIMEOUT, gap: float = GAP_TIMEOUT
    ) -> R:
        """Ask and wait; for the hub's own thread. New requests are read meanwhile, and handled afterwards.

        Raises what the handler raised, :class:`DeadlineExceeded`, :class:`Busy`, :class:`WorkerLost`.
        """
        self._wait_for_peer(peer, min(gap, timeout))
        outcome: list[Outcome] = []
        self.send(peer, operation, outcome.append, timeout=timeout)
        while not outcome:
            self._poll(None, eager=True)
        return cast(R, unwrap(outcome[0]))

    def note(self, peer: str, note: Note, descriptor: socket.socket | None = None) -> bool:
        """Tell a peer; False when it is away or does not keep up, and the note was dropped and counted.

        A ``descriptor`` travels with the note and is closed here afterwards.
        """
        try:
            channel = self._living(peer)
            channel.core.note(note, descriptor)
        except (Busy, WorkerLost):
            self._table.dropped += 1
            if descriptor is not None:
                descriptor.close()
            return False
        self._flush(channel)
        return True

    # -- time and other threads

    def call_soon(self, action: Callable[[], None]) -> None:
        """Run ``action`` in the hub's thread; may be called from any thread and from a signal handler."""
        self._soon.append(action)
        self._wake()

    def call_later(self, delay: float, action: Callable[[], None]) -> None:
        """Run ``action`` after ``delay`` seconds; for the hub's own thread."""
        heapq.heappush(self._timers, (self._clock() + delay, next(self._order), action))

    # -- the loop

    def run(self) -> None:
        """Serve until :meth:`stop`."""
        self._stopping = False
        while not self._stopping:
            self._poll(self._patience(), eager=False)
            self._run_due()
            self._serve_round()

    def stop(self) -> None:
        """Leave :meth:`run` after the round at hand."""
        self._stopping = True
        self._wake()

    def close(self) -> None:
        self._table.close()
        self._selector.close()
        self._wake_receiver.close()
        self._wake_sender.close()

    def drain(self, peer: str) -> None:
        """Read and handle now what a process that has ended still said."""
        if (channel := self._table.last(peer)) is None:
            return
        for _ in range(MAX_DRAIN_READS):
            if channel.lost:
                break
            self._pull(channel)
        while channel.inbox:
            self._serve(channel, channel.inbox.popleft())

    def flush(self, seconds: float) -> None:
        """Write what waits in the outboxes, for at most ``seconds``."""
        end = self._clock() + seconds
        while self._clock() < end and any(channel.core.outbox for channel in self._living_channels()):
            self._poll(end - self._clock(), eager=True)

    # -- inside: waiting

    def _poll(self, timeout: float | None, *, eager: bool) -> None:
        """Wait and move bytes. ``eager`` reads on although requests wait, since an answer may be behind them."""
        deadline = self._earliest_deadline()
        if deadline is not None:
            left = max(0.0, deadline - self._clock())
            timeout = left if timeout is None else min(timeout, left)
        for key, mask in self._selector.select(timeout):
            if isinstance(key.data, Channel):
                self._move(key.data, mask, eager=eager)
            elif not eager or key.data == self._drain_wake:
                key.data()
        if deadline is not None and deadline <= self._clock():
            for channel in self._living_channels():
                channel.core.expire(self._clock())

    def _move(self, channel: Channel, mask: int, *, eager: bool) -> None:
        if channel.closed:
            return
        if mask & selectors.EVENT_WRITE:
            self._flush(channel)
        if mask & selectors.EVENT_READ and (eager or not channel.inbox):
            self._pull(channel)

    def _pull(self, channel: Channel) -> None:
        fault: Exception | None = None
        try:
            channel.inbox.extend(channel.link.pull())
        except RemoteProtocolError as error:
            fault = error
        if channel.core.lost:
            self._end(channel, fault)

    def _end(self, channel: Channel, fault: Exception | None) -> None:
        """The other side is gone; what it said before is still handled."""
        left = list(channel.inbox)
        channel.close()
        channel.inbox.extend(left)
        if self._on_lost is not None:
            self.call_soon(partial(self._on_lost, channel.peer, fault))

    def _patience(self) -> float | None:
        if self._soon or self._stopping or any(channel.inbox for channel in self._channels()):
            return 0.0
        return max(0.0, self._timers[0][0] - self._clock()) if self._timers else None

    def _earliest_deadline(self) -> float | None:
        deadlines = [d for c in self._living_channels() if (d := c.core.next_deadline()) is not None]
        return min(deadlines, default=None)

    def _run_due(self) -> None:
        for _ in range(len(self._soon)):
            self._soon.popleft()()
        while self._timers and self._timers[0][0] <= self._clock():
            heapq.heappop(self._timers)[2]()

    def _wait_for_peer(self, peer: str, seconds: float) -> None:
        """A new channel comes through :meth:`call_soon`, so those actions run here; timers do not."""
        end = self._clock() + seconds
        while self._table.get(peer) is None:
            left = end - self._clock()
            if left <= 0:
                raise gap_error(peer)
            self._poll(left, eager=True)
            for _ in range(len(self._soon)):
                self._soon.popleft()()

    # -- inside: handling

    def _serve_round(self) -> None:
        """One item of each channel, so that a busy peer does not starve the others."""
        for channel in self._channels():
            if channel.inbox:
                self._serve(channel, channel.inbox.popleft())

    def _serve(self, channel: Channel, item: Incoming) -> None:
        if isinstance(item, Told):
            self._serve_note(channel, item)
            return
        try:
            answer = self._on_request(channel.peer, item.request)
        except Exception as error:  # noqa: BLE001 - a handler's fault is the answer, the worker goes on
            self._reply(channel, item, self._failed(channel, item, error))
            return
        if isinstance(answer, Future):
            answer.add_done_callback(lambda done: self.call_soon(partial(self._finish, channel, item, done)))
        else:
            self._reply(channel, item, answer)

    def _serve_note(self, channel: Channel, item: Told) -> None:
        try:
            if not item.parcel:
                self._on_note(channel.peer, item.note)
            elif self._on_parcel is not None:
                self._on_parcel(channel.peer, item.note, channel.link.take_descriptor())
        except Exception:  # noqa: BLE001 - one bad note must not end the channel
            _log.exception("the note %s of %s was not handled", type(item.note).__name__, channel.peer)

    def _finish(self, channel: Channel, item: Asked, done: Future[Message]) -> None:
        error = done.exception()
        if error is None:
            self._reply(channel, item, done.result())
        else:
            self._reply(channel, item, self._failed(channel, item, error))

    def _failed(self, channel: Channel, item: Asked, error: BaseException) -> Message:
        if not isinstance(error, CalimeroError):
            _log.error("%s of %s failed", type(item.request).__name__, channel.peer, exc_info=error)
        return failure_of(error)

    def _reply(self, channel: Channel, item: Asked, message: Message) -> None:
        if not channel.closed:
            channel.core.reply(item.id, message)
            self._flush(channel)

    # -- inside: channels and wake-ups

    def _living(self, peer: str) -> Channel:
        channel = self._table.get(peer)
        if channel is None:
            raise gap_error(peer)
        return channel

    def _channels(self) -> list[Channel]:
        return self._table.all()

    def _living_channels(self) -> list[Channel]:
        return [channel for channel in self._table.all() if not channel.lost]

    def _flush(self, channel: Channel) -> None:
        mask = selectors.EVENT_READ | (selectors.EVENT_WRITE if channel.link.push() else 0)
        if mask != channel.mask and not channel.closed:
            channel.mask = mask
            self._selector.modify(channel.link.sock, mask, channel)

    def _wake(self) -> None:
        try:
            self._wake_sender.send(b"\0")
        except OSError:  # full: it will wake anyway; closed: nobody is left to wake
            return

    def _drain_wake(self) -> None:
        try:
            while self._wake_receiver.recv(4096):
                pass
        except (BlockingIOError, InterruptedError):
            return
