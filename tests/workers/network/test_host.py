"""The operations of the network worker between real hosts on loopback."""

from __future__ import annotations

import pytest
import trio

from node.errors import ConfigError, LocalProtocolError, NotFound, Unreachable
from tests.workers.network.nodes import BLOB, SYNC, TestNode, run, running, until
from workers.messages.network import (
    FrameReceived,
    GossipReceived,
    PeerConnected,
    PeerDisconnected,
    PeerSubscribed,
    PeerUnsubscribed,
    StreamClosed,
    StreamOpened,
)
from workers.network import limits
from workers.network.config import INVITES_TOPIC


def meshed(node: TestNode, topic: str, count: int) -> bool:
    return len(node.host._gossip.router.mesh_of(topic)) == count


async def join(*nodes: TestNode, topic: str = "t") -> None:
    """Dial everybody to everybody, follow the topic, wait for the mesh."""
    for index, node in enumerate(nodes):
        for other in nodes[index + 1 :]:
            await node.host.dial(other.address, keep=False)
    for node in nodes:
        node.host.subscribe(topic)
    for node in nodes:
        await until(lambda node=node: meshed(node, topic, len(nodes) - 1))  # type: ignore[misc]


@pytest.mark.parametrize("count", [2, 3, 5])
def test_gossip_reaches_everybody_else_once_and_names_its_source(count: int) -> None:
    async def body() -> None:
        nodes = [TestNode(number + 1) for number in range(count)]
        async with running(*nodes):
            await join(*nodes)
            assert nodes[0].host.publish("t", b"hello") == count - 1
            for node in nodes[1:]:
                (note,) = await node.wait_for(GossipReceived)
                assert (note.topic, note.data, note.source) == ("t", b"hello", nodes[0].peer)
            await trio.sleep(0.05)
            assert [len(node.of(GossipReceived)) for node in nodes] == [0] + [1] * (count - 1)

    run(body)


def test_a_burst_of_a_thousand_messages_arrives_whole_and_in_order() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await join(a, b)
            for number in range(1_000):
                a.host.publish("t", number.to_bytes(2, "big") + bytes(1_022))
            notes = await b.wait_for(GossipReceived, 1_000)
            assert [int.from_bytes(note.data[:2], "big") for note in notes] == list(range(1_000))

    run(body)


def test_the_largest_gossip_payload_travels_and_one_byte_more_is_refused() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await join(a, b)
            size = 65_536
            while True:
                try:
                    a.host.publish("t", bytes(size))
                    break
                except LocalProtocolError:
                    size -= 1
            (note,) = await b.wait_for(GossipReceived)
            assert len(note.data) == size > 65_300
            assert a.host.peer_list().peers[0].refusals == {}

    run(body)


def test_publish_without_peers_answers_zero() -> None:
    async def body() -> None:
        a = TestNode(1)
        async with running(a):
            a.host.subscribe("t")
            assert a.host.publish("t", b"x") == 0

    run(body)


def test_subscriptions_of_peers_are_told() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await join(a, b)
            topics = {note.topic for note in await a.wait_for(PeerSubscribed, 2)}
            assert topics == {"t", INVITES_TOPIC}
            b.host.unsubscribe("t")
            assert (await a.wait_for(PeerUnsubscribed))[0] == PeerUnsubscribed(b.peer, "t")
            assert a.host.publish("t", b"x") == 0

    run(body)


def test_connection_events_come_once_and_tell_the_direction() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a):
            async with running(b):
                assert await b.host.dial(a.address, keep=False) == a.peer
                await b.host.dial(a.address, keep=False)
                assert (await b.wait_for(PeerConnected)) == [PeerConnected(a.peer, a.host.listening[0], inbound=False)]
                (note,) = await a.wait_for(PeerConnected)
                assert (note.peer, note.inbound) == (b.peer, True)
            assert await a.wait_for(PeerDisconnected) == [PeerDisconnected(b.peer)]

    run(body)


