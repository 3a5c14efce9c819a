"""The asyncio shell over real socket pairs."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable
from typing import Any

import pytest

from node.errors import Busy, DeadlineExceeded, NotFound, WorkerError, WorkerLost
from node.primitives import ContextId
from tests.workers.channels.far_end import far_end
from workers.channels.asyncio_ import MAX_HANDLERS, Channel, Peers
from workers.channels.core import Core
from workers.channels.link import socket_pair
from workers.channels.peers import ignore
from workers.messages import Message, Note, Request
from workers.messages.control import Attach, ListWorkers, LogLine, Ping, Pong, Stop, WorkerList
from workers.messages.runtime import GetHeads


async def serve_nothing(_: str, request: Request[Any]) -> Message:
    raise NotFound(type(request).__name__)


async def pong(_: str, request: Request[Any]) -> Message:
    assert isinstance(request, Ping)
    return Pong(2.0)


def test_request_reply_and_failure_with_a_blocking_peer() -> None:
    async def body(near: socket.socket) -> None:
        channel = Channel("far", near, serve_nothing, ignore)
        assert await channel.request(Ping()) == Pong(0.5)
        assert await channel.request(ListWorkers()) == WorkerList([])
        with pytest.raises(NotFound, match="GetHeads of the far end"):
            await channel.request(GetHeads(ContextId(bytes(32))))
        answers = await asyncio.gather(*(channel.request(Ping()) for _ in range(200)))
        assert answers == [Pong(0.5)] * 200
        channel.close()

    near, far = socket_pair()
    with far_end(far):
        asyncio.run(body(near))


def test_requests_cross_in_both_directions_with_large_messages() -> None:
    big = "x" * 3_000_000

    async def echo(_: str, request: Request[Any]) -> Message:
        return LogLine(0.0, "info", "echo", big)

    async def body() -> None:
        left_socket, right_socket = socket_pair()
        left = Channel("right", left_socket, echo, ignore)
        right = Channel("left", right_socket, echo, ignore)
        answers: list[Any] = await asyncio.gather(
            *(channel.request(ListWorkers()) for channel in (left, right) for _ in range(8))
        )
        assert {len(answer.text) for answer in answers} == {len(big)}
        left.close()
        right.close()

    asyncio.run(body())


def test_notes_keep_their_order_and_a_bad_handler_does_not_end_the_channel() -> None:
    async def body() -> None:
        seen: list[float] = []
        done = asyncio.Event()

        def on_note(_: str, note: Note) -> None:
            assert isinstance(note, Stop)
            seen.append(note.grace)
            if note.grace == 99:
                done.set()
            if note.grace == 3:
                raise ValueError("a bad handler")

        left_socket, right_socket = socket_pair()
        left = Channel("right", left_socket, serve_nothing, ignore)
        right = Channel("left", right_socket, serve_nothing, on_note)
        for number in range(100):
            left.note(Stop(float(number)))
        await asyncio.wait_for(done.wait(), 5)
        assert seen == [float(number) for number in range(100)]
        left.close()
        right.close()

    asyncio.run(body())


def test_handlers_are_called_in_order_and_bounded() -> None:
    async def body() -> None:
        running = peak = 0
        full, gate = asyncio.Event(), asyncio.Event()

        async def slow(_: str, request: Request[Any]) -> Message:
            nonlocal running, peak
            running += 1
            peak = max(peak, running)
            if running == MAX_HANDLERS:
                full.set()
            await gate.wait()
            running -= 1
            return Pong(0)

        left_socket, right_socket = socket_pair()
        left = Channel("right", left_socket, serve_nothing, ignore)
        right = Channel("left", right_socket, slow, ignore)
        tasks = [asyncio.create_task(left.request(Ping())) for _ in range(MAX_HANDLERS + 20)]
        await full.wait()
        gate.set()
        await asyncio.gather(*tasks)
        assert peak == MAX_HANDLERS
        left.close()
        right.close()

    asyncio.run(body())


def test_deadline_and_loss() -> None:
    async def never(_: str, request: Request[Any]) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def body() -> None:
        left_socket, right_socket = socket_pair()
        lost: list[str] = []
        left = Channel("right", left_socket, serve_nothing, ignore, lambda name, fault: lost.append(name))
        right = Channel("left", right_socket, never, ignore)
        with pytest.raises(DeadlineExceeded, match=r"right did not answer Ping within 0\.05 s"):
            await left.request(Ping(), timeout=0.05)
        waiting = asyncio.create_task(left.request(Ping(), timeout=30))
        await asyncio.sleep(0)
        right.close()
        with pytest.raises(WorkerLost, match="right went away while it held Ping"):
            await waiting
        assert lost == ["right"]
        assert left.lost
        with pytest.raises(WorkerLost):
            await left.request(Ping())

    asyncio.run(body())


def test_a_reader_that_does_not_read_makes_it_busy() -> None:
    async def body() -> None:
        left_socket, right_socket = socket_pair()
        left = Channel("right", left_socket, serve_nothing, ignore, core=Core("right", max_frames=4))
        with pytest.raises(Busy, match="channel to right is full"):
            tell_often(left)
        left.close()
        right_socket.close()

    asyncio.run(body())


def tell_often(channel: Channel) -> None:
    for _ in range(100):
        channel.note(LogLine(0.0, "info", "x", "y" * 100_000))


def test_broken_bytes_end_the_channel_with_the_fault() -> None:
    async def body() -> None:
        left_socket, right_socket = socket_pair()
        ended: asyncio.Future[Exception | None] = asyncio.get_running_loop().create_future()
        Channel("right", left_socket, serve_nothing, ignore, lambda _, fault: ended.set_result(fault))
        right_socket.send(b"GET / HTTP/1.1\r\n")
        assert "right" in str(await ended)
        right_socket.close()

    asyncio.run(body())


def test_peers_wait_for_a_restarted_one() -> None:
    async def body() -> None:
        first_socket, first_far = socket_pair()
        lost = asyncio.Event()
        peers = Peers({"sync": first_socket}, serve_nothing, ignore, runtimes=3, on_lost=lambda *_: lost.set())
        first = Channel("server", first_far, pong, ignore)
        assert await peers.request("sync", Ping()) == Pong(2.0)
        first.close()
        await lost.wait()
        assert not peers.alive("sync")
        assert not peers.note("sync", Stop())
        assert peers.dropped == 1
        waiting = asyncio.create_task(peers.request("sync", Ping()))
        await asyncio.sleep(0)
        second_socket, second_far = socket_pair()
        second = Channel("server", second_far, pong, ignore)
        peers.attach("sync", second_socket)
        assert await waiting == Pong(2.0)
        assert peers.note("sync", Attach("x"))
        second.close()
        peers.close()

    asyncio.run(body())


def test_a_gap_that_is_too_long_and_a_peer_that_never_was() -> None:
    async def body() -> None:
        near, far = socket_pair()
        peers = Peers({"sync": near}, serve_nothing, ignore)
        peers.detach("sync")
        with pytest.raises(WorkerLost, match="sync is not running"):
            await peers.request("sync", Ping(), gap=0.02)
        with pytest.raises(WorkerError, match="no channel to network; there are: sync"):
            await peers.request("network", Ping())
        far.close()

    asyncio.run(body())


def test_a_plain_function_may_queue_and_return_an_awaitable() -> None:
    async def body() -> None:
        order: list[int] = []

        def queued(_: str, request: Request[Any]) -> Awaitable[Message]:
            order.append(len(order))
            return pong("", Ping())

        left_socket, right_socket = socket_pair()
        left = Channel("right", left_socket, serve_nothing, ignore)
        right = Channel("left", right_socket, queued, ignore)
        await asyncio.gather(*(left.request(Ping()) for _ in range(5)))
        assert order == [0, 1, 2, 3, 4]
        left.close()
        right.close()

    asyncio.run(body())
