"""Kademlia value records: a bounded store, the answers to peers, and the two queries of a node, put and get.

Every node serves: in groups of two or three, where the reference's nodes stay clients of each other and find nothing,
records are found all the same. Provider records are not used by Calimero and are not kept.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import base58
import trio

from node.errors import CalimeroError, LocalProtocolError, RemoteProtocolError
from node.gossip.protobuf import prefixed
from workers.network import kad_wire as wire
from workers.network import limits, multistream
from workers.network.channel import read_prefixed
from workers.network.connection import Connection, YamuxStream
from workers.network.kad_wire import Kind, Message, PeerHint, Record

__all__ = ["Kademlia", "Lookup", "RecordStore"]

K: Final = 20
"""Peers that hold a record, and peers in an answer."""
ALPHA: Final = 3
"""Peers that are asked at the same time."""
MAX_ASKED: Final = 40
"""Peers asked in one query; ends a chain of invented peers."""
QUERY_TIMEOUT: Final = 30.0
STEP_TIMEOUT: Final = 5.0

MAX_RECORDS: Final = 1_024
MAX_KEY: Final = 1_024
MAX_VALUE: Final = 12 * 1024
"""Bytes; a message has room for 16 KiB, and Calimero's values have 46."""
RECORD_LIFE: Final = 48 * 3600.0
REPUBLISH: Final = 3600.0
"""Seconds between two announcements of own records; those who joined since then get them, too."""


class RecordStore:
    """Records by key, with a life span; the oldest go when it is full. Time is a number of seconds."""

    def __init__(self) -> None:
        self._records: OrderedDict[bytes, tuple[bytes, float]] = OrderedDict()

    def put(self, record: Record, now: float) -> bool:
        """Keep a record; False when it is too large."""
        if not 0 < len(record.key) <= MAX_KEY or len(record.value) > MAX_VALUE:
            return False
        self._records.pop(record.key, None)
        self._records[record.key] = (record.value, now + RECORD_LIFE)
        if len(self._records) > MAX_RECORDS:
            self._records.popitem(last=False)
        return True

    def get(self, key: bytes, now: float) -> bytes | None:
        """The value, unless its life is over."""
        value, until = self._records.get(key, (None, 0.0))
        if value is not None and until <= now:
            del self._records[key]
            return None
        return value


class Lookup:
    """Whom to ask next on the way to a key: the nearest peers that were not asked yet."""

    def __init__(self, key: bytes, start: list[PeerHint], own: str) -> None:
        self._key = key
        self._known: dict[str, tuple[int, PeerHint]] = {}
        self._asked = {own}
        self.good: list[str] = []
        """Peers that answered."""
        self.learn(start)

    def learn(self, hints: list[PeerHint] | tuple[PeerHint, ...]) -> None:
        for hint in hints:
            if hint.peer not in self._known:
                self._known[hint.peer] = (wire.distance(self._key, base58.b58decode(hint.peer)), hint)

    def next(self) -> list[PeerHint]:
        """At most ``ALPHA`` of the ``K`` nearest, marked as asked; empty when the query is over."""
        nearest = sorted(self._known.values(), key=lambda item: item[0])[:K]
        room = MAX_ASKED + 1 - len(self._asked)
        chosen = [hint for _, hint in nearest if hint.peer not in self._asked][: min(ALPHA, room)]
        self._asked.update(hint.peer for hint in chosen)
        return chosen

    def nearest_good(self) -> list[str]:
        """The ``K`` nearest of those that answered."""
        return sorted(self.good, key=lambda peer: self._known[peer][0])[:K]


