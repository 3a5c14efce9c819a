"""The worker's shell: real channels, real hosts, the table of messages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import msgspec
import pytest
import trio

from node.errors import ConfigError, LocalProtocolError, NotFound, Unreachable, WorkerError
from tests.bench.bench_network import nodes
from tests.workers.network.nodes import LOOPBACK, SYNC, run, until
from workers.channels.link import socket_pair
from workers.channels.trio_ import Channel, Peers
from workers.messages import Message, Note, Request
from workers.messages.base import Done
from workers.messages.control import ListWorkers, Stop
from workers.messages.network import (
    Blame,
    CloseStream,
    CountNetwork,
    Dial,
    Dialled,
    ForgetPeer,
    FrameReceived,
    GetRecord,
    GossipReceived,
    ListPeers,
    OpenStream,
    PeerDisconnected,
    PeerSubscribed,
    PingPeer,
    Ponged,
    Publish,
    Published,
    PutRecord,
    SendFrame,
    StreamClosed,
    StreamCredit,
    StreamOpened,
    StreamReady,
    Subscribe,
    Unsubscribe,
)
from workers.network import limits
from workers.network.config import NetworkConfig
from workers.network.counts import Counts
from workers.network.host import NetworkHost
from workers.network.main import NetworkWorker

ReplyT = TypeVar("ReplyT", bound=Message)


class Driver:
    """The sync worker's end of the channel to one network worker."""

    def __init__(self, number: int) -> None:
        self.shell = NetworkWorker()
        self.host = NetworkHost(NetworkConfig(seed=number.to_bytes(32, "big"), listen=(LOOPBACK,)), self.shell.tell)
        self.notes: list[Note] = []
        self.credit = True
        self.channel: Channel | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        ours, theirs = socket_pair()
        async with trio.open_nursery() as nursery, self.host.running():
            self.peers = Peers({"sync": theirs}, self.shell.on_request, self.shell.on_note, nursery=nursery)
            self.shell.connect(self.host, self.peers)
            self.channel = Channel("network", ours, _serves_nothing, self._on_note, nursery=nursery)
            try:
                yield
            finally:
                self.channel.close()
                self.peers.close()
                nursery.cancel_scope.cancel()

    def _on_note(self, _: str, note: Note) -> None:
        self.notes.append(note)
        if self.credit and isinstance(note, FrameReceived):
            self.note(StreamCredit(note.stream, 1))

    @property
    def address(self) -> str:
        return f"{self.host.listening[0]}/p2p/{self.host.peer}"

    async def ask(self, operation: Request[ReplyT]) -> ReplyT:
        assert self.channel is not None
        return await self.channel.request(operation)

    def note(self, note: Note) -> None:
        assert self.channel is not None
        self.channel.note(note)

    def of(self, kind: type[Any]) -> list[Any]:
        return [note for note in self.notes if isinstance(note, kind)]

    async def wait_for(self, kind: type[Any], count: int = 1) -> list[Any]:
        await until(lambda: len(self.of(kind)) >= count)
        return self.of(kind)


async def _serves_nothing(_: str, request: Request[Any]) -> Message:
    raise AssertionError(request)


@asynccontextmanager
async def pair() -> AsyncIterator[tuple[Driver, Driver]]:
    a, b = Driver(1), Driver(2)
    async with a.running(), b.running():
        assert await a.ask(Dial(b.address, keep=False)) == Dialled(b.host.peer)
        yield a, b


def test_gossip_through_the_table() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            for node in (a, b):
                assert await node.ask(Subscribe("t")) == Done()
            await until(lambda: any(note.topic == "t" for note in a.of(PeerSubscribed)))
            assert await a.ask(Publish("t", b"x")) == Published(1)
            assert await b.wait_for(GossipReceived) == [GossipReceived("t", b"x", a.host.peer, a.host.peer)]
            assert await b.ask(Unsubscribe("t")) == Done()
            with pytest.raises(LocalProtocolError, match="send it over a stream"):
                await a.ask(Publish("t", bytes(70_000)))

    run(body)


def test_what_happens_is_counted() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            for node in (a, b):
                await node.ask(Subscribe("t"))
            await until(lambda: any(note.topic == "t" for note in a.of(PeerSubscribed)))
            await a.ask(Publish("t", b"x"))
            await b.wait_for(GossipReceived)
            await a.ask(PingPeer(b.host.peer))
            with pytest.raises(Unreachable):
                await a.ask(PingPeer("12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"))
            await a.ask(PutRecord(b"key", b"value"))
            await b.ask(GetRecord(b"key"))
            told = [await node.ask(CountNetwork()) for node in (a, b)]
            ours, theirs = (msgspec.json.decode(found.counts, type=Counts) for found in told)
            assert (ours.connected, theirs.connected) == ({"dialer": 1}, {"listener": 1})
            assert (ours.messages, theirs.messages) == (0, 1)
            assert (ours.pings.count, ours.failed_pings) == (1, {"Unreachable": 1})
            assert (ours.queries["put_record"].count, theirs.queries["get_record"].count, theirs.found) == (1, 1, 1)

    run(body)


