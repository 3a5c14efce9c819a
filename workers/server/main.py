"""The server process: sockets, the HTTP server, and the notes of the other workers. It holds no node state."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, Final

import uvicorn

from node.config.address import parse_server_listen
from node.errors import ConfigError, WorkerError
from workers.http import QuietServer, listen
from workers.messages import Message, Request
from workers.run_asyncio import Worker, run_asyncio
from workers.server.api import Api
from workers.server.backend import Backend
from workers.server.hub import Hub
from workers.start import WorkerStart

IDLE_TIMEOUT: Final = 75
"""Seconds that an unused connection stays open."""

CONNECTIONS: Final = 1024
MAX_FRAME: Final = 1 << 20
"""Bytes of one WebSocket message from a client; a subscription has a few kilobytes."""

STOP_GRACE: Final = 3


async def _refuse(_: str, request: Request[Any]) -> Message:
    raise WorkerError(f"{type(request).__name__} is not served by the server worker")


async def serve(worker: Worker) -> None:
    """Serve until the node stops."""
    hub = Hub()
    peers = worker.open(_refuse, hub.take)
    api = Api(Backend(worker, peers), hub, worker.start.blob_dir)
    sockets = bind(worker.start.config.server.listen)
    server = QuietServer(_config(api, worker))
    worker.ready({"listen": [_url(sock) for sock in sockets]})
    running = asyncio.create_task(server.serve(sockets=sockets))
    await worker.stopping.wait()
    api.stopping.set()
    server.should_exit = True
    await running


def bind(addresses: tuple[str, ...]) -> list[socket.socket]:
    """Listening sockets. As in the reference, an address that cannot be had is fatal only when it is the last hope."""
    found: list[socket.socket] = []
    problem: ConfigError | None = None
    for text in addresses:
        try:
            found.append(listen(parse_server_listen(text)))
        except ConfigError as error:
            problem = error
    if not found:
        raise problem or ConfigError("server.listen is empty; give it an address like /ip4/127.0.0.1/tcp/2528")
    return found


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _config(api: Api, worker: Worker) -> uvicorn.Config:
    websocket = worker.start.config.server.websocket
    ping = float(websocket.ping_interval_secs) if websocket is not None else 30.0
    pong = float(websocket.pong_timeout_secs) if websocket is not None else 10.0
    return uvicorn.Config(
        api.application(),
        http="h11",
        ws="websockets-sansio",
        ws_max_size=MAX_FRAME,
        ws_ping_interval=ping or None,
        ws_ping_timeout=pong or None,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_keep_alive=IDLE_TIMEOUT,
        timeout_graceful_shutdown=STOP_GRACE,
        limit_concurrency=CONNECTIONS,
        server_header=False,
    )


def main(start: WorkerStart) -> None:
    """The body of the server process."""
    run_asyncio(start, serve)
