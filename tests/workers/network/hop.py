"""A relay: the serving side of circuit relay v2, and of rendezvous, added to a host of the tests."""

from __future__ import annotations

import time

import base58
import trio

from node.errors import RemoteProtocolError
from node.gossip.protobuf import as_bytes, as_text, bytes_field, prefixed, read_fields, text_field, varint_field
from tests.workers.network.nodes import TestNode
from workers.network import multistream
from workers.network.channel import read_prefixed
from workers.network.connection import YamuxStream
from workers.network.relay_wire import CONNECT, HOP, MAX_SIZE, OK, RESERVE, STATUS, STOP, HopMessage, StopMessage
from workers.network.rendezvous_wire import ID, open_record

REFUSED = 200
NO_RESERVATION = 204


class Hop:
    """Relays for everybody with a reservation; refuses reservations when it is ``full``."""

    def __init__(self, node: TestNode, *, full: bool = False, seconds: float = 3600.0) -> None:
        self.reservations: list[str] = []
        self._host = node.host
        self._full = full
        self._seconds = seconds
        self._host._handlers[HOP] = self.on_stream

    async def on_stream(self, stream: YamuxStream) -> None:
        asked = HopMessage.decode(await read_prefixed(stream, MAX_SIZE))
        if asked.kind == RESERVE:
            await self._reserve(stream)
        elif asked.kind == CONNECT:
            await self._connect(stream, base58.b58encode(asked.peer).decode())

    async def _reserve(self, stream: YamuxStream) -> None:
        if self._full:
            await self._answer(stream, HopMessage(STATUS, status=REFUSED))
            return
        self.reservations.append(stream.connection.peer)
        expires = int(time.time() + self._seconds)
        await self._answer(stream, HopMessage(STATUS, b"", expires, tuple(self._host.listening), OK))

    async def _connect(self, stream: YamuxStream, target: str) -> None:
        connection = self._host._swarm.best(target)
        if target not in self.reservations or connection is None:
            await self._answer(stream, HopMessage(STATUS, status=NO_RESERVATION))
            return
        onward = connection.open_stream()
        await multistream.propose(onward, [STOP])
        await onward.send_all(
            prefixed(StopMessage(connect=True, peer=base58.b58decode(stream.connection.peer)).encode())
        )
        assert StopMessage.decode(await read_prefixed(onward, MAX_SIZE)).status == OK
        await self._answer(stream, HopMessage(STATUS, status=OK))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_pass, stream, onward)
            nursery.start_soon(_pass, onward, stream)

    async def _answer(self, stream: YamuxStream, answer: HopMessage) -> None:
        await stream.send_all(prefixed(answer.encode()))


class MeetingPoint:
    """Keeps what was registered, by namespace, and tells it to everybody who asks."""

    def __init__(self, node: TestNode, *, seconds: int = 7_200, refuse: bool = False) -> None:
        self.records: dict[str, dict[str, bytes]] = {}
        self.registered = self.asked = 0
        self._seconds = seconds
        self._refuse = refuse
        node.host._handlers[ID] = self.on_stream

    async def on_stream(self, stream: YamuxStream) -> None:
        fields = dict(read_fields(await read_prefixed(stream, 65_536), "rendezvous"))
        if 2 in fields:
            answer = self._register(
                stream.connection.peer, dict(read_fields(as_bytes(fields[2], "register"), "register"))
            )
        else:
            answer = self._discover(dict(read_fields(as_bytes(fields[5], "discover"), "discover")))
        await stream.send_all(prefixed(answer))
        stream.finish()

    def _register(self, peer: str, fields: dict[int, int | bytes]) -> bytes:
        namespace, record = as_text(fields[1], "ns"), as_bytes(fields[2], "record")
        assert open_record(record)[0] == peer
        if self._refuse:
            return varint_field(1, 1) + bytes_field(4, varint_field(1, 300))
        self.registered += 1
        self.records.setdefault(namespace, {})[peer] = record
        return varint_field(1, 1) + bytes_field(4, varint_field(1, 0) + varint_field(3, self._seconds))

    def _discover(self, fields: dict[int, int | bytes]) -> bytes:
        self.asked += 1
        namespace = as_text(fields[1], "ns")
        found = [
            bytes_field(1, text_field(1, namespace) + bytes_field(2, record) + varint_field(3, 1))
            for record in self.records.get(namespace, {}).values()
        ]
        return varint_field(1, 4) + bytes_field(6, b"".join(found) + bytes_field(2, b"cookie") + varint_field(3, 0))


async def _pass(source: YamuxStream, sink: YamuxStream) -> None:
    try:
        while data := await source.receive_some():
            await sink.send_all(data)
        sink.finish()
    except RemoteProtocolError:
        sink.reset()
