"""Byte channels: the one shape that sockets, secured connections and multiplexed streams have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import trio

from node.errors import RemoteProtocolError
from node.gossip.protobuf import decode_varint

__all__ = ["EndOfStream", "RawChannel", "ReadAhead", "SocketChannel", "read_prefixed"]

READ_SIZE: Final = 256 * 1024
"""One receive call takes several Noise frames, which is most of the throughput on a fast link."""


class EndOfStream(RemoteProtocolError):
    """The peer ended the bytes before what was expected was complete."""


class ReadAhead(ABC):
    """Reading by pieces and by exact sizes over something that delivers pieces."""

    def __init__(self) -> None:
        self._ahead = bytearray()

    @abstractmethod
    async def _more(self) -> bytes:
        """The next piece; empty at the end."""

    @abstractmethod
    async def send_all(self, data: bytes) -> None:
        """Hand over all bytes."""

    async def receive_some(self) -> bytes:
        """The next piece of any size; empty at the end."""
        if self._ahead:
            data = bytes(self._ahead)
            self._ahead.clear()
            return data
        return await self._more()

    def put_back(self, data: bytes) -> None:
        """Return bytes that were read too far."""
        self._ahead[:0] = data

    async def receive_exactly(self, size: int) -> bytes:
        """Exactly ``size`` bytes. Raises :class:`EndOfStream` when there are fewer."""
        while len(self._ahead) < size:
            piece = await self._more()
            if not piece:
                raise EndOfStream(f"stream ended after {len(self._ahead)} of {size} bytes")
            self._ahead += piece
        data = bytes(self._ahead[:size])
        del self._ahead[:size]
        return data

    async def at_end(self) -> bool:
        """Wait for the next byte; True when there is none."""
        if self._ahead:
            return False
        self._ahead += await self._more()
        return not self._ahead


async def read_prefixed(channel: ReadAhead, limit: int) -> bytes:
    """One message behind its varint length. Raises :class:`RemoteProtocolError` when it is larger than ``limit``."""
    prefix = b""
    while (found := decode_varint(prefix)) is None:
        prefix += await channel.receive_exactly(1)
    if found[0] > limit:
        raise RemoteProtocolError(f"message of {found[0]} bytes, at most {limit} are allowed", score=20)
    return await channel.receive_exactly(found[0])


class RawChannel(ReadAhead):
    """What a connection can be made on: a socket, or a stream that a relay passes on."""

    @abstractmethod
    async def aclose(self) -> None:
        """End it at once."""


class SocketChannel(RawChannel):
    """A TCP socket."""

    def __init__(self, stream: trio.SocketStream) -> None:
        super().__init__()
        self.stream = stream

    async def _more(self) -> bytes:
        try:
            return bytes(await self.stream.receive_some(READ_SIZE))
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EndOfStream(f"connection lost: {error}") from error

    async def send_all(self, data: bytes) -> None:
        try:
            await self.stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise EndOfStream(f"connection lost: {error}") from error

    async def aclose(self) -> None:
        await trio.aclose_forcefully(self.stream)