def test_simultaneous_dials_end_in_one_connection_and_one_event() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            for node in (a, b):
                node.host.subscribe("t")
            async with trio.open_nursery() as nursery:
                nursery.start_soon(lambda: a.host.dial(b.address, keep=False))
                nursery.start_soon(lambda: b.host.dial(a.address, keep=False))
            await until(lambda: a.host._swarm.count() == b.host._swarm.count() == 1)
            await until(lambda: meshed(a, "t", 1) and meshed(b, "t", 1))
            a.host.publish("t", b"x")
            await b.wait_for(GossipReceived)
            assert len(a.of(PeerConnected)) == len(b.of(PeerConnected)) == 1
            assert a.of(PeerDisconnected) == b.of(PeerDisconnected) == []

    run(body)


def test_identify_fills_the_peer_list() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2, agent="other/1")
        async with running(a, b):
            await join(a, b)
            await until(lambda: a.host.peer_list().peers[0].agent == "other/1")
            await until(lambda: a.host.peer_list().peers[0].latency > 0)
            listed = a.host.peer_list()
            assert (listed.peer, listed.listen) == (a.peer, a.host.listening)
            (record,) = listed.peers
            assert record.peer == b.peer
            assert record.connected
            assert not record.inbound
            assert record.addresses == [b.host.listening[0]]
            assert record.topics == [INVITES_TOPIC, "t"]
            assert {SYNC, BLOB, "/ipfs/ping/1.0.0", "/meshsub/1.2.0"} <= set(record.protocols)
            assert record.received > 0
            assert record.sent > 0
            await until(lambda: b.host.peer_list().peers[0].addresses == [a.host.listening[0]])

    run(body)


def test_ping() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            assert 0 < await b.host.ping(a.peer) < 1
            with pytest.raises(Unreachable, match="no address of peer"):
                await a.host.ping("12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5")

    run(body)


# -- dialling


def test_dial_errors_say_what_to_do() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            with pytest.raises(ConfigError, match="does not end in /p2p/"):
                await a.host.dial("/ip4/127.0.0.1/tcp/1", keep=False)
            with pytest.raises(Unreachable, match=r"Connection refused|all attempts"):
                await a.host.dial(f"/ip4/127.0.0.1/tcp/1/p2p/{b.peer}", keep=False)
            wrong = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
            with pytest.raises(Unreachable, match="handshake failed"):
                await a.host.dial(f"{b.host.listening[0]}/p2p/{wrong}", keep=False)
            with pytest.raises(Unreachable, match="this node itself"):
                await a.host.dial(a.address, keep=False)
            await a.host.dial(b.address, keep=False)

    run(body)


def test_a_port_in_use_is_named() -> None:
    async def body() -> None:
        a = TestNode(1)
        async with running(a):
            b = TestNode(2, listen=(a.host.listening[0],))
            with pytest.raises(Unreachable, match="choose another port"):
                async with running(b):
                    pass

    run(body)


def test_a_kept_peer_is_dialled_again_after_a_restart_on_another_port() -> None:
    async def body() -> None:
        a = TestNode(1)
        async with running(a):
            a.host.subscribe("t")
            for _ in range(2):
                b = TestNode(2)
                async with running(b):
                    b.host.subscribe("t")
                    await a.host.dial(b.address, keep=True)
                    await until(lambda: meshed(a, "t", 1))
                await until(lambda: not a.host._swarm.peers())
            port = b.host.listening[0]
            c = TestNode(2, listen=(port,))
            async with running(c):
                c.host.subscribe("t")
                await until(lambda: meshed(a, "t", 1))
                assert a.host.publish("t", b"again") == 1
                await c.wait_for(GossipReceived)

    run(body)


def test_bootstrap_peers_are_dialled_when_they_appear() -> None:
    async def body() -> None:
        first = TestNode(2)
        async with running(first):
            address = first.address
        a = TestNode(1, bootstrap=(address,))
        async with running(a):
            assert [record.connected for record in a.host.peer_list().peers] == [False]
            b = TestNode(2, listen=(first.host.listening[0],))
            async with running(b):
                await a.wait_for(PeerConnected)

    run(body)


def test_a_forgotten_peer_is_closed_and_not_dialled_again() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=True)
            a.host.forget(b.peer)
            await a.wait_for(PeerDisconnected)
            await trio.sleep(limits.REDIAL_FIRST * 2)
            assert a.host.peer_list().peers == []

    run(body)


