"""The rules of one end of a channel, without I/O and without a clock.

A frame is ``u32 length | u8 kind | u32 request id | message``, big-endian; the length counts the message alone. Bytes
to send collect in :attr:`Core.outbox`; received bytes go into :meth:`Core.receive`, which settles answered requests and
returns what the other side asked or told. Time is a float in seconds of the shell's own clock.
"""

from __future__ import annotations

import heapq
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final, Protocol

from node.errors import (
    Busy,
    CalimeroError,
    DeadlineExceeded,
    DecodeError,
    LocalProtocolError,
    RemoteProtocolError,
    WorkerLost,
)
from workers.messages import Failure, Message, Note, Request, decode_message, encode_message, failure_of, raise_failure

MAX_MESSAGE: Final = 64 * 1024 * 1024
"""Bytes of one message. The largest legitimate one is a call's arguments or result (10 MiB each) with its delta."""

MAX_OUTBOX_FRAMES: Final = 4096
"""Requests and notes that may wait for the socket; more means that the reader does not keep up."""

MAX_OUTBOX_BYTES: Final = 32 * 1024 * 1024
"""Bytes that may wait for the socket. One message alone may be larger, so that it can be sent at all."""

MAX_OPEN: Final = 2048
"""Unanswered requests of one side, given up ones included: they still cost the other side an answer."""

DEFAULT_TIMEOUT: Final = 30.0
"""Seconds that a request may take if the caller names no time."""

HEADER: Final = struct.Struct(">IBI")


class Kind(IntEnum):
    """What a frame is. ``PARCEL`` is a note that travels with one file descriptor."""

    REQUEST = 1
    REPLY = 2
    NOTE = 3
    PARCEL = 4


