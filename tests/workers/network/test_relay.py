"""A node without a listening port is reached through a relay, which passes bytes on that it cannot read."""

from __future__ import annotations

import socket
import time

import base58
import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError, Unreachable
from node.gossip.protobuf import prefixed
from tests.workers.network.hop import Hop
from tests.workers.network.hostile import Hostile, refusals
from tests.workers.network.nodes import SYNC, TestNode, run, running, until
from workers.messages.network import FrameReceived, GossipReceived, PeerConnected, PeerDisconnected, StreamOpened
from workers.network import relay
from workers.network.relay_wire import CONNECT, OK, RESERVE, STATUS, HopMessage, StopMessage

PEER = base58.b58decode("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")


@pytest.mark.parametrize(
    "message",
    [
        HopMessage(RESERVE),
        HopMessage(CONNECT, PEER),
        HopMessage(STATUS, b"", 1_700_000_000, ("/ip4/10.0.0.1/tcp/4001",), OK),
        HopMessage(STATUS, status=204),
        StopMessage(connect=True, peer=PEER),
        StopMessage(connect=False, status=OK),
    ],
)
def test_messages_survive_the_wire(message: HopMessage | StopMessage) -> None:
    assert type(message).decode(message.encode()) == message


def test_the_bytes_are_those_of_the_specification() -> None:
    assert HopMessage(RESERVE).encode().hex() == "0800"
    assert HopMessage(STATUS, status=OK).encode().hex() == "08022864"
    assert StopMessage(connect=False, status=OK).encode().hex() == "08012064"
    assert HopMessage(CONNECT, b"ab").encode().hex() == "0801" + "1204" + "0a026162"


@given(st.binary(max_size=60))
def test_random_bytes_raise_nothing_but_decode_errors(data: bytes) -> None:
    for kind in (HopMessage, StopMessage):
        try:
            kind.decode(data)
        except DecodeError:
            continue


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def hidden(number: int) -> TestNode:
    return TestNode(number, listen=())


def test_a_hidden_node_is_dialled_through_its_relay_and_talks_both_ways() -> None:
    async def body() -> None:
        middle, a, b = TestNode(1), hidden(2), hidden(3)
        hop = Hop(middle)
        async with running(middle, a, b):
            await b.host.dial(middle.address, keep=True)
            await until(lambda: hop.reservations == [b.peer])
            await until(lambda: bool(b.host._relays.addresses()))
            (own,) = b.host._relays.addresses()
            assert own == f"{middle.address}/p2p-circuit"
            assert await a.host.dial(f"{own}/p2p/{b.peer}", keep=False) == b.peer
            inbound = next(note for note in await b.wait_for(PeerConnected, 2) if note.peer == a.peer)
            assert (inbound.inbound, inbound.address) == (True, own)
            out = await a.host.open_stream(b.peer, SYNC)
            await a.host.send_frame(out, bytes(300_000))
            (opened,) = await b.wait_for(StreamOpened)
            assert len((await b.wait_for(FrameReceived))[0].data) == 300_000
            await b.host.send_frame(opened.stream, b"answer")
            assert (await a.wait_for(FrameReceived))[0].data == b"answer"
            for node in (a, b):
                node.host.subscribe("t")
            await until(lambda: b.peer in a.host._gossip.router.mesh_of("t"))
            a.host.publish("t", b"hello")
            assert (await b.wait_for(GossipReceived))[0].source == a.peer
            a.host.forget(b.peer)
            await until(lambda: a.peer in {note.peer for note in b.of(PeerDisconnected)})
            await until(lambda: len(a.host._swarm.connections(middle.peer)[0].streams) == 2)  # gossip, one a direction

    run(body)


def test_a_peer_that_can_be_dialled_leaves_its_relay() -> None:
    """Both know each other through the relay only; identify tells of the port, and one direct connection is left."""

    async def body() -> None:
        middle, a, b = TestNode(1), TestNode(2), TestNode(3)
        Hop(middle)
        async with running(middle, a, b):
            for node in (a, b):
                node.host.subscribe("t")
            await b.host.dial(middle.address, keep=True)
            await until(lambda: bool(b.host._relays.addresses()))
            await a.host.dial(f"{b.host._relays.addresses()[0]}/p2p/{b.peer}", keep=False)
            await until(lambda: direct(a, b) and direct(b, a))
            assert "/p2p-circuit" in next(note for note in a.of(PeerConnected) if note.peer == b.peer).address
            assert [note for note in a.of(PeerDisconnected) if note.peer == b.peer] == []
            await until(lambda: b.peer in a.host._gossip.router.mesh_of("t"))
            with trio.fail_after(10):
                while not b.of(GossipReceived):  # what was on its way through the relay may be lost
                    a.host.publish("t", b"directly")
                    await trio.sleep(0.05)
            assert refusals_of(a, b) == refusals_of(b, a) == {}

    run(body)


