"""Application streams: frames of 4 bytes big-endian length and payload, credit towards the node, deadlines.

Source of the framing: core 0.10.0: crates/network/primitives/src/stream/codec.rs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

import trio
from trio.lowlevel import ParkingLot

from node.errors import DeadlineExceeded, LocalProtocolError, NotFound, RemoteProtocolError
from workers.messages.base import Note
from workers.messages.network import FrameReceived, StreamClosed, StreamOpened
from workers.network import limits, multistream
from workers.network.channel import EndOfStream
from workers.network.connection import Connection, StreamLost, YamuxStream

__all__ = ["BLOB", "PROTOCOLS", "SYNC", "AppStream", "AppStreams"]

SYNC: Final = "/calimero/stream/0.0.2"
BLOB: Final = "/calimero/blob/0.0.2"
PROTOCOLS: Final = (SYNC, BLOB)
_PREFIX: Final = 4


class AppStream:
    """One stream with its framing. Bytes that the node has not credited yet are bounded by the frame window."""

    def __init__(self, stream: YamuxStream, number: int, protocol: str) -> None:
        self.stream = stream
        self.number = number
        self.protocol = protocol
        self.sending_over = False
        self.receiving_over = False
        self._uncredited: deque[int] = deque()
        self._uncredited_bytes = 0
        self._room = ParkingLot()
        self._turn = trio.Event()
        self._turn.set()

    @property
    def peer(self) -> str:
        return self.stream.connection.peer

    def queue(self, payload: bytes) -> Awaitable[None]:
        """Write one frame after all that were queued before; the result is done when it was handed to the transport.

        Raises :class:`LocalProtocolError` for a frame that is too large. The result raises :class:`StreamLost`, or
        :class:`DeadlineExceeded` when the peer takes nothing; the stream is reset then.
        """
        if len(payload) > limits.MAX_FRAME:
            raise LocalProtocolError(f"frame of {len(payload)} bytes, at most {limits.MAX_FRAME} are allowed; cut it")
        before, self._turn = self._turn, trio.Event()
        return self._send(payload, before, self._turn)

    async def _send(self, payload: bytes, before: trio.Event, done: trio.Event) -> None:
        try:
            await before.wait()
            with trio.fail_after(limits.STREAM_STALL):
                await self.stream.send_all(len(payload).to_bytes(_PREFIX, "big") + payload)
        except trio.TooSlowError as error:
            self.stream.reset()
            raise DeadlineExceeded(f"peer {self.peer} took no frame within {limits.STREAM_STALL:g} s") from error
        finally:
            done.set()

    @property
    def idle(self) -> bool:
        """Whether everything queued was sent."""
        return self._turn.is_set()

    async def flush(self) -> None:
        """Wait until everything queued was sent or failed."""
        await self._turn.wait()

    async def receive(self) -> bytes | None:
        """The next frame; None at the end. Raises :class:`RemoteProtocolError` for an oversized or cut frame."""
        with trio.fail_after(limits.STREAM_IDLE):
            if await self.stream.at_end():
                return None
        with trio.fail_after(limits.STREAM_STALL):
            size = int.from_bytes(await self.stream.receive_exactly(_PREFIX), "big")
            if size > limits.MAX_FRAME:
                raise RemoteProtocolError(f"frame of {size} bytes, at most {limits.MAX_FRAME} are allowed", score=20)
            return await self.stream.receive_exactly(size)

    async def window(self, size: int) -> None:
        """Wait until the node may be given a frame of ``size`` bytes, and count it."""
        while self._uncredited and (
            len(self._uncredited) >= limits.FRAME_WINDOW or self._uncredited_bytes + size > limits.FRAME_WINDOW_BYTES
        ):
            await self._room.park()
        self._uncredited.append(size)
        self._uncredited_bytes += size

    def credit(self, frames: int) -> None:
        """The node consumed so many frames."""
        for _ in range(min(frames, len(self._uncredited))):
            self._uncredited_bytes -= self._uncredited.popleft()
        self._room.unpark_all()


class AppStreams:
    """All application streams by number. Numbers are unique within the life of the worker."""

    def __init__(self, sink: Callable[[Note], Awaitable[None]], refuse: Callable[[str, str, int, str], None]) -> None:
        self._sink = sink
        self._refuse = refuse
        self._streams: dict[int, AppStream] = {}
        self._next = 1

    def count(self, peer: str) -> int:
        """Open streams with a peer."""
        return sum(stream.peer == peer for stream in self._streams.values())

    async def open(self, connection: Connection, protocol: str) -> int:
        """Open a stream to a peer; returns its number. Raises :class:`multistream.Unsupported` or
        :class:`DeadlineExceeded`."""
        if protocol not in PROTOCOLS:
            raise LocalProtocolError(f"protocol {protocol!r} is not one of {', '.join(PROTOCOLS)}")
        raw = connection.open_stream()
        try:
            with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
                await multistream.propose(raw, [protocol])
        except trio.TooSlowError as error:
            raw.reset()
            raise DeadlineExceeded(f"peer {connection.peer} did not agree to {protocol} in time") from error
        except BaseException:
            raw.reset()
            raise
        stream = self._enter(raw, protocol)
        connection.start_soon(self._pump, stream)
        return stream.number

    async def on_stream(self, raw: YamuxStream, protocol: str) -> None:
        """A peer opened a stream and named its protocol: serve it until the peer's direction is over."""
        stream = self._enter(raw, protocol)
        await self._sink(StreamOpened(stream.number, stream.peer, protocol))
        await self._pump(stream)

    def send(self, number: int, payload: bytes) -> Awaitable[None]:
        """Queue one frame, see :meth:`AppStream.queue`. Raises :class:`NotFound` for a stream that is over."""
        stream = self._streams.get(number)
        if stream is None or stream.sending_over:
            raise NotFound(f"stream {number} is over; open a new one")
        return stream.queue(payload)

    def credit(self, number: int, frames: int) -> None:
        """Open the window of a stream again; unknown numbers are streams that ended meanwhile."""
        stream = self._streams.get(number)
        if stream is not None:
            stream.credit(frames)

    def close(self, number: int, *, reset: bool) -> None:
        """Finish our direction, or drop both."""
        stream = self._streams.get(number)
        if stream is None:
            return
        stream.sending_over = True
        if reset:
            stream.stream.reset()
            del self._streams[number]
        elif stream.idle:
            self._finish(stream)
        else:
            stream.stream.connection.start_soon(self._finish_later, stream)

    def drop_all(self) -> None:
        """Reset every stream without telling the node."""
        for number in list(self._streams):
            self.close(number, reset=True)

    async def _finish_later(self, stream: AppStream) -> None:
        await stream.flush()
        self._finish(stream)

    def _finish(self, stream: AppStream) -> None:
        stream.stream.finish()
        self._drop_if_done(stream)

    def _enter(self, raw: YamuxStream, protocol: str) -> AppStream:
        stream = AppStream(raw, self._next, protocol)
        self._next += 1
        self._streams[stream.number] = stream
        return stream

    async def _pump(self, stream: AppStream) -> None:
        """Hand frames to the node until the peer's direction ends, then say so exactly once."""
        reset = True
        try:
            while (payload := await stream.receive()) is not None:
                await stream.window(len(payload))
                await self._sink(FrameReceived(stream.number, payload))
            reset = False
        except (StreamLost, trio.TooSlowError):
            stream.stream.reset()
        except EndOfStream as error:
            stream.stream.reset()
            self._refuse(stream.peer, "frame-cut", error.score, str(error))
        except RemoteProtocolError as error:
            stream.stream.reset()
            self._refuse(stream.peer, "frame-size", error.score, str(error))
        except trio.Cancelled:
            stream.stream.reset()
            raise
        finally:
            await self._end(stream, reset=reset)

    async def _end(self, stream: AppStream, *, reset: bool) -> None:
        known = stream.number in self._streams
        stream.receiving_over = True
        stream.sending_over = stream.sending_over or reset
        self._drop_if_done(stream)
        if known:
            with trio.CancelScope(shield=True, deadline=trio.current_time() + 1.0):
                await self._sink(StreamClosed(stream.number, reset))

    def _drop_if_done(self, stream: AppStream) -> None:
        if stream.sending_over and stream.receiving_over:
            self._streams.pop(stream.number, None)