class Descriptor(Protocol):
    """What a parcel carries; a socket is one. The sending link closes it once it is on its way."""

    def fileno(self) -> int: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Outgoing:
    """Bytes that wait for the socket, with the descriptor that travels with their first byte."""

    data: bytes | memoryview
    descriptor: Descriptor | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The other side wants an answer under ``id``."""

    id: int
    request: Request[Any]


@dataclass(frozen=True, slots=True)
class Told:
    """The other side told something. ``parcel``: a descriptor came with it."""

    note: Note
    parcel: bool = False


Incoming = Asked | Told
Outcome = Message | CalimeroError
Settle = Callable[[Outcome], None]
"""Called exactly once for every request that was not given up, with the answer or the error."""


@dataclass(frozen=True, slots=True)
class _Open:
    operation: str
    timeout: float
    settle: Settle


class Core:
    """One end of a channel to ``name``; the name is used in error texts."""

    def __init__(
        self,
        name: str,
        *,
        max_frames: int = MAX_OUTBOX_FRAMES,
        max_bytes: int = MAX_OUTBOX_BYTES,
        max_open: int = MAX_OPEN,
    ) -> None:
        self.name = name
        self.outbox: deque[Outgoing] = deque()
        self.outbox_bytes = 0
        self.late = 0
        self.unreadable = 0
        self.lost = False
        self._max_frames, self._max_bytes, self._max_open = max_frames, max_bytes, max_open
        self._open: dict[int, _Open] = {}
        self._abandoned: set[int] = set()
        self._deadlines: list[tuple[float, int]] = []
        self._next_id = 0
        self._buffer = bytearray()

    # -- sending

    def request(self, operation: Request[Any], now: float, timeout: float, settle: Settle) -> int:
        """Put a request into the outbox and return its id. Raises :class:`Busy`, :class:`WorkerLost`."""
        self._admit()
        if len(self._open) + len(self._abandoned) >= self._max_open:
            raise Busy(f"{self.name} has {self._max_open} unanswered requests; try again")
        ident = self._fresh_id()
        self._put(Kind.REQUEST, ident, encode_message(operation))
        self._open[ident] = _Open(type(operation).__name__, timeout, settle)
        heapq.heappush(self._deadlines, (now + timeout, ident))
        return ident

    def note(self, note: Note, descriptor: Descriptor | None = None) -> None:
        """Put a note into the outbox. Raises :class:`Busy`, :class:`WorkerLost`."""
        self._admit()
        self._put(Kind.NOTE if descriptor is None else Kind.PARCEL, 0, encode_message(note), descriptor)

    def reply(self, ident: int, answer: Message) -> None:
        """Put an answer into the outbox; never refused, since the other side's open requests bound it."""
        if self.lost:
            return
        data = encode_message(answer)
        if len(data) > MAX_MESSAGE:
            data = encode_message(failure_of(self._too_large(len(data))))
        self._put(Kind.REPLY, ident, data)

    def sent(self, count: int) -> None:
        """The socket took ``count`` bytes of the first entry of the outbox."""
        head = self.outbox[0]
        self.outbox_bytes -= count
        if count == len(head.data):
            self.outbox.popleft()
        else:
            head.data, head.descriptor = memoryview(head.data)[count:], None

    # -- receiving

    def receive(self, data: bytes) -> list[Incoming]:
        """Take received bytes. Raises :class:`RemoteProtocolError` for bytes that are no frames."""
        self._buffer += data
        incoming: list[Incoming] = []
        offset = 0
        while (frame := self._frame_at(offset)) is not None:
            kind, ident, end = frame
            body = bytes(memoryview(self._buffer)[offset + HEADER.size : end])
            self._take(kind, ident, body, incoming)
            offset = end
        if offset:
            del self._buffer[:offset]
        return incoming

    def expire(self, now: float) -> None:
        """Fail every request whose time is over."""
        while self._deadlines and self._deadlines[0][0] <= now:
            ident = heapq.heappop(self._deadlines)[1]
            if (waiting := self._open.pop(ident, None)) is not None:
                self._abandoned.add(ident)
                waiting.settle(
                    DeadlineExceeded(f"{self.name} did not answer {waiting.operation} within {waiting.timeout:g} s")
                )

    def next_deadline(self) -> float | None:
        """When :meth:`expire` has something to do next."""
        while self._deadlines and self._deadlines[0][1] not in self._open:
            heapq.heappop(self._deadlines)
        return self._deadlines[0][0] if self._deadlines else None

    def abandon(self, ident: int) -> None:
        """Nobody waits for this request any more; nothing happens when it is settled already."""
        if self._open.pop(ident, None) is not None:
            self._abandoned.add(ident)

    def lose(self) -> None:
        """The other side is gone: fail every open request and forget what was to be sent."""
        self.lost = True
        waiting, self._open = list(self._open.values()), {}
        while self.outbox:
            if (descriptor := self.outbox.popleft().descriptor) is not None:
                descriptor.close()
        self.outbox_bytes = 0
        self._deadlines.clear()
        for item in waiting:
            item.settle(WorkerLost(f"{self.name} went away while it held {item.operation}"))

    @property
    def open_requests(self) -> int:
        return len(self._open)

    # -- inside

    def _admit(self) -> None:
        if self.lost:
            raise WorkerLost(f"{self.name} is gone")
        if len(self.outbox) >= self._max_frames or self.outbox_bytes >= self._max_bytes:
            raise Busy(f"the channel to {self.name} is full ({len(self.outbox)} messages wait); try again")

    def _put(self, kind: Kind, ident: int, body: bytes, descriptor: Descriptor | None = None) -> None:
        if len(body) > MAX_MESSAGE:
            raise self._too_large(len(body))
        data = HEADER.pack(len(body), kind, ident) + body
        self.outbox.append(Outgoing(data, descriptor))
        self.outbox_bytes += len(data)

    def _too_large(self, size: int) -> LocalProtocolError:
        return LocalProtocolError(f"a message of {size} bytes to {self.name} is over the limit of {MAX_MESSAGE}")

    def _fresh_id(self) -> int:
        while True:
            self._next_id = (self._next_id + 1) & 0xFFFFFFFF
            if self._next_id not in self._open and self._next_id not in self._abandoned:
                return self._next_id

    def _frame_at(self, offset: int) -> tuple[int, int, int] | None:
        """Kind, request id and end of the frame that starts at ``offset``; None while it is incomplete."""
        if len(self._buffer) - offset < HEADER.size:
            return None
        length, kind, ident = HEADER.unpack_from(self._buffer, offset)
        if length > MAX_MESSAGE:
            raise RemoteProtocolError(
                f"{self.name} announced a message of {length} bytes, over the limit of {MAX_MESSAGE}"
            )
        end = offset + HEADER.size + length
        return (kind, ident, end) if len(self._buffer) >= end else None

    def _take(self, kind: int, ident: int, body: bytes, incoming: list[Incoming]) -> None:
        match kind:
            case Kind.REPLY:
                self._settle(ident, _read(body))
            case Kind.REQUEST:
                self._take_request(ident, _read(body), incoming)
            case Kind.NOTE | Kind.PARCEL:
                self._take_note(_read(body), kind == Kind.PARCEL, incoming)
            case _:
                raise RemoteProtocolError(f"{self.name} sent a frame of unknown kind {kind}")

    def _settle(self, ident: int, outcome: Outcome) -> None:
        if (waiting := self._open.pop(ident, None)) is not None:
            waiting.settle(outcome)
            return
        self._abandoned.discard(ident)
        self.late += 1

    def _take_request(self, ident: int, message: Outcome, incoming: list[Incoming]) -> None:
        if isinstance(message, Request):
            incoming.append(Asked(ident, message))
        else:
            self.unreadable += 1
            self.reply(ident, failure_of(_not_a(message, "request")))

    def _take_note(self, message: Outcome, parcel: bool, incoming: list[Incoming]) -> None:
        if isinstance(message, Note):
            incoming.append(Told(message, parcel))
        elif parcel:  # its descriptor would be given to the next one
            raise RemoteProtocolError(f"{self.name} sent a parcel that is no note: {_not_a(message, 'note')}")
        else:
            self.unreadable += 1


def _read(body: bytes) -> Outcome:
    try:
        return decode_message(body)
    except DecodeError as error:
        return error


def _not_a(message: Outcome, wanted: str) -> CalimeroError:
    if isinstance(message, CalimeroError):
        return message
    return DecodeError(f"{type(message).__name__} is no {wanted}", offset=0, field="message")


def unwrap(outcome: Outcome) -> Message:
    """The answer, or the error raised."""
    if isinstance(outcome, CalimeroError):
        raise outcome
    if isinstance(outcome, Failure):
        raise_failure(outcome)
    return outcome
