"""Whatever a peer sends, it is refused and counted, and everybody else is unharmed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
import trio
import trio.testing

from node.errors import DeadlineExceeded, RemoteProtocolError
from node.gossip.protobuf import encode_varint, prefixed
from node.gossip.rpc import Rpc, Subscription, encode_frame
from tests.workers.network.hostile import Hostile, read_to_the_end, refusals
from tests.workers.network.nodes import SYNC, TestNode, run, running, until
from workers.messages.network import GossipReceived, PeerDisconnected, StreamClosed, StreamOpened
from workers.network import limits, multistream
from workers.network.address import parse

MESHSUB = "/meshsub/1.2.0"


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[TestNode, TestNode]]:
    """Two nodes that gossip; at the end they still do, and no task is left over."""
    a, b = TestNode(1), TestNode(2)
    async with running(a, b):
        for node in (a, b):
            node.host.subscribe("t")
        await b.host.dial(a.address, keep=True)
        await until(lambda: bool(a.host._gossip.router.mesh_of("t") and b.host._gossip.router.mesh_of("t")))
        await trio.testing.wait_all_tasks_blocked(0.01)
        before = trio.lowlevel.current_statistics().tasks_living
        yield a, b
        count = len(a.of(GossipReceived)) + 1
        b.host.publish("t", b"still here")
        assert (await a.wait_for(GossipReceived, count))[-1].data == b"still here"
        await until(lambda: a.host._swarm.count() == 1)
        await until(lambda: trio.lowlevel.current_statistics().tasks_living <= before)


async def repeat(times: int, send: Callable[[bytes], Awaitable[None]], data: bytes) -> None:
    for _ in range(times):
        await send(data)


async def ended(socket: trio.SocketStream) -> bool:
    """Read to the end, clean or not."""
    with suppress(trio.BrokenResourceError):
        while await socket.receive_some():
            pass
    return True


# -- before the handshake is over


@pytest.mark.parametrize(
    "garbage", [b"\0" * 100, b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 5_000, b"\x13/multistream/1.0.0"]
)
def test_garbage_on_the_port(garbage: bytes) -> None:
    async def body() -> None:
        async with pair() as (a, _):
            where = parse(a.host.listening[0])
            socket = await trio.open_tcp_stream(where.host, where.port)
            await socket.send_all(garbage)
            await socket.aclose()

    run(body)


def test_silence_on_the_port_ends_at_the_handshake_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_TIMEOUT", 0.2)
    monkeypatch.setattr(limits, "MAX_PENDING_INBOUND", 3)

    async def body() -> None:
        async with pair() as (a, _):
            where = parse(a.host.listening[0])
            sockets = [await trio.open_tcp_stream(where.host, where.port) for _ in range(4)]
            for socket in reversed(sockets):
                assert await ended(socket)
                await socket.aclose()
            assert a.host._swarm._pending_inbound == 0

    run(body)


def test_garbage_behind_the_handshake() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            channel = await hostile.secure(a)
            await channel.send_all(b"\x05junk\n" * 30)
            with pytest.raises(RemoteProtocolError):
                await read_to_the_end(channel)
            await channel.aclose()
            channel = await hostile.secure(a)
            await channel.socket.send_all(b"\x00\x20" + bytes(32))
            with pytest.raises(RemoteProtocolError):
                await read_to_the_end(channel)
            await channel.aclose()

    run(body)


# -- on a connection


@pytest.mark.parametrize(
    "frame",
    [
        b"\x01\0\0\0\0\0\0\0\0\0\0\0",
        b"\0\x07\0\0\0\0\0\0\0\0\0\0",
        b"\0\0\0\x01\0\0\0\x02\0\0\0\0",
        b"\0\0\0\x01\0\0\0\x65\0\x10\0\0",
    ],
    ids=["version", "type", "parity", "window"],
)
def test_a_broken_multiplexer_loses_the_connection(frame: bytes) -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                connection.session._out.append(frame)
                connection.session.pending += len(frame)
                connection.wake_writer()
                await connection.closed.wait()
            await until(lambda: refusals(a, hostile) == {"connection": 1})
            await a.wait_for(PeerDisconnected)

    run(body)


def test_data_beyond_the_credit_of_a_stream_loses_the_connection() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            a.hold = trio.Event()
            async with hostile.connected(a) as connection:
                stream = await hostile.stream(connection, SYNC)
                connection.session._streams[stream.number].send_credit = 1 << 30
                with pytest.raises(RemoteProtocolError):
                    await stream.send_all(bytes(20_000_000))
            await until(lambda: refusals(a, hostile) == {"connection": 1})
            a.hold.set()
            a.hold = None

    run(body)


def test_pings_without_reading_the_answers_lose_the_connection() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            channel = await hostile.secure(a)
            await multistream.propose(channel, ["/yamux/1.0.0"])
            ping = b"\0\x02\0\x01\0\0\0\0\0\0\0\x01" * 5_000
            with pytest.raises(RemoteProtocolError):
                await repeat(2_000, channel.send_all, ping)
            await channel.aclose()
            await until(lambda: refusals(a, hostile).get("connection") == 1)

    run(body)


def test_a_thousand_streams_are_refused_beyond_the_limit_and_end_the_connection() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                streams = [connection.open_stream() for _ in range(1_000)]
                await connection.closed.wait()
                assert len(streams) == 1_000
            counted = refusals(a, hostile)["streams"]
            assert limits.SCORE_DISCONNECT <= counted <= 1_000 - limits.MAX_STREAMS_PER_PEER
            await a.wait_for(PeerDisconnected)
            async with hostile.connected(a) as connection:
                await connection.closed.wait()
            assert len(a.of(PeerDisconnected)) == 1

    run(body)


def test_unknown_protocols_are_declined_and_endless_proposals_reset() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                with pytest.raises(RemoteProtocolError, match="speaks none of"):
                    await hostile.stream(connection, "/calimero/other/1")
                stream = connection.open_stream()
                await stream.send_all(prefixed(b"/multistream/1.0.0\n") + prefixed(b"/x\n") * 40)
                with pytest.raises(RemoteProtocolError):
                    await stream.receive_exactly(1 << 20)
                await until(lambda: refusals(a, hostile) == {"protocol": 1})
                assert await connection.ping() < 1

    run(body)


# -- gossip


def test_garbage_gossip_is_counted_and_ends_in_a_ban() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                await hostile.listen_to_gossip()
                stream = await hostile.stream(connection, MESHSUB)
                await stream.send_all(prefixed(b"\xff\xff") * 5)
                await connection.closed.wait()
            assert refusals(a, hostile)["gossip-malformed"] == 5
            await a.wait_for(PeerDisconnected)
            async with hostile.connected(a) as connection:
                await connection.closed.wait()
            assert len(a.of(PeerDisconnected)) == 1

    run(body)


@pytest.mark.parametrize(("head", "reason"), [(encode_varint(65_537), "protocol"), (b"\xff" * 11, "malformed")])
def test_oversized_gossip_frames_reset_their_stream(head: bytes, reason: str) -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                await hostile.listen_to_gossip()
                stream = await hostile.stream(connection, MESHSUB)
                await stream.send_all(head)
                with pytest.raises(RemoteProtocolError):
                    await stream.receive_exactly(1)
            await until(lambda: refusals(a, hostile) == {reason: 1})

    run(body)


def test_a_subscription_flood_is_bounded() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                await hostile.listen_to_gossip()
                stream = await hostile.stream(connection, MESHSUB)
                for start in range(0, 20_000, 500):
                    changes = tuple(Subscription(f"{n:044}", subscribe=True) for n in range(start, start + 500))
                    with suppress(RemoteProtocolError):
                        await stream.send_all(encode_frame(Rpc(changes)))
            await a.wait_for(PeerDisconnected)
            assert refusals(a, hostile)["gossip-topics"] >= 20

    run(body)


def test_a_peer_that_does_not_read_gossip_costs_a_bounded_queue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "GOSSIP_QUEUE_BYTES", 500_000)

    async def body() -> None:
        async with pair() as (a, b):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                await hostile.listen_to_gossip()
                stream = await hostile.stream(connection, MESHSUB)
                await stream.send_all(encode_frame(Rpc((Subscription("t", subscribe=True),))))
                await until(lambda: hostile.peer in a.host._gossip.router.mesh_of("t"))
                for number in range(100):
                    a.host.publish("t", bytes([number]) * 20_000)
                    await b.wait_for(GossipReceived, number + 1)
                await until(lambda: refusals(a, hostile).get("gossip-slow") == 1)
            assert len(await b.wait_for(GossipReceived, 100)) == 100

    run(body)


# -- application streams


@pytest.mark.parametrize(
    ("sent", "reason"),
    [((limits.MAX_FRAME + 1).to_bytes(4, "big"), "frame-size"), (b"\0\0\0\x10short", "frame-cut")],
)
def test_bad_frames_reset_the_stream_and_are_counted(sent: bytes, reason: str) -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                stream = await hostile.stream(connection, SYNC)
                await stream.send_all(sent)
                stream.finish()
                (closed,) = await a.wait_for(StreamClosed)
                assert closed.reset
                assert refusals(a, hostile) == {reason: 1}
                assert await connection.ping() < 1

    run(body)


def test_a_peer_that_takes_no_frame_fails_the_sender_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_STALL", 0.3)

    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                stream = await hostile.stream(connection, SYNC)
                await stream.send_all(b"\0\0\0\0")
                (opened,) = await a.wait_for(StreamOpened)
                with pytest.raises(DeadlineExceeded, match="took no frame"):
                    await a.host.send_frame(opened.stream, bytes(1_000_000))
                await a.wait_for(StreamClosed)

    run(body)


def test_half_a_frame_and_silence_end_at_the_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "STREAM_STALL", 0.3)

    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            async with hostile.connected(a) as connection:
                stream = await hostile.stream(connection, SYNC)
                await stream.send_all(b"\0\0\0\x10half")
                assert (await a.wait_for(StreamClosed))[0].reset

    run(body)


def test_a_frozen_peer_is_disconnected_when_it_answers_no_ping(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PING_TIMEOUT", 0.3)

    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            channel = await hostile.secure(a)
            await multistream.propose(channel, ["/yamux/1.0.0"])
            await a.wait_for(PeerDisconnected)
            assert refusals(a, hostile) == {"stalled": 1}
            await channel.aclose()

    run(body)


def test_two_hundred_connects_and_disconnects_leave_nothing_behind() -> None:
    async def body() -> None:
        async with pair() as (a, _):
            hostile = Hostile(66)
            for _ in range(200):
                async with hostile.connected(a) as connection:
                    await hostile.stream(connection, SYNC)
            await a.wait_for(PeerDisconnected, 200)
            assert a.host._streams._streams == {}
            assert refusals(a, hostile) == {}

    run(body)
