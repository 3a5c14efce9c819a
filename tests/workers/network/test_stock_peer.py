"""Our host and unmodified py-libp2p understand each other, whoever dials, with Noise and with TLS."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.workers.network.nodes import SYNC, TestNode, run, running
from workers.messages.network import FrameReceived, GossipReceived, PeerSubscribed, StreamClosed, StreamOpened

ROOT = Path(__file__).resolve().parents[3]


class StockPeer:
    """The process, and the events that it printed."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._buffer = b""

    async def next(self, key: str) -> dict[str, Any]:
        """The next event that has ``key``; others are passed over."""
        assert self._process.stdout is not None
        while True:
            while b"\n" not in self._buffer:
                piece = await self._process.stdout.receive_some()
                assert piece, f"the peer ended with {await self._process.wait()}"
                self._buffer += bytes(piece)
            line, _, self._buffer = self._buffer.partition(b"\n")
            event: dict[str, Any] = json.loads(line)
            if key in event:
                return event


@asynccontextmanager
async def stock_peer(**settings: Any) -> AsyncIterator[StockPeer]:
    command = [sys.executable, "-m", "tests.workers.network.stock_peer", json.dumps(settings)]
    async with trio.open_nursery() as nursery:
        process = await nursery.start(partial(trio.run_process, command, cwd=ROOT, stdout=subprocess.PIPE, check=False))
        try:
            yield StockPeer(process)
        finally:
            nursery.cancel_scope.cancel()


async def converse(node: TestNode, stock: StockPeer) -> None:
    """Gossip and streams in both directions."""
    (peer,) = {note.peer for note in await node.wait_for(PeerSubscribed)}
    node.host.publish("t", b"hello")
    assert (await stock.next("gossip"))["gossip"] == "hello"
    assert (await node.wait_for(GossipReceived))[0].data == b"answer to hello"

    out = await node.host.open_stream(peer, SYNC)
    for number, size in enumerate((1, 700_000), 1):
        await node.host.send_frame(out, b"a" * size)
        assert (await node.wait_for(FrameReceived, number))[-1].data == b"A" * size
    node.host.close_stream(out)

    node.host.publish("t", b"open")
    (opened,) = await node.wait_for(StreamOpened)
    assert (await node.wait_for(FrameReceived, 3))[-1] == FrameReceived(opened.stream, b"from stock")
    await node.host.send_frame(opened.stream, b"to stock")
    assert (await stock.next("frame"))["frame"] == "to stock"
    await node.wait_for(StreamClosed, 2)


def test_we_dial_with_noise() -> None:
    async def body() -> None:
        node = TestNode(1)
        async with running(node), stock_peer(seed=2, dial=None, security="noise") as stock:
            node.host.subscribe("t")
            await node.host.dial((await stock.next("address"))["address"], keep=False)
            await converse(node, stock)

    run(body, 18)


@pytest.mark.parametrize("security", ["noise", "tls"])
def test_it_dials(security: str) -> None:
    async def body() -> None:
        node = TestNode(1)
        async with running(node), stock_peer(seed=2, dial=node.address, security=security) as stock:
            node.host.subscribe("t")
            await converse(node, stock)

    run(body, 18)
