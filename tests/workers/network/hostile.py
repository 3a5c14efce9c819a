"""A peer with a proper handshake and no manners after it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import trio

from node.errors import RemoteProtocolError
from tests.workers.network.nodes import TestNode, until
from workers.network import multistream
from workers.network.address import parse
from workers.network.channel import ReadAhead, SocketChannel
from workers.network.connection import Connection, YamuxStream
from workers.network.secure import Identity, SecureChannel, secure_outbound


class Dialable(Protocol):
    """A node to harm."""

    @property
    def address(self) -> str: ...


class Hostile:
    """The owner of the connection of a hostile peer; answers nothing."""

    def __init__(self, number: int) -> None:
        self.seed = number.to_bytes(32, "big")
        self.identity = Identity(self.seed)
        self.streams: list[YamuxStream] = []

    @property
    def peer(self) -> str:
        return self.identity.peer

    async def on_stream(self, connection: Connection, stream: YamuxStream) -> None:
        self.streams.append(stream)
        await trio.sleep_forever()

    def on_refused(self, peer: str, reason: str, cost: int, detail: str) -> None:
        pass

    async def secure(self, node: Dialable) -> SecureChannel:
        """A secured channel to the node, before yamux."""
        where = parse(node.address)
        socket = SocketChannel(await trio.open_tcp_stream(where.host, where.port))
        return await secure_outbound(socket, self.identity, where.peer)

    @asynccontextmanager
    async def connected(self, node: Dialable) -> AsyncIterator[Connection]:
        """A multiplexed connection to the node."""
        channel = await self.secure(node)
        await multistream.propose(channel, ["/yamux/1.0.0"])
        connection = Connection(channel, self, address="", outbound=True)
        async with trio.open_nursery() as nursery:
            await nursery.start(connection.run)
            yield connection
            connection.close()

    async def stream(self, connection: Connection, protocol: str) -> YamuxStream:
        """A stream with its protocol agreed."""
        stream = connection.open_stream()
        await multistream.propose(stream, [protocol])
        return stream

    async def listen_to_gossip(self) -> None:
        """Agree to the node's gossip stream, and read nothing from it."""
        number = 0
        while True:
            await until(lambda: len(self.streams) > number)  # noqa: B023 - used within the turn
            with suppress(RemoteProtocolError):
                await multistream.answer(self.streams[number], ("/meshsub/1.2.0",))
                return
            number += 1


async def read_to_the_end(channel: ReadAhead) -> None:
    """Read until the other side ends it; raises ``RemoteProtocolError`` then."""
    while True:
        await channel.receive_exactly(1)


def refusals(node: TestNode, hostile: Hostile) -> dict[str, int]:
    """What the node counted against the peer."""
    entry = node.host._book.get(hostile.peer)
    return dict(entry.refusals) if entry else {}