# -- streams


@pytest.mark.parametrize("protocol", [SYNC, BLOB])
def test_frames_travel_both_ways_and_the_ends_are_told(protocol: str) -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            out = await a.host.open_stream(b.peer, protocol)
            for payload in (b"one", b"", bytes(100_000)):
                await a.host.send_frame(out, payload)
            a.host.close_stream(out)
            (opened,) = await b.wait_for(StreamOpened)
            assert (opened.peer, opened.protocol) == (a.peer, protocol)
            assert [note.data for note in await b.wait_for(FrameReceived, 3)] == [b"one", b"", bytes(100_000)]
            assert await b.wait_for(StreamClosed) == [StreamClosed(opened.stream, reset=False)]
            await b.host.send_frame(opened.stream, b"answer")
            b.host.close_stream(opened.stream)
            assert (await a.wait_for(FrameReceived))[0] == FrameReceived(out, b"answer")
            assert await a.wait_for(StreamClosed) == [StreamClosed(out, reset=False)]
            await until(lambda: a.host._streams.count(b.peer) == b.host._streams.count(a.peer) == 0)
            with pytest.raises(NotFound, match="open a new one"):
                await a.host.send_frame(out, b"late")

    run(body)


def test_frames_before_a_reset_are_still_delivered() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            out = await a.host.open_stream(b.peer, SYNC)
            for number in range(20):
                await a.host.send_frame(out, bytes([number]) * 1_000)
            a.host.close_stream(out, reset=True)
            assert len(await b.wait_for(FrameReceived, 20)) == 20
            assert (await b.wait_for(StreamClosed))[0].reset

    run(body)


def test_opening_connects_by_a_known_address_and_refuses_foreign_protocols() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            a.host.forget(b.peer)
            await a.wait_for(PeerDisconnected)
            await a.host.open_stream(b.peer, SYNC)
            with pytest.raises(LocalProtocolError, match="not one of"):
                await a.host.open_stream(b.peer, "/other/1")

    run(body)


def test_the_frame_limit_at_its_edge() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            out = await a.host.open_stream(b.peer, SYNC)
            with pytest.raises(LocalProtocolError, match="8388609 bytes"):
                await a.host.send_frame(out, bytes(limits.MAX_FRAME + 1))
            await a.host.send_frame(out, bytes(limits.MAX_FRAME))
            assert len((await b.wait_for(FrameReceived))[0].data) == limits.MAX_FRAME

    run(body)


def test_a_node_that_gives_no_credit_gets_no_more_than_the_window_and_then_all() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)
            out = await a.host.open_stream(b.peer, SYNC)

            async def send() -> None:
                for number in range(200):
                    await a.host.send_frame(out, bytes([number]) * 20_000)

            async with trio.open_nursery() as nursery:
                nursery.start_soon(send)
                (opened,) = await b.wait_for(StreamOpened)
                await b.wait_for(FrameReceived, limits.FRAME_WINDOW)
                await trio.sleep(0.1)
                assert len(b.of(FrameReceived)) == limits.FRAME_WINDOW
                while len(b.of(FrameReceived)) < 200:
                    b.host.credit(opened.stream, 10)
                    await trio.sleep(0.001)
            assert [note.data[0] for note in b.of(FrameReceived)] == list(range(200))

    run(body)


def test_a_hundred_streams_at_once() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        async with running(a, b):
            await a.host.dial(b.address, keep=False)

            async def ask(number: int) -> None:
                out = await a.host.open_stream(b.peer, SYNC)
                await a.host.send_frame(out, number.to_bytes(1, "big") * 1_000)
                a.host.close_stream(out)

            async with trio.open_nursery() as nursery:
                for number in range(100):
                    nursery.start_soon(ask, number)
            await b.wait_for(FrameReceived, 100)
            for opened in b.of(StreamOpened):
                await b.host.send_frame(opened.stream, b"ok")
                b.host.close_stream(opened.stream)
            await a.wait_for(FrameReceived, 100)
            await until(lambda: a.host._streams.count(b.peer) == b.host._streams.count(a.peer) == 0)

    run(body)
