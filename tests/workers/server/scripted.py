"""The real HTTP server on a real socket, with real channels to workers that answer by a script."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from node.api.history import History
from node.api.routes import ROUTES, SOCKETS
from node.config.address import parse_listen
from node.config.model import BlobStore, DataStore, NodeConfig, Server, Swarm, Sync, WebSocket
from node.errors import WorkerError
from node.primitives import DeltaId, Hash
from tests.node.api.ids import APP, BLOB, CTX
from workers.channels.asyncio_ import Channel, Peers
from workers.channels.link import socket_pair
from workers.http import QuietServer, listen
from workers.messages import Message, Note, Request
from workers.messages.control import ListWorkers, LogPage, TailLogs, WorkerList, WorkerRecord
from workers.messages.records import ApplicationRecord, ConfigRecord, ContextRecord
from workers.server.api import Api
from workers.server.application import Application
from workers.server.backend import Backend
from workers.server.connections import Connections, Limits
from workers.server.guard import Guard
from workers.server.hub import Hub
from workers.server.main import settings, url

LOOPBACK = "/ip4/127.0.0.1/tcp/0"
ROLES = ("runtime[0]", "sync", "network")

CONTEXT = ContextRecord(
    CTX, APP, Hash(BLOB), [DeltaId(b"\x09" * 32)], ConfigRecord("near", "testnet", "c", "proxy.near")
)
APPLICATION = ApplicationRecord(APP, BLOB, 512, "file:///data/kv.wasm", b"{}", "com.x", "1.0.0")

Answer = Message | Exception | Callable[[Any], Message | Awaitable[Message]]


@dataclass
class Script:
    """What the workers answer by request type, and what they were asked."""

    answers: dict[type[Request[Any]], Answer] = field(default_factory=dict)
    asked: list[Request[Any]] = field(default_factory=list)
    workers: list[WorkerRecord] = field(default_factory=list)
    logs: History | None = None
    """Kept log lines; without them there are always more."""

    async def on_request(self, peer: str, request: Request[Any]) -> Message:
        self.asked.append(request)
        answer = self.answers.get(type(request), WorkerError(f"no answer to {type(request).__name__}"))
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Message):
            return answer
        found = answer(request)
        return found if isinstance(found, Message) else await found


class Supervisor:
    """Stands where the server's worker does; knows the list of workers."""

    def __init__(self, script: Script) -> None:
        self._script = script

    async def supervisor(self, operation: ListWorkers | TailLogs) -> WorkerList | LogPage:
        await asyncio.sleep(0)  # an answer of the real one takes a turn of the loop at least
        if isinstance(operation, TailLogs) and self._script.logs is not None:
            page = self._script.logs.page(operation.after, operation.limit)
            return LogPage(page.events, page.cursor, page.lost)
        if isinstance(operation, TailLogs):
            line = '{"at":"2026-01-01T00:00:00.000Z","level":"info","worker":"sync","logger":"a","text":"b"}'
            return LogPage([line] * operation.limit, operation.after + operation.limit, lost=False)
        return WorkerList(self._script.workers)


@dataclass
class Served:
    """A running server."""

    url: str
    api: Api
    script: Script
    http: httpx.AsyncClient
    channels: dict[str, Channel]
    server: QuietServer

    @property
    def address(self) -> tuple[str, int]:
        parts = urlsplit(self.url)
        return parts.hostname or "", parts.port or 0

    def tell(self, note: Note, peer: str = "runtime[0]") -> None:
        """A note of another worker."""
        self.channels[peer].note(note)

    async def stop(self, grace: float = 1) -> None:
        """What the worker does when the node stops."""
        self.server.config.timeout_graceful_shutdown = int(grace)
        self.api.stopping.set()
        self.api.hub.close()
        self.api.logs.grew()
        self.server.should_exit = True


def node_config(**more: Any) -> NodeConfig:
    return NodeConfig(
        swarm=Swarm(listen=()),
        server=Server(listen=(LOOPBACK,), websocket=more.pop("websocket", WebSocket())),
        datastore=DataStore(path="data"),
        blobstore=BlobStore(path="blobs"),
        sync=Sync(),
        **more,
    )


@asynccontextmanager
async def serving(
    answers: dict[type[Request[Any]], Answer] | None = None,
    *,
    home: Path = Path("/nonexistent"),
    limits: Limits | None = None,
    guard: Guard | None = None,
    prefix: str = "",
    body_seconds: float = 5.0,
    config: NodeConfig | None = None,
) -> AsyncIterator[Served]:
    script = Script(dict(answers or {}))
    ours, theirs = {}, {}
    for role in ROLES:
        ours[role], end = socket_pair()
        theirs[role] = Channel("server", end, script.on_request, lambda _, note: None)
    hub = Hub()
    peers = Peers(ours, _serves_nothing, hub.take)
    api = Api(Backend(Supervisor(script), peers), hub, home / "blobs", Connections(limits))  # type: ignore[arg-type]
    application = Application(api, ROUTES, SOCKETS, guard, prefix, body_seconds)
    sock = listen(parse_listen(LOOPBACK, "server.listen"))
    server = QuietServer(settings(application, config or node_config()))
    running = asyncio.create_task(server.serve(sockets=[sock]))
    where = url(sock)
    async with httpx.AsyncClient(base_url=where, trust_env=False, timeout=10) as http:
        served = Served(where, api, script, http, theirs, server)
        try:
            yield served
        finally:
            await served.stop(0)
            await running
            await api.close()
            peers.close()
            for channel in theirs.values():
                channel.close()


async def _serves_nothing(_: str, request: Request[Any]) -> Message:
    raise AssertionError(request)


def run(body: Callable[[], Awaitable[None]], seconds: float = 15) -> None:
    """Run a test body with a deadline below that of the test."""

    async def main() -> None:
        async with asyncio.timeout(seconds):
            await body()

    asyncio.run(main())


async def raw_request(served: Served, *parts: bytes) -> bytes:
    """Send bytes over a plain connection; everything that comes back until the server closes it."""
    reader, writer = await asyncio.open_connection(*served.address)
    for part in parts:
        writer.write(part)
        await writer.drain()
    answer = await reader.read()
    writer.close()
    return answer


async def until(condition: Callable[[], object]) -> None:
    """Wait for what happens in this process without an event of its own."""
    while not condition():  # noqa: ASYNC110 - there is nothing to wait on
        await asyncio.sleep(0.001)
