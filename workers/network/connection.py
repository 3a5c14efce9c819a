"""One encrypted, multiplexed connection: a reader, a writer and a keep-alive around :class:`YamuxSession`.

Everything that belongs to a connection runs in its own nursery and ends with it. No exception of a peer's making leaves
:meth:`Connection.run`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, Protocol

import trio
from trio.lowlevel import ParkingLot

from node.errors import CalimeroError, DecodeError, RemoteProtocolError
from workers.network import limits
from workers.network.channel import EndOfStream, RawChannel
from workers.network.secure import SecureChannel
from workers.network.yamux import (
    CreditReceived,
    DataReceived,
    GoneAway,
    PongReceived,
    StreamFinished,
    StreamOpened,
    StreamRefused,
    StreamReset,
    YamuxEvent,
    YamuxSession,
)

if TYPE_CHECKING:
    from trio_typing import TaskStatus

__all__ = ["Connection", "ConnectionOwner", "StreamLost", "YamuxStream"]

log = logging.getLogger(__name__)

_SEND_AHEAD: Final = 512 * 1024
"""Bytes that wait for the socket before senders wait too."""

_CLOSE_GRACE: Final = 1.0
"""Seconds for the last frames when a connection is closed."""

_COST_MALFORMED: Final = 5
"""What bytes cost a peer that are no message of the stream's protocol."""


class StreamLost(RemoteProtocolError):
    """The stream was reset, or its connection is gone."""


class ConnectionOwner(Protocol):
    """What a connection reports to."""

    async def on_stream(self, connection: Connection, stream: YamuxStream) -> None:
        """A peer opened a stream; runs in its own task, which may take as long as the stream lives."""

    def on_refused(self, peer: str, reason: str, cost: int, detail: str) -> None:
        """The peer broke a rule."""


class YamuxStream(RawChannel):
    """A stream of a connection. One task may read and another write at the same time."""

    def __init__(self, connection: Connection, number: int) -> None:
        super().__init__()
        self.connection = connection
        self.number = number
        self._pieces: list[bytes] = []
        self._finished = False
        self._lost = False
        self._readable = ParkingLot()
        self._writable = ParkingLot()

    @property
    def lost(self) -> bool:
        """Whether the stream was reset or its connection ended."""
        return self._lost

    async def _more(self) -> bytes:
        while not self._pieces:
            if self._lost:
                raise StreamLost("stream was reset", score=0)
            if self._finished:
                return b""
            await self._readable.park()
        data = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        self._pieces.clear()
        self.connection.consumed(self.number, len(data))
        return data

    async def send_all(self, data: bytes) -> None:
        """Returns when all bytes were handed to the connection. Raises :class:`StreamLost`."""
        view = memoryview(data)
        session = self.connection.session
        await trio.lowlevel.checkpoint()
        while view:
            if self._lost or not session.writable(self.number):
                raise StreamLost("stream was reset or is closed for writing", score=0)
            if session.pending >= _SEND_AHEAD:
                await self.connection.drained()
                continue
            taken = session.send(self.number, view)
            view = view[taken:]
            if taken:
                self.connection.wake_writer()
            else:
                await self._writable.park()

    def finish(self) -> None:
        """End our direction."""
        self.connection.session.finish(self.number)
        self.connection.wake_writer()
        if self._finished:
            self.connection.forget(self.number)

    def reset(self) -> None:
        """Drop both directions."""
        self.connection.session.reset(self.number)
        self.connection.wake_writer()
        self.on_lost()
        self.connection.forget(self.number)

    async def aclose(self) -> None:
        self.reset()

    # -- called by the connection

    def on_data(self, data: bytes) -> None:
        self._pieces.append(data)
        self._readable.unpark_all()

    def on_credit(self) -> None:
        self._writable.unpark_all()

    def on_finished(self) -> None:
        self._finished = True
        self._readable.unpark_all()

    def on_lost(self) -> None:
        self._lost = True
        self._readable.unpark_all()
        self._writable.unpark_all()


