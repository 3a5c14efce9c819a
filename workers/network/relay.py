"""The client side of circuit relay v2: a node that nobody can dial is reached through a relay that knows it.

Relaying for others is not done here: the reference's nodes do not do it either.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from typing import Final

import base58
import trio

from node.errors import RemoteProtocolError, Unreachable
from node.gossip.protobuf import prefixed
from workers.network import address as addresses
from workers.network import limits, multistream
from workers.network.channel import RawChannel, read_prefixed
from workers.network.connection import Connection, YamuxStream
from workers.network.relay_wire import CONNECT, HOP, MAX_SIZE, OK, RESERVE, STOP, HopMessage, StopMessage

__all__ = ["HOP", "STOP", "RelayClient", "through"]

log = logging.getLogger(__name__)

_RENEW: Final = 0.75
"""Share of a reservation's time after which it is renewed."""

_SHORTEST: Final = 5.0
"""Seconds between two renewals, whatever the relay says about its time."""

Serve = Callable[[RawChannel, str], Awaitable[Connection | None]]


async def through(relay: Connection, peer: str) -> RawChannel:
    """A stream to ``peer`` through the relay. Raises :class:`Unreachable` when the relay does not make one."""
    stream = relay.open_stream()
    try:
        await multistream.propose(stream, [HOP])
        await _ask(stream, HopMessage(CONNECT, base58.b58decode(peer)))
    except BaseException:
        stream.reset()
        raise
    return stream


async def _ask(stream: YamuxStream, question: HopMessage) -> HopMessage:
    await stream.send_all(prefixed(question.encode()))
    answer = HopMessage.decode(await read_prefixed(stream, MAX_SIZE))
    if answer.status != OK:
        raise Unreachable(f"relay {stream.connection.peer} refused with status {answer.status}")
    return answer


class RelayClient:
    """Reservations of this node. ``serve`` makes a connection of what a relay passes on; ``changed`` is called when
    the own addresses became others."""

    def __init__(self, limit: int, serve: Serve, changed: Callable[[], None]) -> None:
        self._limit = limit
        self._serve = serve
        self._changed = changed
        self._reserved: dict[str, str] = {}
        self._trying: set[str] = set()

    def addresses(self) -> list[str]:
        """Where this node is reached through relays, without its own id."""
        return [text for text in self._reserved.values() if text]

    def on_identified(self, connection: Connection, protocols: list[str]) -> None:
        """Take a reservation at a peer that relays, unless there are enough."""
        peer = connection.peer
        wanted = HOP in protocols and peer not in self._trying and len(self._trying) < self._limit
        if wanted and connection.outbound and not connection.relayed:
            self._trying.add(peer)
            connection.start_soon(self._keep, connection)

    async def _keep(self, connection: Connection) -> None:
        """Hold the reservation as long as the connection lives and the relay agrees."""
        try:
            while True:
                left = await self._reserve(connection)
                await trio.sleep(max(left * _RENEW, _SHORTEST))
        except (Unreachable, RemoteProtocolError, trio.TooSlowError) as error:
            log.info("no reservation at relay %s: %s", connection.peer, str(error) or "timed out")
        finally:
            self._trying.discard(connection.peer)
            if self._reserved.pop(connection.peer, None):
                self._changed()

    async def _reserve(self, connection: Connection) -> float:
        """Take or renew it; returns for how many seconds it holds."""
        stream = connection.open_stream()
        try:
            with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
                await multistream.propose(stream, [HOP])
                answer = await _ask(stream, HopMessage(RESERVE))
        finally:
            stream.reset()
        text = f"{addresses.without_peer(connection.address)}/p2p/{connection.peer}/p2p-circuit"
        if self._reserved.get(connection.peer) != text:
            self._reserved[connection.peer] = text
            log.info("reachable at %s", text)
            self._changed()
        return answer.expires - time.time()

    async def on_stop(self, stream: YamuxStream) -> None:
        """A relay passes a connection on: make one, and stay until it ends."""
        relay = stream.connection
        with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
            asked = StopMessage.decode(await read_prefixed(stream, MAX_SIZE))
        if not asked.connect or relay.peer not in self._reserved:
            raise RemoteProtocolError(f"peer {relay.peer} passes on a connection without a reservation", score=5)
        await stream.send_all(prefixed(StopMessage(connect=False, status=OK).encode()))
        text = f"{addresses.without_peer(relay.address)}/p2p/{relay.peer}/p2p-circuit"
        connection = await self._serve(stream, text)
        if connection is not None:
            await connection.closed.wait()