def direct(node: TestNode, other: TestNode) -> bool:
    """Whether there is one connection to the other, and no relay in between."""
    return [connection.relayed for connection in node.host._swarm.connections(other.peer)] == [False]


def refusals_of(node: TestNode, other: TestNode) -> dict[str, int]:
    return node.host._book.entry(other.peer).refusals


def test_whoever_cannot_be_dialled_stays_behind_its_relay() -> None:
    """The port that it tells of is closed."""

    async def body() -> None:
        middle, a, b = TestNode(1), hidden(2), hidden(3)
        Hop(middle)
        b.host._observed = [f"/ip4/127.0.0.1/tcp/{closed_port()}"]
        async with running(middle, a, b):
            await b.host.dial(middle.address, keep=True)
            await until(lambda: bool(b.host._relays.addresses()))
            await a.host.dial(f"{b.host._relays.addresses()[0]}/p2p/{b.peer}", keep=False)
            await until(lambda: b.host._observed[0] in a.host._book.entry(b.peer).addresses)
            await until(lambda: not a.host._leaving)
            assert a.host._swarm.connections(b.peer)[0].relayed
            assert await a.host.ping(b.peer) < 5

    run(body)


def test_whoever_knows_a_hidden_node_learns_its_relay_by_identify() -> None:
    async def body() -> None:
        middle, b = TestNode(1), hidden(3)
        Hop(middle)
        async with running(middle, b):
            await b.host.dial(middle.address, keep=True)
            await until(lambda: middle.host._book.entry(b.peer).addresses == [f"{middle.address}/p2p-circuit"])

    run(body)


def test_reservations_are_renewed_and_end_with_the_relay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "_SHORTEST", 0.01)

    async def body() -> None:
        b = hidden(3)
        middle = TestNode(1)
        hop = Hop(middle, seconds=1.0)
        async with running(b):
            async with running(middle):
                await b.host.dial(middle.address, keep=True)
                await until(lambda: len(hop.reservations) > 2)
                assert b.host._relays.addresses()
            await until(lambda: not b.host._relays.addresses())

    run(body)


def test_no_more_reservations_than_allowed() -> None:
    async def body() -> None:
        relays = [TestNode(number) for number in range(1, 4)]
        b = TestNode(9, listen=(), relays=2)
        for each in relays:
            Hop(each)
        async with running(*relays, b):
            for each in relays:
                await b.host.dial(each.address, keep=False)
            await until(lambda: len(b.host._relays.addresses()) == 2)
            await until(lambda: all(b.host._book.entry(each.peer).agent for each in relays))
            assert len(b.host._relays.addresses()) == 2

    run(body)


def test_refusals_of_a_relay_are_named() -> None:
    async def body() -> None:
        middle, a, b = TestNode(1), TestNode(2), hidden(3)
        Hop(middle, full=True)
        async with running(middle, a, b):
            await b.host.dial(middle.address, keep=True)
            await until(lambda: bool(b.host._book.entry(middle.peer).agent))
            with pytest.raises(Unreachable, match=r"refused with status 204"):
                await a.host.dial(f"{middle.address}/p2p-circuit/p2p/{b.peer}", keep=False)
            with pytest.raises(Unreachable, match="relay is this node itself"):
                await a.host.dial(f"{a.address}/p2p-circuit/p2p/{TestNode(7).peer}", keep=False)
            assert b.host._relays.addresses() == []

    run(body)


def test_a_stranger_that_plays_the_relay_is_counted() -> None:
    async def body() -> None:
        a, hostile = TestNode(1), Hostile(2)
        async with running(a), hostile.connected(a) as connection:
            stream = await hostile.stream(connection, relay.STOP)
            await stream.send_all(prefixed(StopMessage(connect=True, peer=PEER).encode()))
            await until(lambda: refusals(a, hostile) == {"protocol": 1})

    run(body)


def test_the_clock_of_a_relay_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reservation that is over already does not make the client ask without end."""

    async def body() -> None:
        middle, b = TestNode(1), hidden(3)
        hop = Hop(middle, seconds=-1000.0)
        async with running(middle, b):
            start = time.monotonic()
            await b.host.dial(middle.address, keep=True)
            await until(lambda: time.monotonic() - start > 0.3)
            assert len(hop.reservations) == 1

    run(body)
