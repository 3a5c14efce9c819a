"""Kademlia: messages, the store and the lookup alone; put and get between real hosts."""

from __future__ import annotations

import contextlib

import base58
import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError, LocalProtocolError
from node.gossip.protobuf import bytes_field, prefixed, varint_field
from node.gossip.signing import peer_id_of
from tests.workers.network.hostile import Hostile, refusals
from tests.workers.network.nodes import TestNode, run, running, until
from workers.network import kad, kad_wire
from workers.network.channel import read_prefixed
from workers.network.kad import Kademlia, Lookup, RecordStore
from workers.network.kad_wire import Kind, Message, PeerHint, Record

PEERS = [base58.b58encode(peer_id_of(bytes([number]) * 32)).decode() for number in range(60)]
IDS = {peer: base58.b58decode(peer) for peer in PEERS}
KEY = bytes(64)


@pytest.mark.parametrize(
    "message",
    [
        Message(Kind.PING),
        Message(Kind.PUT_VALUE, KEY, Record(KEY, b"value")),
        Message(Kind.GET_VALUE, KEY, None, (PeerHint(PEERS[0], ("/ip4/10.0.0.1/tcp/1",)), PeerHint(PEERS[1]))),
    ],
)
def test_message_round_trip(message: Message) -> None:
    assert kad_wire.decode(kad_wire.encode(message, IDS)) == message


def test_unknown_types_are_refused_and_hints_bounded() -> None:
    with pytest.raises(DecodeError, match="type 2"):
        kad_wire.decode(varint_field(1, 2))
    hints = bytes_field(8, bytes_field(1, IDS[PEERS[0]])) * 100 + bytes_field(8, bytes_field(1, b"other"))
    assert len(kad_wire.decode(varint_field(1, 1) + hints).closer) == kad_wire.MAX_HINTS


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_but_decode_errors(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        kad_wire.decode(data)


def test_store_keeps_its_bounds() -> None:
    store = RecordStore()
    assert store.put(Record(b"k", b"v"), 0.0)
    assert store.get(b"k", kad.RECORD_LIFE - 1) == b"v"
    assert store.get(b"k", kad.RECORD_LIFE) is None
    assert not store.put(Record(b"", b"v"), 0.0)
    assert store.put(Record(b"k" * kad.MAX_KEY, b"v" * kad.MAX_VALUE), 0.0)
    assert not store.put(Record(b"k", b"v" * (kad.MAX_VALUE + 1)), 0.0)
    for number in range(kad.MAX_RECORDS + 1):
        store.put(Record(b"%d" % number, b""), 0.0)
    assert store.get(b"0", 0.0) is None
    assert store.get(b"1", 0.0) == b""


def test_a_lookup_asks_the_nearest_first_and_nobody_twice() -> None:
    lookup = Lookup(KEY, [PeerHint(peer) for peer in PEERS[1:]], own=PEERS[0])
    asked = []
    while hints := lookup.next():
        assert len(hints) <= kad.ALPHA
        asked += [hint.peer for hint in hints]
    nearest = sorted(PEERS[1:], key=lambda peer: kad_wire.distance(KEY, IDS[peer]))
    assert asked == nearest[: kad.K]


def test_a_chain_of_invented_peers_ends() -> None:
    lookup = Lookup(KEY, [PeerHint(PEERS[0])], own=PEERS[1])
    asked, made = 0, 0
    while hints := lookup.next():
        asked += len(hints)
        made += 1
        new = [base58.b58encode(peer_id_of(bytes([7, made % 256, n]) + bytes(29))).decode() for n in range(20)]
        lookup.learn([PeerHint(peer) for peer in new])
    assert asked <= kad.MAX_ASKED


def knows(node: TestNode, count: int) -> bool:
    return len(node.host._kad_peers()) == count


def test_a_record_is_found_by_a_node_that_is_not_connected_to_its_author() -> None:
    async def body() -> None:
        a, middle, b = TestNode(1), TestNode(2), TestNode(3)
        async with running(a, middle, b):
            await a.host.dial(middle.address, keep=False)
            await b.host.dial(middle.address, keep=False)
            await until(lambda: knows(a, 1) and knows(b, 1) and knows(middle, 2))
            assert await a.host.put_record(KEY, b"where") >= 1
            assert await b.host.get_record(KEY) == b"where"
            assert await b.host.get_record(bytes(63)) is None

    run(body)


def test_without_peers_a_record_stays_here() -> None:
    async def body() -> None:
        a = TestNode(1)
        async with running(a):
            assert await a.host.put_record(KEY, b"here") == 0
            assert await a.host.get_record(KEY) == b"here"
            with pytest.raises(LocalProtocolError, match="are allowed"):
                await a.host.put_record(KEY, bytes(kad.MAX_VALUE + 1))

    run(body)


def test_the_dht_can_be_switched_off() -> None:
    async def body() -> None:
        a, b = TestNode(1, kad=False), TestNode(2)
        async with running(a, b):
            await b.host.dial(a.address, keep=False)
            await until(lambda: bool(b.host.peer_list().peers[0].agent))
            assert knows(b, 0)

    run(body)


def test_a_bad_request_costs_its_stream() -> None:
    async def body() -> None:
        a = TestNode(1)
        async with running(a):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                stream = await hostile.stream(connection, kad_wire.ID)
                await stream.send_all(prefixed(kad_wire.encode(Message(Kind.PING, KEY), {})))
                assert kad_wire.decode(await read_prefixed(stream, 100)).kind is Kind.PING
                for bad in (varint_field(1, 0), b"\xff"):
                    stream = await hostile.stream(connection, kad_wire.ID)
                    await stream.send_all(prefixed(bad))
                await until(lambda: refusals(a, hostile) == {"protocol": 1, "malformed": 1})
                assert await connection.ping() < 1

    run(body)


def test_republishing_reaches_those_who_came_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kad, "REPUBLISH", 0.05)

    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.put_record(KEY, b"late")
            await a.host.dial(b.address, keep=False)
            store: Kademlia = b.host._kad
            await until(lambda: store._store.get(KEY, 0.0) == b"late")

    run(body)
