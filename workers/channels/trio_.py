"""Channels for workers that run a trio loop; the same names and rules as in ``asyncio_``.

trio starts tasks in any order, but ``on_request`` itself is called in the order of arrival: a handler that needs the
order queues the work there and returns an awaitable of the answer.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeVar, cast

import trio

from node.errors import Busy, CalimeroError, RemoteProtocolError, WorkerLost
from workers.channels.core import DEFAULT_TIMEOUT, Asked, Core, Incoming, Outcome, unwrap
from workers.channels.link import Link
from workers.channels.peers import GAP_TIMEOUT, Lost, Owners, Table, gap_error
from workers.messages import Message, Note, Request, failure_of

__all__ = ["MAX_HANDLERS", "Channel", "Peers"]

MAX_HANDLERS: Final = 256
"""Requests of one peer that run at the same time; the others wait in order."""

R = TypeVar("R", bound=Message)
OnRequest = Callable[[str, Request[Any]], Awaitable[Message]]
OnNote = Callable[[str, Note], None]

_log: Final = logging.getLogger(__name__)


class _Slot:
    """Where one waiting task finds its outcome."""

    __slots__ = ("event", "outcome")

    def __init__(self) -> None:
        self.event = trio.Event()
        self.outcome: Outcome | None = None

    def settle(self, outcome: Outcome) -> None:
        self.outcome = outcome
        self.event.set()


class Channel:
    """One end of a channel to ``peer``; its tasks run in ``nursery``."""

    def __init__(
        self,
        peer: str,
        sock: socket.socket,
        on_request: OnRequest,
        on_note: OnNote,
        on_lost: Lost | None = None,
        *,
        nursery: trio.Nursery,
        core: Core | None = None,
    ) -> None:
        self.peer = peer
        self._nursery = nursery
        self._core = core or Core(peer)
        self._link = Link(sock, self._core)
        self._descriptor = sock.fileno()
        self._on_request, self._on_note, self._on_lost = on_request, on_note, on_lost
        self._running = 0
        self._waiting: deque[Asked] = deque()
        self._writing = self._closed = False
        nursery.start_soon(self._read)

    @property
    def lost(self) -> bool:
        return self._core.lost

    async def request(
        self,
        operation: Request[R],
        *,
        timeout: float = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - the deadline is the request's own
    ) -> R:
        """Ask and wait.

        Raises what the handler raised, :class:`DeadlineExceeded`, :class:`Busy`, :class:`WorkerLost`.
        """
        slot = _Slot()
        now = trio.current_time()
        ident = self._core.request(operation, now, timeout, slot.settle)
        self._flush()
        try:
            with trio.move_on_at(now + timeout):
                await slot.event.wait()
            if slot.outcome is None:
                self._core.expire(max(trio.current_time(), now + timeout))
            return cast(R, unwrap(cast(Outcome, slot.outcome)))
        finally:
            self._core.abandon(ident)

    def note(self, note: Note) -> None:
        """Tell. Raises :class:`Busy`, :class:`WorkerLost`."""
        self._core.note(note)
        self._flush()

    def close(self) -> None:
        """Fail open requests and close the socket; the reading task ends."""
        if self._closed:
            return
        self._closed = True
        trio.lowlevel.notify_closing(self._descriptor)
        self._link.close()
        self._waiting.clear()

    # -- reading

    async def _read(self) -> None:
        try:
            while not self._core.lost:
                await trio.lowlevel.wait_readable(self._descriptor)
                for item in self._link.pull():
                    self._dispatch(item)
        except (trio.ClosedResourceError, RemoteProtocolError) as error:
            self._end(error if isinstance(error, RemoteProtocolError) else None)
            return
        self._end(None)

    def _dispatch(self, item: Incoming) -> None:
        if not isinstance(item, Asked):
            _guarded(self._on_note, self.peer, item.note)
        elif self._running < MAX_HANDLERS:
            self._start(item)
        else:
            self._waiting.append(item)

    def _start(self, item: Asked) -> None:
        try:
            answer = self._on_request(self.peer, item.request)
        except Exception as error:  # noqa: BLE001 - a handler's fault is the answer, the worker goes on
            self._reply(item, _failed(self.peer, item, error))
            return
        self._running += 1
        self._nursery.start_soon(self._answer, item, answer)

    async def _answer(self, item: Asked, answer: Awaitable[Message]) -> None:
        try:
            message = await answer
        except Exception as error:  # noqa: BLE001 - as above
            message = _failed(self.peer, item, error)
        finally:
            self._running -= 1
        self._reply(item, message)
        while self._waiting and self._running < MAX_HANDLERS:
            self._start(self._waiting.popleft())

    def _end(self, error: Exception | None) -> None:
        if not self._closed:
            self.close()
            if self._on_lost is not None:
                self._on_lost(self.peer, error)

    # -- writing

    def _reply(self, item: Asked, message: Message) -> None:
        if not self._closed:
            self._core.reply(item.id, message)
            self._flush()

    def _flush(self) -> None:
        if not self._writing and not self._closed and self._link.push():
            self._writing = True
            self._nursery.start_soon(self._write)

    async def _write(self) -> None:
        try:
            while not self._closed:  # its number may belong to another descriptor by now
                await trio.lowlevel.wait_writable(self._descriptor)
                if not self._link.push():
                    break
        except trio.ClosedResourceError:
            return
        self._writing = False


class Peers:
    """All channels of a trio worker. During the restart of a peer, requests to it wait for the new channel."""

    def __init__(
        self,
        sockets: Mapping[str, socket.socket],
        on_request: OnRequest,
        on_note: OnNote,
        *,
        nursery: trio.Nursery,
        runtimes: int = 1,
        on_lost: Lost | None = None,
    ) -> None:
        self.owners = Owners(runtimes)
        self._nursery = nursery
        self._on_request, self._on_note, self._on_lost = on_request, on_note, on_lost
        self._table: Table[Channel] = Table(sockets)
        self._changed = trio.Event()
        for name, sock in sockets.items():
            self.attach(name, sock)

    async def request(
        self,
        peer: str,
        operation: Request[R],
        *,
        timeout: float = DEFAULT_TIMEOUT,  # noqa: ASYNC109 - the deadline is the request's own
        gap: float = GAP_TIMEOUT,
    ) -> R:
        """Ask a peer by name; waits at most ``gap`` seconds for one that is being restarted.

        Raises what the handler raised, :class:`DeadlineExceeded`, :class:`Busy`, :class:`WorkerLost`.
        """
        channel = self._table.get(peer) or await self._wait_for(peer, min(gap, timeout))
        return await channel.request(operation, timeout=timeout)

    def note(self, peer: str, note: Note) -> bool:
        """Tell a peer; False when it is away or does not keep up, and the note was dropped and counted."""
        channel = self._table.get(peer)
        if channel is not None:
            try:
                channel.note(note)
            except (Busy, WorkerLost):
                channel = None
        if channel is None:
            self._table.dropped += 1
        return channel is not None

    def alive(self, peer: str) -> bool:
        return self._table.get(peer) is not None

    @property
    def dropped(self) -> int:
        """Notes that were not handed over."""
        return self._table.dropped

    def attach(self, name: str, sock: socket.socket) -> None:
        """Use a new channel to a peer from now on."""
        channel = Channel(name, sock, self._on_request, self._on_note, self._on_lost, nursery=self._nursery)
        self._table.attach(name, channel)
        changed, self._changed = self._changed, trio.Event()
        changed.set()

    def detach(self, name: str) -> None:
        self._table.detach(name)

    def close(self) -> None:
        self._table.close()

    async def _wait_for(self, peer: str, seconds: float) -> Channel:
        with trio.move_on_after(seconds):
            while (channel := self._table.get(peer)) is None:
                await self._changed.wait()
            return channel
        raise gap_error(peer)


def _failed(peer: str, item: Asked, error: Exception) -> Message:
    if not isinstance(error, CalimeroError):
        _log.error("%s of %s failed", type(item.request).__name__, peer, exc_info=error)
    return failure_of(error)


def _guarded(handler: OnNote, peer: str, note: Note) -> None:
    try:
        handler(peer, note)
    except Exception:  # noqa: BLE001 - one bad note must not end the channel
        _log.exception("the note %s of %s was not handled", type(note).__name__, peer)
