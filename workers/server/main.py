"""The server process: sockets, the HTTP server, and the notes of the other workers. It holds no node state."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Mapping
from typing import Any, Final

import uvicorn

from node.api.route import Module, Route, SocketRoute
from node.api.routes import ROUTES, SOCKETS
from node.config.address import parse_server_listen
from node.config.model import NodeConfig
from node.errors import ConfigError, WorkerError
from workers.http import QuietServer, listen
from workers.messages import Message, Request
from workers.run_asyncio import Worker, run_asyncio
from workers.server.api import Api
from workers.server.application import Application
from workers.server.backend import Backend
from workers.server.connections import protocols
from workers.server.hub import Hub
from workers.start import WorkerStart

__all__ = ["bind", "main", "serve"]

MAX_FRAME: Final = 1 << 20
"""Bytes of one WebSocket message from a client; ten thousand subscriptions have half of it."""

MAX_HEADER: Final = 32 * 1024
"""Bytes of a request's header; proxies send at most 16 KiB."""

DRAIN_SECONDS: Final = 3
"""For requests under way when the node stops; less if the supervisor leaves less."""

PREFIX_VARIABLE: Final = "NODE_PATH_PREFIX"
log: Final = logging.getLogger(__name__)


async def _refuse(_: str, request: Request[Any]) -> Message:
    raise WorkerError(f"{type(request).__name__} is not served by the server worker")


async def serve(worker: Worker) -> None:
    """Serve until the node stops."""
    config = worker.start.config
    check(config)
    hub = Hub()
    api = Api(Backend(worker, worker.open(_refuse, hub.take)), hub, worker.start.blob_dir)
    routes, sockets = chosen(config)
    worker.on_note = lambda _: api.logs.grew()
    application = Application(api, routes, sockets, prefix=path_prefix(os.environ))
    bound = bind(config.server.listen)
    server = QuietServer(settings(application, config))
    worker.ready({"listen": [url(sock) for sock in bound]})
    running = asyncio.create_task(server.serve(sockets=bound))
    await worker.stopping.wait()
    await _drain(api, server, running, worker.grace)


async def _drain(api: Api, server: QuietServer, running: asyncio.Task[None], grace: float) -> None:
    """No new connections, event streams end with what they had to tell, calls under way get their answers."""
    server.config.timeout_graceful_shutdown = max(1, min(DRAIN_SECONDS, int(grace)))
    api.stopping.set()
    api.hub.close()
    api.logs.grew()
    server.should_exit = True
    await running
    await api.close()


def check(config: NodeConfig) -> None:
    """Refuse a mode that would leave open what the operator wants guarded."""
    if config.server.auth_mode == "embedded":
        raise ConfigError(
            "server.auth_mode is 'embedded', which this node does not offer yet; "
            "set it to 'proxy' and let a reverse proxy check tokens"
        )


def chosen(config: NodeConfig) -> tuple[list[Route], list[SocketRoute]]:
    """The routes of the modules that the configuration switches on; a read-only node runs no calls."""
    server = config.server
    tables = {
        Module.ADMIN: server.admin, Module.JSONRPC: server.jsonrpc,
        Module.WEBSOCKET: server.websocket, Module.SSE: server.sse,
    }  # fmt: skip
    on = {module for module, table in tables.items() if table is not None and table.enabled} | {Module.ALWAYS}
    if config.mode == "readonly":
        on.discard(Module.JSONRPC)
    return [route for route in ROUTES if route.module in on], [socket for socket in SOCKETS if socket.module in on]


def path_prefix(environment: Mapping[str, str]) -> str:
    """What stands before some paths, from the environment: ``/prefix`` or nothing."""
    text = environment.get(PREFIX_VARIABLE, "").strip("/")
    return f"/{text}" if text else ""


def bind(addresses: tuple[str, ...]) -> list[socket.socket]:
    """Listening sockets. As in the reference, an address that cannot be had is fatal only when it is the last hope."""
    found: list[socket.socket] = []
    problem: ConfigError | None = None
    for text in addresses:
        try:
            found.append(listen(parse_server_listen(text)))
        except ConfigError as error:
            problem = error
            log.warning("%s", error)
    if not found:
        raise problem or ConfigError("server.listen is empty; give it an address like /ip4/127.0.0.1/tcp/2528")
    return found


def url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def settings(application: Application, config: NodeConfig) -> uvicorn.Config:
    """The HTTP server's settings; its own log says nothing that the node's does not."""
    logging.getLogger("uvicorn").setLevel(logging.ERROR)
    websocket = config.server.websocket
    ping = float(websocket.ping_interval_secs) if websocket is not None else 30.0
    pong = float(websocket.pong_timeout_secs) if websocket is not None else 10.0
    return uvicorn.Config(
        application,
        **protocols(application.api.connections),
        ws_max_size=MAX_FRAME,
        ws_ping_interval=ping or None,
        ws_ping_timeout=pong or None,
        ws_per_message_deflate=False,
        h11_max_incomplete_event_size=MAX_HEADER,
        lifespan="off",
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
        server_header=False,
    )


def main(start: WorkerStart) -> None:
    """The body of the server process."""
    run_asyncio(start, serve)
