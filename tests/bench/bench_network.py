"""The network worker: real processes, driven over their channels as the sync worker does it.

A latency is measured from the request in one worker's channel to the note in another's, so two channel hops are in it.
"""

from __future__ import annotations

import multiprocessing
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import base58
import psutil
import trio
from nacl.signing import SigningKey

from node.config.model import BlobStore, DataStore, Discovery, Identity, NodeConfig, Server, Swarm, Sync
from tests.workers.network.nodes import TestNode, running, until
from workers.channels.link import socket_pair
from workers.channels.trio_ import Channel
from workers.messages import Message, Note, Request
from workers.messages.control import Ready
from workers.messages.network import (
    CloseStream,
    Dial,
    FrameReceived,
    GossipReceived,
    ListPeers,
    OpenStream,
    PeerSubscribed,
    Publish,
    SendFrame,
    StreamClosed,
    StreamCredit,
    StreamOpened,
    Subscribe,
)
from workers.network.main import main as worker_main
from workers.start import WorkerStart

SYNC = "/calimero/stream/0.0.2"
MEGABYTE = 1_000_000
CONNECTS = 1_000
WARM_UP = 200
"""Connections before the counting starts: caches of libraries and of the allocator fill."""


def node_config(number: int) -> NodeConfig:
    seed = number.to_bytes(32, "big")
    keypair = bytes.fromhex("08011240") + seed + bytes(SigningKey(seed).verify_key)
    return NodeConfig(
        identity=Identity(peer_id="", keypair=base58.b58encode(keypair).decode()),
        swarm=Swarm(listen=("/ip4/127.0.0.1/tcp/0",)),
        server=Server(listen=()),
        datastore=DataStore(path="data"),
        blobstore=BlobStore(path="blobs"),
        sync=Sync(),
        discovery=Discovery(mdns=False),
    )


class Node:
    """One worker process and the sync worker's end of its channel."""

    def __init__(self, number: int, nursery: trio.Nursery) -> None:
        self.ready = trio.Event()
        self.arrived: dict[bytes, float] = {}
        self.topics: set[str] = set()
        self.frames = self.bytes = self.closed = 0
        self.opened: list[int] = []
        self.echo = False
        self._changed = trio.Event()
        control, control_end = socket_pair()
        sync, sync_end = socket_pair()
        self.home = tempfile.TemporaryDirectory()
        start = WorkerStart("network", 0, Path(self.home.name), node_config(number), control_end, {"sync": sync_end})
        self.started = time.perf_counter()
        self.process: BaseProcess = multiprocessing.get_context("spawn").Process(target=worker_main, args=(start,))
        self.process.start()
        self.control = Channel("worker", control, _refuse, self._on_control, nursery=nursery)
        self.channel = Channel("network", sync, _refuse, self._on_note, nursery=nursery)
        control_end.close()
        sync_end.close()
        self.usage = psutil.Process(self.process.pid)

    def _on_control(self, _: str, note: Note) -> None:
        if isinstance(note, Ready):
            self.start_up = time.perf_counter() - self.started
            self.ready.set()

    def _on_note(self, _: str, note: Note) -> None:
        match note:
            case GossipReceived(data=data):
                self.arrived[data[:8]] = time.perf_counter()
            case PeerSubscribed(topic=topic):
                self.topics.add(topic)
            case StreamOpened(stream=stream):
                self.opened.append(stream)
            case FrameReceived(stream=stream, data=data):
                self.frames += 1
                self.bytes += len(data)
                self.channel.note(StreamCredit(stream, 1))
            case StreamClosed():
                self.closed += 1
        self._changed.set()
        self._changed = trio.Event()

    async def until(self, condition: Any) -> None:
        with trio.fail_after(60):
            while not condition():
                await self._changed.wait()

    async def address(self) -> str:
        listed = await self.channel.request(ListPeers())
        self.peer = listed.peer
        return f"{listed.listen[0]}/p2p/{listed.peer}"

    async def stop(self) -> None:
        self.channel.close()
        self.control.close()
        await trio.to_thread.run_sync(self.process.join, 5)
        self.process.kill()
        self.process.join()
        self.home.cleanup()


async def _refuse(_: str, request: Request[Any]) -> Message:
    raise AssertionError(request)


@asynccontextmanager
async def nodes(count: int) -> AsyncIterator[list[Node]]:
    """Started, connected and meshed on ``t``."""
    async with AsyncExitStack() as stack, trio.open_nursery() as nursery:
        found = []
        for number in range(1, count + 1):
            node = Node(number, nursery)
            stack.push_async_callback(node.stop)
            found.append(node)
        for node in found:
            await node.ready.wait()
        for index, node in enumerate(found):
            await node.channel.request(Subscribe("t"))
            for other in found[:index]:
                await node.channel.request(Dial(await other.address(), keep=False))
        for node in found:
            await node.address()
            await node.until(lambda node=node: count == 1 or "t" in node.topics)
        await trio.sleep(0.5)
        yield found
        for node in found:
            await node.stop()
        nursery.cancel_scope.cancel()


def row(name: str, value: float, unit: str) -> dict[str, object]:
    return {"name": name, "value": round(value, 3), "unit": unit}


