"""The registry process: HTTP in front of :mod:`node.context.registry`.

One request at a time changes rows, in order of arrival; an answer is sent when its rows are on disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

import uvicorn

from node.config.address import parse_listen
from node.context.registry.rate import RateLimit
from node.context.registry.relayer import MAX_BODY, RelayerAnswer, answer
from node.errors import WorkerError
from workers.channels.peers import ignore
from workers.http import QuietServer, listen
from workers.messages import Message, Request
from workers.registry.rows import FOLDER, SqliteRows
from workers.run_asyncio import Worker, run_asyncio
from workers.start import WorkerStart

IDLE_TIMEOUT: Final = 75
"""Seconds that an unused connection stays open."""

CONNECTIONS: Final = 512
log: Final = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """The ASGI application: POST on any path is a relayer request; ``/health`` and ``/metrics`` answer GET."""

    def __init__(self, rows: SqliteRows, now: Callable[[], float]) -> None:
        self._rows = rows
        self._now = now
        self._limit = RateLimit()
        self.answered = 0
        self.failed = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        if scope["method"] == "GET":
            await _respond(send, *self._page(scope["path"]))
            return
        if scope["method"] != "POST":
            await _respond(send, 405, b"only POST is served here", "text/plain")
            return
        await _respond(send, *await self._relay(scope, receive))

    async def _relay(self, scope: Scope, receive: Receive) -> tuple[int, bytes, str]:
        client = scope.get("client") or ("", 0)
        if not self._limit.admit(str(client[0]), self._now()):
            return 429, b"too many requests; slow down", "text/plain"
        body = await _body(receive)
        if body is None:
            return 413, f"the body is larger than {MAX_BODY} bytes".encode(), "text/plain"
        given = self._answer(body)
        return given.status, given.body, "application/json" if given.status < 500 else "text/plain"

    def _answer(self, body: bytes) -> RelayerAnswer:
        given = answer(self._rows, body)
        self.answered += 1
        if given.status >= 500:
            self.failed += 1
            log.info("refused: %s", given.body.decode(errors="replace"))
        return given

    def _page(self, path: str) -> tuple[int, bytes, str]:
        if path == "/health":
            text = {"status": "alive", "service": "calimero-relayer", "timestamp": int(time.time())}
            return 200, json.dumps(text).encode(), "application/json"
        if path == "/metrics":
            return 200, self._metrics().encode(), "text/plain; version=0.0.4"
        return 404, b"not found", "text/plain"

    def _metrics(self) -> str:
        figures = {
            "calimero_registry_requests_total": self.answered,
            "calimero_registry_refused_total": self.failed,
            "calimero_registry_rate_limited_total": self._limit.refused,
            "calimero_registry_rows": len(self._rows),
        }
        return "".join(f"{name} {value}\n" for name, value in figures.items())


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None as soon as it is larger than the limit."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_BODY:
            return None
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


async def _respond(send: Send, status: int, body: bytes, kind: str) -> None:
    headers = [(b"content-length", str(len(body)).encode()), (b"content-type", kind.encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _refuse(_: str, request: Request[Any]) -> Message:
    raise WorkerError(f"{type(request).__name__} is not served by the registry")


async def serve(worker: Worker) -> None:
    """Serve until the node stops."""
    worker.open(_refuse, ignore)
    address = parse_listen(worker.start.config.registry.listen, "registry.listen")
    sock = listen(address)
    rows = SqliteRows(worker.start.home / FOLDER)
    server = _server(Application(rows, time.monotonic))
    host, port = sock.getsockname()[:2]
    worker.ready({"listen": [f"http://{host}:{port}"]})
    try:
        await _until_stopped(worker, server, sock)
    finally:
        rows.close()


async def _until_stopped(worker: Worker, server: QuietServer, sock: socket.socket) -> None:
    running = asyncio.create_task(server.serve(sockets=[sock]))
    await worker.stopping.wait()
    server.should_exit = True
    await running


def _server(application: Application) -> QuietServer:
    return QuietServer(
        uvicorn.Config(
            application,
            http="h11",
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            timeout_keep_alive=IDLE_TIMEOUT,
            limit_concurrency=CONNECTIONS,
            server_header=False,
        )
    )


def main(start: WorkerStart) -> None:
    """The body of the registry process."""
    run_asyncio(start, serve)
