"""The client side of rendezvous: tell a meeting point where this node is reached, and dial whom it names."""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable
from typing import Final

import trio

from node.errors import DecodeError, InvalidSignature, RemoteProtocolError
from node.gossip.protobuf import prefixed
from node.gossip.signing import Sign
from workers.network import limits, multistream
from workers.network import rendezvous_wire as wire
from workers.network.channel import read_prefixed
from workers.network.config import RendezvousConfig
from workers.network.connection import Connection

__all__ = ["RendezvousClient"]

log = logging.getLogger(__name__)

TIME_TO_LIVE: Final = 7_200
"""Seconds that a registration holds; the default of the reference."""

_RENEW: Final = 0.75
"""Share of that time after which it is renewed."""

_ASKED: Final = 100
"""Records that are asked for at a time. Which of them are dialled is chosen anew each time."""


class RendezvousClient:
    """``external`` are the addresses at which others can dial this node; without one it only discovers.
    ``found(peer, addresses)`` takes who is there."""

    def __init__(
        self,
        config: RendezvousConfig,
        public_key: bytes,
        sign: Sign,
        external: Callable[[], list[str]],
        found: Callable[[str, list[str]], None],
    ) -> None:
        self._config = config
        self._public_key = public_key
        self._sign = sign
        self._external = external
        self._found = found
        self._points: set[str] = set()
        self._registered: set[str] = set()
        self._changed = trio.Event()

    def changed(self) -> None:
        """The external addresses became others: register again."""
        self._changed.set()
        self._changed = trio.Event()

    def on_identified(self, connection: Connection, protocols: list[str]) -> None:
        """Use a peer that is a meeting point as long as it is connected."""
        if wire.ID in protocols and connection.peer not in self._points:
            self._points.add(connection.peer)
            connection.start_soon(self._visit, connection)

    async def _visit(self, point: Connection) -> None:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._keep_discovering, point)
                await self._keep_registered(point)
        finally:
            self._points.discard(point.peer)
            self._registered.discard(point.peer)

    # -- registering

    async def _keep_registered(self, point: Connection) -> None:
        while True:
            changed, pause = self._changed, self._config.interval
            addresses = self._external()
            if addresses and (point.peer in self._registered or len(self._registered) < self._config.registrations):
                self._registered.add(point.peer)
                pause = await self._register(point, addresses) or pause
            with trio.move_on_after(pause):
                await changed.wait()

    async def _register(self, point: Connection, addresses: list[str]) -> float:
        """Returns after how many seconds to renew; 0 when it did not come to a registration."""
        record = wire.seal_record(self._public_key, self._sign, time.time_ns(), addresses)
        answer = await self._ask(point, wire.register(self._config.namespace, record, TIME_TO_LIVE))
        if answer is None or answer.status != wire.OK:
            self._registered.discard(point.peer)
            return 0.0
        return max(answer.seconds * _RENEW, self._config.interval)

    # -- discovering

    async def _keep_discovering(self, point: Connection) -> None:
        while True:
            answer = await self._ask(point, wire.discover(self._config.namespace, _ASKED))
            if answer is not None:
                self._take(point, list(answer.records))
            await trio.sleep(self._config.pause)

    def _take(self, point: Connection, records: list[bytes]) -> None:
        random.shuffle(records)
        for record in records[:_ASKED]:
            try:
                self._found(*wire.open_record(record))
            except (DecodeError, InvalidSignature) as error:
                log.info("meeting point %s tells nonsense: %s", point.peer, error)

    async def _ask(self, point: Connection, question: bytes) -> wire.Answer | None:
        """None when there is no proper answer; the next try comes with the next interval."""
        try:
            with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
                answer = await _exchange(point, question)
        except (DecodeError, RemoteProtocolError, trio.TooSlowError) as error:
            log.info("meeting point %s: %s", point.peer, str(error) or "timed out")
            return None
        if answer.status != wire.OK:
            log.info("meeting point %s refused with status %d", point.peer, answer.status)
        return answer


async def _exchange(point: Connection, question: bytes) -> wire.Answer:
    stream = point.open_stream()
    try:
        await multistream.propose(stream, [wire.ID])
        await stream.send_all(prefixed(question))
        return wire.decode_answer(await read_prefixed(stream, wire.MAX_SIZE))
    finally:
        stream.reset()