async def latencies(found: list[Node], size: int, times: int, pause: float) -> list[float]:
    """Milliseconds from publish until the last of the other nodes has it."""
    out = []
    for number in range(times):
        key = number.to_bytes(8, "big")
        sent = time.perf_counter()
        await found[0].channel.request(Publish("t", key + bytes(size - 8)))
        for node in found[1:]:
            await node.until(lambda node=node, key=key: key in node.arrived)
        out.append((max(node.arrived[key] for node in found[1:]) - sent) * 1000)
        for node in found:
            node.arrived.clear()
        await trio.sleep(pause)
    return out


async def gossip(count: int) -> list[dict[str, object]]:
    async with nodes(count) as found:
        rows = []
        for size in (1_000, 60_000):
            taken = await latencies(found, size, 200, 0.01)
            cuts = statistics.quantiles(taken, n=100)
            rows.append(row(f"gossip {count} nodes {size} B p50", cuts[49], "ms"))
            rows.append(row(f"gossip {count} nodes {size} B p99", cuts[98], "ms"))
        return rows


async def start_up() -> list[dict[str, object]]:
    async with nodes(1) as (node,):
        used = node.usage.cpu_times()
        return [
            row("start-up, process to ready", node.start_up * 1000, "ms"),
            row("start-up CPU", (used.user + used.system) * 1000, "ms"),
            row("memory at start", node.usage.memory_info().rss / MEGABYTE, "MB"),
        ]


async def idle() -> list[dict[str, object]]:
    async with nodes(3) as found:
        await trio.sleep(2)
        before = sum(found[0].usage.cpu_times()[:2])
        await trio.sleep(20)
        used = sum(found[0].usage.cpu_times()[:2]) - before
        return [row("idle CPU of one of 3 meshed nodes", used / 20 * 100, "% of a core")]


async def bulk() -> list[dict[str, object]]:
    async with nodes(2) as (a, b):
        frame = bytes(128 * 1024)
        count = 50 * MEGABYTE // len(frame)
        opened = await a.channel.request(OpenStream(b.peer, SYNC))
        cpu = [sum(node.usage.cpu_times()[:2]) for node in (a, b)]
        start = time.perf_counter()
        limiter = trio.Semaphore(16)

        async def send() -> None:
            async with limiter:
                await a.channel.request(SendFrame(opened.stream, frame))

        async with trio.open_nursery() as nursery:
            for _ in range(count):
                nursery.start_soon(send)
        await b.until(lambda: b.frames == count)
        seconds = time.perf_counter() - start
        used = sum(sum(node.usage.cpu_times()[:2]) - was for node, was in zip((a, b), cpu, strict=True))
        megabytes = count * len(frame) / MEGABYTE
        return [
            row("one stream", megabytes / seconds, "MB/s"),
            row("one stream, CPU of both ends", used / megabytes * 1000, "ms/MB"),
            row("memory after 50 MB", b.usage.memory_info().rss / MEGABYTE, "MB"),
        ]


async def streams() -> list[dict[str, object]]:
    async with nodes(2) as (a, b):
        start = time.perf_counter()

        async def ask() -> None:
            opened = await a.channel.request(OpenStream(b.peer, SYNC))
            await a.channel.request(SendFrame(opened.stream, bytes(1_000)))
            a.channel.note(CloseStream(opened.stream))

        async with trio.open_nursery() as nursery:
            for _ in range(100):
                nursery.start_soon(ask)
        await b.until(lambda: b.frames == 100)
        for stream in b.opened:
            await b.channel.request(SendFrame(stream, bytes(1_000)))
            b.channel.note(CloseStream(stream))
        await a.until(lambda: a.frames == 100 and a.closed == 100)
        return [row("100 streams at once, 1 kB there and back", (time.perf_counter() - start) * 1000, "ms")]


async def churn() -> list[dict[str, object]]:
    """Connects and disconnects of two hosts in this process, where tasks can be counted."""
    a, b = TestNode(1), TestNode(2)
    async with running(a, b):
        await reconnect(a, b, WARM_UP)
        tasks, memory = trio.lowlevel.current_statistics().tasks_living, psutil.Process().memory_info().rss
        start = time.perf_counter()
        await reconnect(a, b, CONNECTS)
        seconds = time.perf_counter() - start
        after = trio.lowlevel.current_statistics().tasks_living
        return [
            row("connect, identify, gossip stream and disconnect", seconds / CONNECTS * 1000, "ms"),
            row(f"tasks left by {CONNECTS} connections", after - tasks, "tasks"),
            row(
                f"memory left by {CONNECTS} connections", (psutil.Process().memory_info().rss - memory) / MEGABYTE, "MB"
            ),
        ]


async def reconnect(a: TestNode, b: TestNode, times: int) -> None:
    for _ in range(times):
        await a.host.dial(b.address, keep=False)
        await until(lambda: a.host._gossip.router.topics_of(b.peer) == b.host._gossip.router.topics)
        a.host.forget(b.peer)
        await until(lambda: not a.host.peer_list().peers and not b.host.peer_list().peers)
        a.notes.clear()
        b.notes.clear()


def run() -> Iterator[dict[str, object]]:
    for part in (start_up, partial(gossip, 2), partial(gossip, 3), bulk, streams, churn, idle):
        yield from trio.run(part)
