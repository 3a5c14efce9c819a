"""Yamux as a pure state machine: bytes in, events and bytes out. No I/O, no clock.

Rules: a frame leaves whole or not at all; the peer never gets more credit than was consumed; a peer that breaks flow
control, reuses an id or opens with the wrong parity ends the session; streams beyond the limit are reset at once and
counted. Interoperates with rust-yamux 0.13 (256 KiB initial window, at most 256 unacknowledged streams).
Source: hashicorp/yamux spec.md.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

from node.errors import RemoteProtocolError

INITIAL_WINDOW: Final = 256 * 1024
MAX_WINDOW: Final = 4 * 1024 * 1024
"""Receive window of a fast stream; a larger one does not make loopback or a LAN faster."""

SESSION_WINDOW: Final = 64 * 1024 * 1024
"""Sum of all receive windows beyond their initial size: what one peer can make us buffer."""

MAX_DATA_FRAME: Final = 16 * 1024
"""Payload of the data frames that we send; rust-yamux's own size, and small enough to interleave streams."""

MAX_CONTROL_BACKLOG: Final = 1024 * 1024
"""Unsent acknowledgements; a peer that pings but does not read reaches it and is cut off."""

_HEADER: Final = struct.Struct("!BBHII")
_DATA, _WINDOW, _PING, _GO_AWAY = range(4)
_SYN, _ACK, _FIN, _RST = 1, 2, 4, 8
_MAX_ID: Final = 2**32 - 1


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """The peer opened a stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class DataReceived:
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class CreditReceived:
    """The peer can take more bytes of this stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamFinished:
    """The peer sends no more on this stream."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamReset:
    """The stream is dead in both directions; bytes received before stay readable."""

    stream: int


@dataclass(frozen=True, slots=True)
class StreamRefused:
    """The peer opened a stream beyond the limit; it was reset."""


@dataclass(frozen=True, slots=True)
class PongReceived:
    nonce: int


@dataclass(frozen=True, slots=True)
class GoneAway:
    """The peer ends the session; ``code`` 0 is the normal way."""

    code: int


YamuxEvent = (
    StreamOpened
    | DataReceived
    | CreditReceived
    | StreamFinished
    | StreamReset
    | StreamRefused
    | PongReceived
    | GoneAway
)


@dataclass(slots=True)
class _Stream:
    send_credit: int = INITIAL_WINDOW
    receive_credit: int = INITIAL_WINDOW
    window: int = INITIAL_WINDOW
    consumed: int = 0
    grown_at: float = float("-inf")
    inbound: bool = False
    sent_fin: bool = False
    got_fin: bool = False


@dataclass(slots=True)
class YamuxSession:
    """One multiplexed connection. ``client``: this side dialled. ``max_inbound``: streams the peer may have open."""

    client: bool
    max_inbound: int
    _streams: dict[int, _Stream] = field(default_factory=dict)
    _buffer: bytearray = field(default_factory=bytearray)
    _out: deque[bytes] = field(default_factory=deque)
    _events: list[YamuxEvent] = field(default_factory=list)
    _next_id: int = 0
    _inbound: int = 0
    _extra_window: int = 0
    _control: int = 0
    pending: int = 0
    """Bytes that wait in :meth:`data_to_send`."""

    def __post_init__(self) -> None:
        self._next_id = 1 if self.client else 2

    # -- what this side does

    def open_stream(self) -> int:
        """A new stream; its SYN leaves with the next bytes. Raises :class:`RemoteProtocolError` when ids ran out."""
        stream = self._next_id
        if stream > _MAX_ID:
            raise RemoteProtocolError("yamux stream ids of this connection are used up; dial again")
        self._next_id += 2
        self._streams[stream] = _Stream()
        self._put(_WINDOW, _SYN, stream, 0)
        return stream

    def send(self, stream: int, data: memoryview) -> int:
        """Take as much of ``data`` as credit and frame size allow; returns the number of bytes taken (0: wait)."""
        state = self._streams.get(stream)
        if state is None or state.sent_fin:
            return 0
        size = min(len(data), state.send_credit, MAX_DATA_FRAME)
        if size:
            state.send_credit -= size
            self._put(_DATA, 0, stream, size, bytes(data[:size]))
        return size

    def writable(self, stream: int) -> bool:
        """Whether the stream exists and its sending half is open."""
        state = self._streams.get(stream)
        return state is not None and not state.sent_fin

    def finish(self, stream: int) -> None:
        """End the sending half; no effect when it is over already."""
        state = self._streams.get(stream)
        if state is None or state.sent_fin:
            return
        state.sent_fin = True
        self._put(_DATA, _FIN, stream, 0)
        self._drop_if_done(stream, state)

    def reset(self, stream: int) -> None:
        """Drop the stream in both directions."""
        if stream in self._streams:
            self._put(_DATA, _RST, stream, 0)
            self._drop(stream)

    def consumed(self, stream: int, size: int, now: float) -> None:
        """The application took ``size`` bytes; credit is returned half a window at a time.

        A reader that takes half a window within 0.2 s gets a window of double size, up to the limits.
        """
        state = self._streams.get(stream)
        if state is None or state.got_fin:
            return
        state.consumed += size
        if state.consumed * 2 < state.window:
            return
        credit, state.consumed = state.consumed, 0
        if now - state.grown_at < 0.2:
            credit += self._grow(state)
        state.grown_at = now
        state.receive_credit += credit
        self._put(_WINDOW, 0, stream, credit)

    def ping(self, nonce: int) -> None:
        """Ask for a pong with this nonce."""
        self._put(_PING, _SYN, 0, nonce)

    def go_away(self, code: int = 0) -> None:
        """Tell the peer that the session ends."""
        self._put(_GO_AWAY, 0, 0, code)

    def data_to_send(self) -> list[bytes]:
        """All frames that wait, in order; they count as sent."""
        frames = list(self._out)
        self._out.clear()
        self.pending = self._control = 0
        return frames

    # -- what the peer does

    def receive(self, data: bytes) -> list[YamuxEvent]:
        """Take bytes from the peer. Raises :class:`RemoteProtocolError` when it broke the protocol: close then."""
        self._buffer += data
        self._events = []
        offset = 0
        while len(self._buffer) - offset >= _HEADER.size:
            size = self._take_frame(offset)
            if not size:
                break
            offset += size
        del self._buffer[:offset]
        if self._control > MAX_CONTROL_BACKLOG:
            raise RemoteProtocolError("peer sends control frames and reads none of the answers", score=20)
        return self._events

    def _take_frame(self, offset: int) -> int:
        """Handle the frame at ``offset``; its size, or 0 when it is not complete yet."""
        version, kind, flags, stream, length = _HEADER.unpack_from(self._buffer, offset)
        if version != 0 or kind > _GO_AWAY:
            raise RemoteProtocolError(f"not a yamux frame: version {version}, type {kind}", score=20)
        if kind == _DATA:
            return self._take_data(offset, flags, stream, length)
        if kind == _WINDOW:
            self._take_window(flags, stream, length)
        elif kind == _PING:
            self._take_ping(flags, length)
        else:
            self._events.append(GoneAway(length))
        return _HEADER.size

    def _take_data(self, offset: int, flags: int, stream: int, length: int) -> int:
        state = self._streams.get(stream)
        allowed = state.receive_credit if state else MAX_WINDOW
        if length > (INITIAL_WINDOW if flags & _SYN else allowed):
            raise RemoteProtocolError(f"yamux data frame of {length} bytes beyond the credit of its stream", score=50)
        end = offset + _HEADER.size + length
        if len(self._buffer) < end:
            return 0
        state = self._opened(flags, stream, state)
        if state is not None:
            if length:
                state.receive_credit -= length
                self._events.append(DataReceived(stream, bytes(self._buffer[offset + _HEADER.size : end])))
            self._take_end(flags, stream, state)
        return _HEADER.size + length

    def _take_window(self, flags: int, stream: int, credit: int) -> None:
        state = self._opened(flags, stream, self._streams.get(stream))
        if state is None:
            return
        if credit:
            state.send_credit = min(state.send_credit + credit, _MAX_ID)
            self._events.append(CreditReceived(stream))
        self._take_end(flags, stream, state)

    def _opened(self, flags: int, stream: int, state: _Stream | None) -> _Stream | None:
        """The stream of a frame, made new when the frame opens it; None for one that is over or refused."""
        if not flags & _SYN:
            return state
        if stream % 2 == int(self.client) or stream == 0 or state is not None:
            raise RemoteProtocolError(f"peer opened yamux stream {stream}, which is not its to open", score=50)
        if self._inbound >= self.max_inbound:
            self._put(_DATA, _RST, stream, 0)
            self._events.append(StreamRefused())
            return None
        self._inbound += 1
        state = self._streams[stream] = _Stream(inbound=True)
        self._put(_WINDOW, _ACK, stream, 0)
        self._events.append(StreamOpened(stream))
        return state

    def _take_end(self, flags: int, stream: int, state: _Stream) -> None:
        if flags & _RST:
            self._drop(stream)
            self._events.append(StreamReset(stream))
        elif flags & _FIN and not state.got_fin:
            state.got_fin = True
            self._events.append(StreamFinished(stream))
            self._drop_if_done(stream, state)

    def _take_ping(self, flags: int, nonce: int) -> None:
        if flags & _SYN:
            self._put(_PING, _ACK, 0, nonce)
        elif flags & _ACK:
            self._events.append(PongReceived(nonce))

    # -- shared

    def _put(self, kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> None:
        frame = _HEADER.pack(0, kind, flags, stream, length) + body
        self._out.append(frame)
        self.pending += len(frame)
        if not body:
            self._control += len(frame)

    def _grow(self, state: _Stream) -> int:
        extra = min(state.window, MAX_WINDOW - state.window, SESSION_WINDOW - self._extra_window)
        state.window += extra
        self._extra_window += extra
        return extra

    def _drop_if_done(self, stream: int, state: _Stream) -> None:
        if state.sent_fin and state.got_fin:
            self._drop(stream)

    def _drop(self, stream: int) -> None:
        state = self._streams.pop(stream)
        self._inbound -= state.inbound
        self._extra_window -= state.window - INITIAL_WINDOW
