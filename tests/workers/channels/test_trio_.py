"""The trio shell over real socket pairs."""

from __future__ import annotations

import socket
from typing import Any

import pytest
import trio

from node.errors import Busy, DeadlineExceeded, NotFound, WorkerLost
from node.primitives import ContextId
from tests.workers.channels.far_end import far_end
from workers.channels.core import Core
from workers.channels.link import socket_pair
from workers.channels.peers import ignore
from workers.channels.trio_ import MAX_HANDLERS, Channel, Peers
from workers.messages import Message, Note, Request
from workers.messages.control import ListWorkers, LogLine, Ping, Pong, Stop
from workers.messages.runtime import GetHeads


async def serve_nothing(_: str, request: Request[Any]) -> Message:
    raise NotFound(type(request).__name__)


async def pong(_: str, request: Request[Any]) -> Message:
    return Pong(2.0)


def test_request_reply_and_failure_with_a_blocking_peer() -> None:
    async def body(near: socket.socket) -> None:
        async with trio.open_nursery() as nursery:
            channel = Channel("far", near, serve_nothing, ignore, nursery=nursery)
            for _ in range(20):
                assert await channel.request(Ping()) == Pong(0.5)
            with pytest.raises(NotFound, match="GetHeads of the far end"):
                await channel.request(GetHeads(ContextId(bytes(32))))
            channel.close()

    near, far = socket_pair()
    with far_end(far):
        trio.run(body, near)


def test_large_messages_cross_in_both_directions() -> None:
    big = "x" * 3_000_000

    async def echo(_: str, request: Request[Any]) -> Message:
        return LogLine(0.0, "info", "echo", big)

    async def ask(channel: Channel, sizes: list[int]) -> None:
        answer: Any = await channel.request(ListWorkers())
        sizes.append(len(answer.text))

    async def body() -> None:
        sizes: list[int] = []
        async with trio.open_nursery() as nursery:
            left_socket, right_socket = socket_pair()
            left = Channel("right", left_socket, echo, ignore, nursery=nursery)
            right = Channel("left", right_socket, echo, ignore, nursery=nursery)
            async with trio.open_nursery() as asking:
                for channel in (left, right) * 6:
                    asking.start_soon(ask, channel, sizes)
            left.close()
            right.close()
        assert sizes == [len(big)] * 12

    trio.run(body)


def test_notes_keep_their_order() -> None:
    async def body() -> None:
        seen: list[float] = []
        done = trio.Event()

        def on_note(_: str, note: Note) -> None:
            assert isinstance(note, Stop)
            seen.append(note.grace)
            if note.grace == 99:
                done.set()
            if note.grace == 3:
                raise ValueError("a bad handler")

        async with trio.open_nursery() as nursery:
            left_socket, right_socket = socket_pair()
            left = Channel("right", left_socket, serve_nothing, ignore, nursery=nursery)
            right = Channel("left", right_socket, serve_nothing, on_note, nursery=nursery)
            for number in range(100):
                left.note(Stop(float(number)))
            await done.wait()
            left.close()
            right.close()
        assert seen == [float(number) for number in range(100)]

    trio.run(body)


def test_handlers_are_bounded() -> None:
    async def body() -> None:
        running = peak = 0
        gate = trio.Event()

        async def slow(_: str, request: Request[Any]) -> Message:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            await gate.wait()
            running -= 1
            return Pong(0)

        async with trio.open_nursery() as nursery:
            left_socket, right_socket = socket_pair()
            left = Channel("right", left_socket, serve_nothing, ignore, nursery=nursery)
            right = Channel("left", right_socket, slow, ignore, nursery=nursery)
            async with trio.open_nursery() as asking:
                for _ in range(MAX_HANDLERS + 20):
                    asking.start_soon(left.request, Ping())
                while running < MAX_HANDLERS:
                    await trio.lowlevel.checkpoint()
                gate.set()
            left.close()
            right.close()
        assert peak == MAX_HANDLERS

    trio.run(body)


def test_deadline_and_loss() -> None:
    async def body() -> None:
        lost: list[str] = []
        async with trio.open_nursery() as nursery:
            left_socket, right_socket = socket_pair()
            left = Channel(
                "right", left_socket, serve_nothing, ignore, lambda name, _: lost.append(name), nursery=nursery
            )
            with pytest.raises(DeadlineExceeded, match=r"right did not answer Ping within 0\.05 s"):
                await left.request(Ping(), timeout=0.05)
            nursery.start_soon(_close_soon, right_socket)
            with pytest.raises(WorkerLost, match="right went away while it held Ping"):
                await left.request(Ping())
            with pytest.raises(WorkerLost):
                left.note(Stop())
        assert lost == ["right"]

    trio.run(body)


def tell_often(channel: Channel) -> None:
    for _ in range(100):
        channel.note(LogLine(0.0, "info", "x", "y" * 100_000))


async def _close_soon(sock: socket.socket) -> None:
    await trio.lowlevel.checkpoint()
    sock.close()


def test_a_reader_that_does_not_read_makes_it_busy() -> None:
    async def body() -> None:
        async with trio.open_nursery() as nursery:
            left_socket, right_socket = socket_pair()
            left = Channel(
                "right", left_socket, serve_nothing, ignore, nursery=nursery, core=Core("right", max_frames=4)
            )
            with pytest.raises(Busy, match="channel to right is full"):
                tell_often(left)
            left.close()
            right_socket.close()

    trio.run(body)


def test_broken_bytes_end_the_channel_with_the_fault() -> None:
    async def body() -> None:
        faults: list[Exception | None] = []
        async with trio.open_nursery() as nursery:
            left_socket, right_socket = socket_pair()
            Channel("right", left_socket, serve_nothing, ignore, lambda _, fault: faults.append(fault), nursery=nursery)
            right_socket.send(b"GET / HTTP/1.1\r\n")
        assert "right" in str(faults[0])
        right_socket.close()

    trio.run(body)


def test_peers_wait_for_a_restarted_one() -> None:
    async def body() -> None:
        async with trio.open_nursery() as nursery:
            first_socket, first_far = socket_pair()
            peers = Peers({"sync": first_socket}, serve_nothing, ignore, nursery=nursery)
            first = Channel("server", first_far, pong, ignore, nursery=nursery)
            assert await peers.request("sync", Ping()) == Pong(2.0)
            first.close()
            while peers.alive("sync"):
                await trio.lowlevel.checkpoint()
            assert not peers.note("sync", Stop())
            assert peers.dropped == 1
            with pytest.raises(WorkerLost, match="sync is not running"):
                await peers.request("sync", Ping(), gap=0.02)
            second_socket, second_far = socket_pair()
            second = Channel("server", second_far, pong, ignore, nursery=nursery)
            nursery.start_soon(_attach_soon, peers, second_socket)
            assert await peers.request("sync", Ping()) == Pong(2.0)
            assert peers.note("sync", Stop())
            second.close()
            peers.close()

    trio.run(body)


async def _attach_soon(peers: Peers, sock: socket.socket) -> None:
    await trio.lowlevel.checkpoint()
    peers.attach("sync", sock)