def test_publishes_keep_their_order_without_waiting_for_answers() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            for node in (a, b):
                await node.ask(Subscribe("t"))
            await until(lambda: any(note.topic == "t" for note in a.of(PeerSubscribed)))
            assert a.channel is not None
            for number in range(200):
                a.channel._core.request(Publish("t", bytes([number])), 0.0, 1e9, lambda _: None)
            a.channel._flush()
            assert [note.data[0] for note in await b.wait_for(GossipReceived, 200)] == list(range(200))

    run(body)


def test_peers_through_the_table() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            ponged = await a.ask(PingPeer(b.host.peer))
            assert isinstance(ponged, Ponged)
            assert 0 < ponged.seconds < 1
            listed = await a.ask(ListPeers())
            assert [record.peer for record in listed.peers] == [b.host.peer]
            assert await a.ask(ForgetPeer(b.host.peer)) == Done()
            await a.wait_for(PeerDisconnected)
            with pytest.raises(ConfigError, match="not of the form"):
                await a.ask(Dial("nonsense"))
            with pytest.raises(Unreachable):
                await a.ask(Dial(f"/ip4/127.0.0.1/tcp/1/p2p/{Driver(3).host.peer}", keep=False))
            with pytest.raises(WorkerError, match="not served here"):
                await a.ask(ListWorkers())

    run(body)


def test_blame_of_the_sync_worker_is_counted_and_ends_in_a_ban() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            a.note(Blame(b.host.peer, "sync-malformed", 5, "broken"))
            await until(lambda: bool(a.host.peer_list().peers[0].refusals))
            (record,) = (await a.ask(ListPeers())).peers
            assert (record.refusals, record.score, record.connected) == ({"sync-malformed": 1}, 5, True)
            for _ in range(limits.SCORE_DISCONNECT // 5):
                a.note(Blame(b.host.peer, "sync-malformed", 5, "broken"))
            assert await a.wait_for(PeerDisconnected) == [PeerDisconnected(b.host.peer)]
            with pytest.raises(Unreachable, match="banned"):
                await a.ask(Dial(b.address, keep=False))

    run(body)


def test_frames_sent_without_waiting_keep_their_order_and_close_comes_after_them() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            opened = await a.ask(OpenStream(b.host.peer, SYNC))
            assert isinstance(opened, StreamReady)
            assert a.channel is not None
            for number in range(50):
                a.channel._core.request(SendFrame(opened.stream, bytes([number]) * 50_000), 0.0, 1e9, lambda _: None)
            a.channel._flush()
            a.note(CloseStream(opened.stream))
            assert [note.data[0] for note in await b.wait_for(FrameReceived, 50)] == list(range(50))
            (inbound,) = await b.wait_for(StreamOpened)
            assert await b.wait_for(StreamClosed) == [StreamClosed(inbound.stream, reset=False)]
            with pytest.raises(NotFound):
                await a.ask(SendFrame(opened.stream, b""))

    run(body)


def test_without_credit_the_node_gets_one_window() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            b.credit = False
            opened = await a.ask(OpenStream(b.host.peer, SYNC))
            for _ in range(limits.FRAME_WINDOW + 10):
                await a.ask(SendFrame(opened.stream, b"x"))
            await b.wait_for(FrameReceived, limits.FRAME_WINDOW)
            await trio.sleep(0.05)
            assert len(b.of(FrameReceived)) == limits.FRAME_WINDOW
            b.note(StreamCredit(b.of(StreamOpened)[0].stream, 10))
            await b.wait_for(FrameReceived, limits.FRAME_WINDOW + 10)

    run(body)


def test_a_sync_worker_that_dies_loses_its_streams_and_its_successor_is_served() -> None:
    async def body() -> None:
        async with pair() as (a, b):
            opened = await a.ask(OpenStream(b.host.peer, SYNC))
            await a.ask(SendFrame(opened.stream, b"x"))
            await b.wait_for(FrameReceived)
            assert b.channel is not None
            b.channel.close()
            await until(lambda: not b.peers.alive("sync"))
            await a.ask(SendFrame(opened.stream, b"y"))
            await a.wait_for(StreamClosed)
            assert b.host._streams._streams == {}
            ours, theirs = socket_pair()
            async with trio.open_nursery() as nursery:
                b.peers.attach("sync", theirs)
                b.channel = Channel("network", ours, _serves_nothing, b._on_note, nursery=nursery)
                assert [record.peer for record in (await b.ask(ListPeers())).peers] == [a.host.peer]
                await a.ask(OpenStream(b.host.peer, SYNC))
                await b.wait_for(StreamOpened, 2)
                b.channel.close()

    run(body)


def test_two_processes_gossip_and_stop_when_told() -> None:
    async def body() -> None:
        async with nodes(2) as (a, b):
            await a.channel.request(Publish("t", b"12345678"))
            await b.until(lambda: b"12345678" in b.arrived)
            for node in (a, b):
                node.control.note(Stop(1.0))
                await trio.to_thread.run_sync(node.process.join, 5)
                assert node.process.exitcode == 0

    run(body)
