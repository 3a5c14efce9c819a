"""Calls over HTTP end to end, and events over WebSockets: one real node, all its processes, clients in this process.

The clients speak HTTP over plain sockets, so that little of the measured time is theirs.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect

from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.demo.network import Network

APP = Path(__file__).parents[1] / "apps" / "wasm" / "kv.wasm"
CONNECTIONS = (1, 8, 32)
SECONDS = 4.0
CLIENTS = 100
EVENTS_PER_SECOND = 50
EVENT_SECONDS = 5


@dataclass(frozen=True)
class Target:
    """Where to call what."""

    host: str
    port: int
    context_id: str
    member: str

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def call(self, method: str, **args: object) -> bytes:
        params = {"contextId": self.context_id, "method": method, "argsJson": args, "executorPublicKey": self.member}
        return self.post("/jsonrpc", {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params})

    def post(self, path: str, value: object) -> bytes:
        body = json.dumps(value, separators=(",", ":")).encode()
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        return head.encode() + body

    def get(self, path: str) -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n\r\n".encode()


def run() -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        yield from asyncio.run(_measured(Path(folder)))


async def _measured(home: Path) -> list[dict[str, object]]:
    async with node(home) as target:
        rows = [await _calls("health", target.get("/admin-api/health"), target, 8)]
        read, write = target.call("get", key="a"), target.call("set", key="a", value="b")
        rows += [await _calls("read", read, target, count) for count in CONNECTIONS]
        rows += [await _calls("write", write, target, count) for count in CONNECTIONS]
        return [*rows, await _events(target)]


@asynccontextmanager
async def node(home: Path) -> AsyncIterator[Target]:
    """A node with the key-value application in one context, with one entry in it."""
    network = await Network.start(1, home)
    try:
        async with Http(network.urls[0]) as http:
            client = Node(http)
            joined = await client.create_context(await client.install_path(str(APP)))
            await client.call(joined.context_id, "set", {"key": "a", "value": "b"}, joined.member)
        where = urlsplit(network.urls[0])
        yield Target(where.hostname or "", where.port or 0, joined.context_id, joined.member)
    finally:
        await network.stop()


async def _calls(name: str, request: bytes, target: Target, count: int) -> dict[str, object]:
    times: list[float] = []
    began = time.perf_counter()
    await asyncio.gather(*(_caller(request, target, began + SECONDS, times) for _ in range(count)))
    spent = time.perf_counter() - began
    times.sort()
    return {
        "case": name,
        "connections": count,
        "calls_per_second": len(times) / spent,
        "p50_ms": times[len(times) // 2] * 1000,
        "p99_ms": times[len(times) * 99 // 100] * 1000,
    }


async def _caller(request: bytes, target: Target, end: float, times: list[float]) -> None:
    reader, writer = await asyncio.open_connection(target.host, target.port)
    while (began := time.perf_counter()) < end:
        writer.write(request)
        answer = await _answer(reader)
        assert b'"error"' not in answer, answer
        times.append(time.perf_counter() - began)
    writer.close()
    await writer.wait_closed()


async def _answer(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200"), head
    length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return await reader.readexactly(int(length))


# -- events


async def _events(target: Target) -> dict[str, object]:
    """Every event must reach every client."""
    wanted = EVENTS_PER_SECOND * EVENT_SECONDS
    clients = [await _subscribed(target) for _ in range(CLIENTS)]
    delays: list[float] = []
    watching = [asyncio.create_task(_watch(client, wanted, delays)) for client in clients]
    await _write(target, wanted)
    received = sum(await asyncio.gather(*watching))
    for client in clients:
        await client.close()
    delays.sort()
    return {
        "case": "events",
        "clients": CLIENTS,
        "events_per_second": EVENTS_PER_SECOND,
        "delivered_percent": 100 * received / (wanted * CLIENTS),
        "p50_ms": statistics.median(delays) * 1000,
        "p99_ms": delays[len(delays) * 99 // 100] * 1000,
    }


async def _subscribed(target: Target) -> ClientConnection:
    client = await connect(f"ws://{target.host}:{target.port}/ws", compression=None, proxy=None)
    await client.send(json.dumps({"id": 1, "method": "subscribe", "params": {"contextIds": [target.context_id]}}))
    await client.recv()
    return client


async def _watch(client: ClientConnection, wanted: int, delays: list[float]) -> int:
    """How many came; the value of each event is the time at which it was written."""
    count = 0
    try:
        async with asyncio.timeout(EVENT_SECONDS + 20):
            while count < wanted:
                message = await client.recv()
                delays.append(time.perf_counter() - _written(json.loads(message)))
                count += 1
    except TimeoutError:
        pass
    return count


def _written(message: dict[str, Any]) -> float:
    return float(json.loads(bytes(message["result"]["data"]["events"][0]["data"]))["value"])


async def _write(target: Target, wanted: int) -> None:
    began = time.perf_counter()
    async with httpx.AsyncClient(trust_env=False, timeout=30) as http:
        for number in range(wanted):
            await asyncio.sleep(max(0.0, began + number / EVENTS_PER_SECOND - time.perf_counter()))
            raw = target.call("set", key=f"k{number % 10}", value=str(time.perf_counter()))
            await http.post(f"{target.url}/jsonrpc", content=raw.partition(b"\r\n\r\n")[2], headers=_JSON)


_JSON = {"content-type": "application/json"}