class Kademlia:
    """The DHT of one node. ``peers`` names connected peers that speak it; ``connect`` opens a connection to a peer."""

    def __init__(
        self,
        own: str,
        peers: Callable[[], list[PeerHint]],
        connect: Callable[[str, list[str]], Awaitable[Connection]],
    ) -> None:
        self._own = own
        self._peers = peers
        self._connect = connect
        self._store = RecordStore()
        self._published: OrderedDict[bytes, bytes] = OrderedDict()

    # -- serving

    async def on_stream(self, stream: YamuxStream) -> None:
        """Answer requests until the peer ends the stream."""
        while not await stream.at_end():
            with trio.fail_after(limits.STREAM_STALL):
                request = wire.decode(await read_prefixed(stream, wire.MAX_MESSAGE))
                await stream.send_all(_frame(self._answer(request)))
        stream.finish()

    def _answer(self, request: Message) -> Message:
        now = trio.current_time()
        if request.kind is Kind.PUT_VALUE:
            if request.record is None or not self._store.put(request.record, now):
                raise RemoteProtocolError("Kademlia record is missing or too large", score=5)
            return request
        if request.kind is Kind.PING:
            return request
        value = self._store.get(request.key, now) if request.kind is Kind.GET_VALUE else None
        record = None if value is None else Record(request.key, value)
        return Message(request.kind, request.key, record, tuple(self._nearest(request.key)))

    def _nearest(self, key: bytes) -> list[PeerHint]:
        hints = sorted(self._peers(), key=lambda hint: wire.distance(key, base58.b58decode(hint.peer)))
        return [PeerHint(hint.peer, hint.addresses[:4]) for hint in hints[:K]]

    # -- asking

    async def put(self, key: bytes, value: bytes) -> int:
        """Keep a record here and at the nearest peers; returns how many of those took it.

        Raises :class:`LocalProtocolError` when it is too large.
        """
        if not self._store.put(Record(key, value), trio.current_time()):
            raise LocalProtocolError(f"record of {len(key)} + {len(value)} bytes, {MAX_KEY} + {MAX_VALUE} are allowed")
        self._published[key] = value
        self._published.move_to_end(key)
        if len(self._published) > MAX_RECORDS:
            self._published.popitem(last=False)
        return await self._spread(key, value)

    async def get(self, key: bytes) -> bytes | None:
        """The value of the first record found, here or at a peer."""
        value = self._store.get(key, trio.current_time())
        if value is not None:
            return value
        found: list[bytes] = []
        await self._walk(Message(Kind.GET_VALUE, key), found)
        return found[0] if found else None

    async def republish(self) -> None:
        """Announce own records again and again, until cancelled."""
        while True:
            await trio.sleep(REPUBLISH)
            for key, value in list(self._published.items()):
                self._store.put(Record(key, value), trio.current_time())
                await self._spread(key, value)

    async def _spread(self, key: bytes, value: bytes) -> int:
        lookup = await self._walk(Message(Kind.FIND_NODE, key), [])
        request = Message(Kind.PUT_VALUE, key, Record(key, value))
        taken: list[str] = []

        async def give(peer: str) -> None:
            if await self._ask(PeerHint(peer), request) is not None:
                taken.append(peer)

        async with trio.open_nursery() as nursery:
            for peer in lookup.nearest_good():
                nursery.start_soon(give, peer)
        return len(taken)

    async def _walk(self, request: Message, found: list[bytes]) -> Lookup:
        """Ask nearer and nearer peers until nobody is left, a value was found, or time is up."""
        lookup = Lookup(request.key, self._peers(), self._own)

        async def step(hint: PeerHint) -> None:
            answer = await self._ask(hint, request)
            if answer is None:
                return
            lookup.good.append(hint.peer)
            lookup.learn(answer.closer)
            if answer.record is not None and answer.record.key == request.key:
                found.append(answer.record.value)

        with trio.move_on_after(QUERY_TIMEOUT):
            while not found and (hints := lookup.next()):
                async with trio.open_nursery() as nursery:
                    for hint in hints:
                        nursery.start_soon(step, hint)
        return lookup

    async def _ask(self, hint: PeerHint, request: Message) -> Message | None:
        """One question; None when the peer has no proper answer."""
        answer = None
        with trio.move_on_after(STEP_TIMEOUT), suppress(CalimeroError):
            answer = await self._exchange(await self._connect(hint.peer, list(hint.addresses)), request)
        return answer

    async def _exchange(self, connection: Connection, request: Message) -> Message:
        stream = connection.open_stream()
        try:
            await multistream.propose(stream, [wire.ID])
            await stream.send_all(_frame(request))
            return wire.decode(await read_prefixed(stream, wire.MAX_MESSAGE))
        finally:
            stream.reset()


def _frame(message: Message) -> bytes:
    return prefixed(wire.encode(message, {hint.peer: base58.b58decode(hint.peer) for hint in message.closer}))
