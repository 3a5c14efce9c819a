"""Channels for workers that run an asyncio loop.

Handlers: ``on_request(peer, request)`` is called in the order of arrival and returns an awaitable of the answer, which
then runs as a task, at most ``MAX_HANDLERS`` at a time for one peer; an ``async def`` fits. ``on_note(peer, note)`` is
a plain function, called in order; it must not block.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, TypeVar, cast

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


class Channel:
    """One end of a channel to ``peer``; made inside the running loop."""

    def __init__(
        self,
        peer: str,
        sock: socket.socket,
        on_request: OnRequest,
        on_note: OnNote,
        on_lost: Lost | None = None,
        *,
        core: Core | None = None,
    ) -> None:
        self.peer = peer
        self._loop = asyncio.get_running_loop()
        self._core = core or Core(peer)
        self._link = Link(sock, self._core)
        self._on_request, self._on_note, self._on_lost = on_request, on_note, on_lost
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: deque[Asked] = deque()
        self._writing = self._closed = False
        self._timer: asyncio.TimerHandle | None = None
        self._loop.add_reader(sock, self._readable)

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
        future: asyncio.Future[Outcome] = self._loop.create_future()
        ident = self._core.request(operation, self._loop.time(), timeout, partial(_settle, future))
        self._flush()
        self._arm()
        try:
            return cast(R, unwrap(await future))
        finally:
            self._core.abandon(ident)

    def note(self, note: Note) -> None:
        """Tell. Raises :class:`Busy`, :class:`WorkerLost`."""
        self._core.note(note)
        self._flush()

    def close(self) -> None:
        """Fail open requests, stop the handlers of the other side's, and close the socket."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._link.sock)
        self._loop.remove_writer(self._link.sock)
        if self._timer is not None:
            self._timer.cancel()
        self._link.close()
        self._waiting.clear()

    # -- reading

    def _readable(self) -> None:
        try:
            incoming = self._link.pull()
        except RemoteProtocolError as error:
            self._end(error)
            return
        for item in incoming:
            self._dispatch(item)
        if self._core.lost:
            self._end(None)

    def _dispatch(self, item: Incoming) -> None:
        if not isinstance(item, Asked):
            _guarded(self._on_note, self.peer, item.note)
        elif len(self._tasks) < MAX_HANDLERS:
            self._start(item)
        else:
            self._waiting.append(item)

    def _start(self, item: Asked) -> None:
        try:
            answer = self._on_request(self.peer, item.request)
        except Exception as error:  # noqa: BLE001 - a handler's fault is the answer, the worker goes on
            self._reply(item, _failed(self.peer, item, error))
            return
        task = self._loop.create_task(self._answer(item, answer))
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    async def _answer(self, item: Asked, answer: Awaitable[Message]) -> None:
        try:
            message = await answer
        except Exception as error:  # noqa: BLE001 - as above
            message = _failed(self.peer, item, error)
        self._reply(item, message)

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if task.cancelled():
            return
        while self._waiting and len(self._tasks) < MAX_HANDLERS:
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
        if self._writing or self._closed:
            return
        if self._link.push():
            self._writing = True
            self._loop.add_writer(self._link.sock, self._writable)

    def _writable(self) -> None:
        if not self._link.push():
            self._writing = False
            self._loop.remove_writer(self._link.sock)

    # -- time

    def _arm(self) -> None:
        """One timer per channel, for the earliest deadline; a later one is found when it fires."""
        if self._timer is None and not self._closed and (deadline := self._core.next_deadline()) is not None:
            self._timer = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._core.expire(self._loop.time())
        self._arm()


class Peers:
    """All channels of an asyncio worker. During the restart of a peer, requests to it wait for the new channel."""

    def __init__(
        self,
        sockets: Mapping[str, socket.socket],
        on_request: OnRequest,
        on_note: OnNote,
        *,
        runtimes: int = 1,
        on_lost: Lost | None = None,
    ) -> None:
        self.owners = Owners(runtimes)
        self._on_request, self._on_note, self._on_lost = on_request, on_note, on_lost
        self._table: Table[Channel] = Table(sockets)
        self._changed = asyncio.Event()
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
        self._table.attach(name, Channel(name, sock, self._on_request, self._on_note, self._on_lost))
        self._changed.set()

    def detach(self, name: str) -> None:
        self._table.detach(name)

    def close(self) -> None:
        self._table.close()

    async def _wait_for(self, peer: str, seconds: float) -> Channel:
        try:
            async with asyncio.timeout(seconds):
                while (channel := self._table.get(peer)) is None:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError as error:
            raise gap_error(peer) from error
        return channel


def _settle(future: asyncio.Future[Outcome], outcome: Outcome) -> None:
    if not future.done():
        future.set_result(outcome)


def _failed(peer: str, item: Asked, error: Exception) -> Message:
    if not isinstance(error, CalimeroError):
        _log.error("%s of %s failed", type(item.request).__name__, peer, exc_info=error)
    return failure_of(error)


def _guarded(handler: OnNote, peer: str, note: Note) -> None:
    try:
        handler(peer, note)
    except Exception:  # noqa: BLE001 - one bad note must not end the channel
        _log.exception("the note %s of %s was not handled", type(note).__name__, peer)