class Connection:
    """A live connection to ``peer`` at ``address`` (multiaddr without the peer id). ``outbound``: this node dialled."""

    def __init__(self, channel: SecureChannel, owner: ConnectionOwner, *, address: str, outbound: bool) -> None:
        self.peer = channel.peer
        self.address = address
        self.outbound = outbound
        self.relayed = "/p2p-circuit" in address
        self.channel = channel
        self.session = YamuxSession(client=outbound, max_inbound=limits.MAX_STREAMS_PER_PEER)
        self.opened_at = trio.current_time()
        self.latency = 0.0
        self.streams: dict[int, YamuxStream] = {}
        self.closed = trio.Event()
        self._owner = owner
        self._nursery: trio.Nursery | None = None
        self._scope = trio.CancelScope()
        self._whole = True
        self._work = ParkingLot()
        self._drained = ParkingLot()
        self._pings: dict[int, tuple[float, trio.Event]] = {}
        self._ping_count = 0

    def __repr__(self) -> str:
        return f"<Connection {'to' if self.outbound else 'from'} {self.peer} {self.address}>"

    # -- life

    async def run(self, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve until the connection ends, for whatever reason. ``started`` is signalled when streams can be opened."""
        try:
            with self._scope:
                async with trio.open_nursery() as nursery:
                    self._nursery = nursery
                    nursery.start_soon(self._guard, self._read)
                    nursery.start_soon(self._guard, self._write)
                    nursery.start_soon(self._guard, self._keep_alive)
                    task_status.started()
        finally:
            self._nursery = None
            await self._shut_down()

    def close(self) -> None:
        """End the connection; :attr:`closed` is set when it is over."""
        self._scope.cancel()

    def start_soon(self, function: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Run a task that ends with the connection. Its errors are logged; they end neither connection nor process."""
        if self._nursery is not None:
            self._nursery.start_soon(self._survive, function, args)

    async def _survive(self, function: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        try:
            await function(*args)
        except RemoteProtocolError as error:
            self._refuse("protocol", error)
        except DecodeError as error:
            self._owner.on_refused(self.peer, "malformed", _COST_MALFORMED, str(error))
        except trio.TooSlowError:
            self._owner.on_refused(self.peer, "stalled", 1, "did not go on with a stream in time")
        except Exception:
            log.exception("task of %s failed", self)
            self._owner.on_refused(self.peer, "internal", 0, "a task failed")

    async def _guard(self, loop: Callable[[], Awaitable[None]]) -> None:
        """Run one of the three loops; when it ends the connection ends."""
        try:
            await loop()
        except EndOfStream as error:
            log.debug("%s: %s", self, error)
        except RemoteProtocolError as error:
            self._refuse("connection", error)
        except trio.TooSlowError:
            self._owner.on_refused(self.peer, "stalled", 1, "took no bytes or answered no ping in time")
        except Exception:
            log.exception("loop of %s failed", self)
        self.close()

    def _refuse(self, reason: str, error: RemoteProtocolError) -> None:
        if not isinstance(error, StreamLost):
            self._owner.on_refused(self.peer, reason, error.score, str(error))

    async def _shut_down(self) -> None:
        with trio.CancelScope(shield=True, deadline=trio.current_time() + _CLOSE_GRACE):
            await self._say_goodbye()
        with trio.CancelScope(shield=True):
            await self.channel.aclose()
        for stream in list(self.streams.values()):
            stream.on_lost()
        self.streams.clear()
        self._drained.unpark_all()
        for _, answered in self._pings.values():
            answered.set()
        self.closed.set()

    async def _say_goodbye(self) -> None:
        """The last frames, unless the writer was interrupted: what follows half a frame is garbage to the peer."""
        if not self._whole:
            return
        self.session.go_away()
        try:
            await self.channel.send_frames(self.session.data_to_send())
        except CalimeroError as error:
            log.debug("%s: no farewell: %s", self, error)

    # -- streams

    def open_stream(self) -> YamuxStream:
        """A new stream without a protocol yet. Raises :class:`StreamLost` on a closed connection."""
        if self._nursery is None:
            raise StreamLost(f"connection to {self.peer} is closed", score=0)
        stream = YamuxStream(self, self.session.open_stream())
        self.streams[stream.number] = stream
        self.wake_writer()
        return stream

    def forget(self, number: int) -> None:
        """Drop the bookkeeping of a stream that is over in both directions."""
        self.streams.pop(number, None)

    def consumed(self, number: int, size: int) -> None:
        self.session.consumed(number, size, trio.current_time())
        self.wake_writer()

    # -- loops

    def wake_writer(self) -> None:
        if self.session.pending:
            self._work.unpark_all()

    async def drained(self) -> None:
        """Wait until the writer took what was pending."""
        await self._drained.park()

    async def _write(self) -> None:
        while True:
            if not self.session.pending:
                await self._work.park()
            frames = self.session.data_to_send()
            self._drained.unpark_all()
            self._whole = False
            with trio.fail_after(limits.WRITE_STALL):
                await self.channel.send_frames(frames)
            self._whole = True

    async def _read(self) -> None:
        while True:
            data = await self.channel.receive_some()
            if not data:
                return
            for event in self.session.receive(data):
                self._take(event)
            self.wake_writer()

    def _take(self, event: YamuxEvent) -> None:
        match event:
            case DataReceived(number, data):
                if number in self.streams:
                    self.streams[number].on_data(data)
                else:
                    self.session.reset(number)
            case CreditReceived(number):
                if number in self.streams:
                    self.streams[number].on_credit()
            case StreamOpened(number):
                self._accept(number)
            case StreamFinished(number):
                self._on_finished(number)
            case StreamReset(number):
                stream = self.streams.pop(number, None)
                if stream is not None:
                    stream.on_lost()
            case StreamRefused():
                self._owner.on_refused(self.peer, "streams", 1, f"more than {limits.MAX_STREAMS_PER_PEER} streams")
            case PongReceived(nonce):
                self._on_pong(nonce)
            case GoneAway(code):
                raise EndOfStream(f"peer ended the session with code {code}")

    def _accept(self, number: int) -> None:
        stream = self.streams[number] = YamuxStream(self, number)
        self.start_soon(self._serve, stream)

    async def _serve(self, stream: YamuxStream) -> None:
        try:
            await self._owner.on_stream(self, stream)
        except BaseException:
            stream.reset()
            raise

    def _on_finished(self, number: int) -> None:
        stream = self.streams.get(number)
        if stream is None:
            return
        stream.on_finished()
        if not self.session.writable(number):
            self.forget(number)

    # -- keep-alive

    async def ping(self) -> float:
        """Round-trip time in seconds. Raises ``trio.TooSlowError`` when there is no answer in time."""
        self._ping_count += 1
        nonce, answered, start = self._ping_count, trio.Event(), trio.current_time()
        self._pings[nonce] = (start, answered)
        try:
            self.session.ping(nonce)
            self.wake_writer()
            with trio.fail_after(limits.PING_TIMEOUT):
                await answered.wait()
        finally:
            self._pings.pop(nonce, None)
        return trio.current_time() - start

    async def _keep_alive(self) -> None:
        while True:
            self.latency = await self.ping()
            await trio.sleep(limits.PING_INTERVAL)

    def _on_pong(self, nonce: int) -> None:
        waiting = self._pings.get(nonce)
        if waiting is not None:
            waiting[1].set()
