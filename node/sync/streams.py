"""Streams as scripts see them: send a message, wait for the next one. No protocol is known here."""

from __future__ import annotations

from collections import deque
from typing import TypeVar

from node.errors import DeadlineExceeded, RemoteProtocolError
from node.sync.events import CloseStream, Credit
from node.sync.kernel import SECOND, Ask, Kernel, Signal
from node.sync.ports import OpenStream, SendFrame
from node.sync.wire import Init, Message, MessagePayload, OpaqueError, StreamMessage, decode_stream, encode_stream

P = TypeVar("P", bound=MessagePayload)

OPEN_TIMEOUT = 15 * SECOND
"""The network worker gives up a dial after 10 s and the agreement on a protocol after some more."""

SEND_TIMEOUT = 45 * SECOND
"""The network worker resets a stream whose peer takes nothing for 30 s; this is the margin above it."""


class Link:
    """One stream. Frames are handed out in order; the end is None."""

    def __init__(self, kernel: Kernel, streams: Streams, number: int, peer: str) -> None:
        self.number = number
        self.peer = peer
        self._kernel = kernel
        self._streams = streams
        self._frames: deque[bytes] = deque()
        self._arrival = Signal(kernel)
        self._ended = False
        self.received_bytes = 0

    # the machine's side

    def on_frame(self, data: bytes) -> None:
        self._frames.append(data)
        self._arrival.set()

    def on_end(self, *, reset: bool) -> None:
        self._ended = True
        self._arrival.set()

    # the script's side

    async def frame(self, within: int) -> bytes | None:
        """The next frame. Raises :class:`DeadlineExceeded`."""
        while not self._frames:
            if self._ended:
                return None
            self._arrival.clear()
            if not await self._arrival.wait(within):
                raise DeadlineExceeded(f"peer {self.peer} sent nothing for {within / SECOND:g} s")
        self._kernel.emit(Credit(self.number, 1))
        data = self._frames.popleft()
        self.received_bytes += len(data)
        return data

    async def receive(self, within: int) -> StreamMessage | None:
        """The next message in the clear. Raises :class:`DecodeError`, :class:`DeadlineExceeded`."""
        data = await self.frame(within)
        return None if data is None else decode_stream(data)

    async def message(self, within: int) -> Message:
        """The next message, which must be a ``Message``. Raises :class:`RemoteProtocolError`."""
        found = await self.receive(within)
        if isinstance(found, Message):
            return found
        raise self._unexpected("an answer", found)

    async def init(self, within: int) -> Init:
        """The next message, which must be an ``Init``. Raises :class:`RemoteProtocolError`."""
        found = await self.receive(within)
        if isinstance(found, Init):
            return found
        raise self._unexpected("an acknowledgement", found)

    def as_init(self, data: bytes) -> Init:
        """A frame that must be an ``Init``. Raises :class:`DecodeError`, :class:`RemoteProtocolError`."""
        found = decode_stream(data)
        if isinstance(found, Init):
            return found
        raise self._unexpected("initialization handshake", found)

    async def expect(self, kind: type[P], within: int) -> P:
        """The payload of the next message, which must be of this kind."""
        payload = (await self.message(within)).payload
        if isinstance(payload, kind):
            return payload
        raise RemoteProtocolError(
            f"peer {self.peer} answered {type(payload).__name__}, expected {kind.__name__}", peer=self.peer
        )

    async def send(self, message: StreamMessage) -> None:
        """Write a message; returns when the transport took it."""
        await self.send_frame(encode_stream(message))

    async def send_frame(self, data: bytes) -> None:
        await Ask(SendFrame(self.number, data), SEND_TIMEOUT)

    def post(self, message: StreamMessage) -> None:
        """Write a message without waiting; for requests whose number in flight is bounded by the caller."""
        self._kernel.post(SendFrame(self.number, encode_stream(message)))

    def close(self, *, reset: bool = False) -> None:
        """Finish our direction; what still arrives is dropped."""
        if self._streams.drop(self.number):
            self._kernel.emit(CloseStream(self.number, reset))

    def _unexpected(self, wanted: str, found: StreamMessage | None) -> RemoteProtocolError:
        if found is None:
            return RemoteProtocolError(f"peer {self.peer} ended the stream, expected {wanted}", peer=self.peer, score=0)
        if isinstance(found, OpaqueError):
            return RemoteProtocolError(f"peer {self.peer} refused without a reason", peer=self.peer, score=0)
        return RemoteProtocolError(f"peer {self.peer} sent {type(found).__name__}, expected {wanted}", peer=self.peer)


class Streams:
    """Open streams by number."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._links: dict[int, Link] = {}

    async def open(self, peer: str, *, blob: bool = False) -> Link:
        """Open a stream to a peer. Raises what the network failed with."""
        number = await Ask(OpenStream(peer, blob), OPEN_TIMEOUT)
        return self.adopt(number, peer)

    def adopt(self, number: int, peer: str) -> Link:
        link = Link(self._kernel, self, number, peer)
        self._links[number] = link
        return link

    def find(self, number: int) -> Link | None:
        return self._links.get(number)

    def drop(self, number: int) -> bool:
        return self._links.pop(number, None) is not None

    def __len__(self) -> int:
        return len(self._links)
