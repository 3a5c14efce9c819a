"""A node for tests of the dashboard: the public API over a real socket, its state set by the test.

``extensions=False`` speaks what core 0.10.0 speaks and no more. Stopping it frees the port; it can start there again.
"""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from node.primitives import to_base58

OWN = "/calimero/v1"
METHODS = [
    {
        "name": "set",
        "signature": "set(key: string, value: string)",
        "parameters": [
            {"name": "key", "type": "string", "optional": False},
            {"name": "value", "type": "string", "optional": False},
        ],
        "returns": None,
    },
    {"name": "get", "signature": "get(key: string) -> string?", "parameters": [{"name": "key", "type": "string"}]},
    {"name": "entries", "signature": "entries() -> map<string, string>", "parameters": []},
]


def ident(number: int, salt: int = 0) -> str:
    """A base58 id of 32 bytes."""
    return to_base58(bytes([salt + 1, *number.to_bytes(4, "big")]) * 6 + b"\x07\x07")


@dataclass
class ContextState:
    id: str
    root: int = 1
    heads: int = 1
    pending: int = 0
    initialised: bool = True
    methods: list[dict[str, Any]] = field(default_factory=lambda: METHODS)

    def to_json(self) -> dict[str, Any]:
        root = ident(self.root, 3) if self.initialised else "1" * 32
        heads = [[n + 1, self.root % 256] + [0] * 30 for n in range(self.heads)]
        return {"id": self.id, "applicationId": ident(0, 5), "rootHash": root, "dagHeads": heads}


@dataclass
class Station:
    """A node. Change its fields, then :meth:`emit` or wait for the next reading of the dashboard."""

    number: int = 1
    extensions: bool = True
    contexts: list[ContextState] = field(default_factory=lambda: [ContextState(ident(1))])
    calls: list[dict[str, Any]] = field(default_factory=list)
    synced: list[str] = field(default_factory=list)
    restarts: int = 0
    failing: bool = False
    port: int = 0

    def __post_init__(self) -> None:
        self._sockets: dict[WebSocket, bool] = {}
        self._server: uvicorn.Server | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def start(self) -> None:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", self.port))
        self.port = sock.getsockname()[1]
        config = uvicorn.Config(
            Starlette(routes=self._routes()), log_config=None, lifespan="off", ws="websockets-sansio",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        config.load()
        self._server = uvicorn.Server(config)
        self._server.lifespan = config.lifespan_class(config)
        await self._server.startup([sock])
        self._task = asyncio.create_task(self._server.main_loop())

    async def stop(self) -> None:
        assert self._server is not None
        assert self._task is not None
        for websocket in list(self._sockets):
            await websocket.close()
        self._server.should_exit = True
        self._server.force_exit = True
        await self._task
        await self._server.shutdown()

    async def emit(self, kind: str = "Set", data: object = None, *, context: int = 0, bare: bool = False) -> None:
        """One state change with one application event, or with none."""
        raw = list(json.dumps({"key": "a"} if data is None else data).encode())
        events = [] if bare else [{"kind": kind, "data": raw, "handler": None}]
        state = self.contexts[context]
        result = {
            "contextId": state.id,
            "type": "StateMutation",
            "data": {"newRoot": ident(state.root, 3), "events": events},
        }
        await self._send(result)

    async def notice(self, kind: str, name: str, **fields: object) -> None:
        data = {"kind": kind, "name": name, "at": time.time(), "fields": fields}
        await self._send({"contextId": self.contexts[0].id, "type": "Notice", "data": data})

    async def _send(self, result: dict[str, Any]) -> None:
        for websocket, whole in list(self._sockets.items()):
            if whole or result["type"] == "StateMutation":
                await websocket.send_text(json.dumps(result if whole else {"id": None, "result": result}))

    # -- the API

    def _routes(self) -> list[BaseRoute]:
        admin = "/admin-api"
        routes: list[BaseRoute] = [
            Route(f"{admin}/contexts", self._contexts),
            Route(f"{admin}/peers", lambda _: JSONResponse({"count": 2})),
            Route(admin + "/contexts/{id}/identities", self._members),
            Route(admin + "/contexts/{id}/identities-owned", self._owned),
            Route(admin + "/contexts/sync/{id}", self._sync, methods=["POST"]),
            Route("/jsonrpc", self._rpc, methods=["POST"]),
            WebSocketRoute("/ws", self._subscribed),
        ]
        if self.extensions:
            routes += [
                Route(f"{OWN}/workers", self._workers),
                Route(f"{OWN}/peers", self._peers),
                Route(f"{OWN}/sessions", self._sessions),
                Route(OWN + "/peers/{peer}/ping", lambda _: _data({"millis": 1.5}), methods=["POST"]),
                Route(OWN + "/contexts/{id}/why", self._why),
                Route(OWN + "/contexts/{id}/deltas", self._deltas),
                Route(OWN + "/contexts/{id}/methods", self._methods),
                WebSocketRoute(f"{OWN}/events", self._everything),
            ]
        return routes

    def _state(self, request: Request) -> ContextState:
        return next(state for state in self.contexts if state.id == request.path_params["id"])

    async def _contexts(self, _: Request) -> Response:
        if self.failing:
            return JSONResponse({"error": "the runtime worker is being restarted"}, status_code=503)
        return _data({"contexts": [state.to_json() for state in self.contexts]})

    async def _members(self, _: Request) -> Response:
        return _data({"identities": [ident(n, 9) for n in range(1, 4)]})

    async def _owned(self, _: Request) -> Response:
        return _data({"identities": [ident(self.number, 9)]})

    async def _sync(self, request: Request) -> Response:
        self.synced.append(request.path_params["id"])
        return _data(None)

    async def _rpc(self, request: Request) -> Response:
        body = await request.json()
        params = body["params"]
        self.calls.append(params)
        if params["method"] == "boom":
            error = {"type": "FunctionCallError", "data": "the method call returned an error: [34, 110, 111, 34]"}
            return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "error": error})
        return JSONResponse({"jsonrpc": "2.0", "id": body["id"], "result": {"output": {"echo": params["argsJson"]}}})

    async def _workers(self, _: Request) -> Response:
        names = ["network", "runtime[0]", "sync", "server"]
        rows = [
            {"name": name, "pid": 1000 + n, "state": "ready", "restarts": self.restarts if n == 1 else 0,
             "since": time.time(), "memory": 48_000_000 + n, "cpu": 1.25 * n}
            for n, name in enumerate(names)
        ]  # fmt: skip
        return _data({"workers": rows})

    async def _peers(self, _: Request) -> Response:
        rows = [
            {"peer": f"12D3KooW{ident(n, 20)}", "addresses": [], "connected": n != 3, "inbound": False,
             "agent": "merod/0.10.0", "protocols": [], "topics": ["a", "b"], "streams": n, "received": 12_345 * n,
             "sent": 999, "latencyMs": 1.25 * n, "score": 0, "refusals": {}}
            for n in range(1, 4)
        ]  # fmt: skip
        return _data({"peer": "12D3KooWself", "listen": [], "peers": rows})

    async def _sessions(self, _: Request) -> Response:
        rows = [
            {"context": self.contexts[0].id, "peer": f"12D3KooW{ident(1, 20)}", "reason": "interval", "generation": 1,
             "strategy": "deltas", "outcome": outcome, "detail": "", "ours": ident(1, 3), "theirs": ident(1, 3),
             "deltas": n, "entities": 0, "bytes": 2048 * n, "started_ns": time.time_ns() - n * 10**9, "millis": 12 + n}
            for n, outcome in enumerate(["in sync", "unreachable", "ahead"])
        ]  # fmt: skip
        return _data({"sessions": rows})

    async def _why(self, request: Request) -> Response:
        state = self._state(request)
        peer = {"peer": "12D3KooWabcdefgh", "online": True, "root": ident(1, 3), "equal_since": 1.0}
        waits = {"delta": ident(7, 40), "waits_for": "parents", "error": None, "for": 3.0, "missing": []}
        return _data(
            {
                "context": state.id,
                "root": ident(state.root, 3),
                "converged": state.pending == 0,
                "pending": state.pending,
                "peers": [peer],
                "waiting": [waits] * state.pending,
                "next": {"in_session": False, "reasons": ["interval"], "in": 4.0, "rounds_without_success": 0},
            }
        )

    async def _deltas(self, request: Request) -> Response:
        author = ident(1, 9)
        rows = [
            {"id": ident(n, 30), "parents": [ident(n + 1, 30)] * (1 + n % 2), "author": author, "root": ident(n, 3)}
            for n in range(20)
        ]
        return _data({"deltas": rows, "next": None})

    async def _methods(self, request: Request) -> Response:
        return _data({"typed": True, "methods": self._state(request).methods})

    async def _everything(self, websocket: WebSocket) -> None:
        await self._serve(websocket, whole=True)

    async def _subscribed(self, websocket: WebSocket) -> None:
        await self._serve(websocket, whole=False)

    async def _serve(self, websocket: WebSocket, *, whole: bool) -> None:
        await websocket.accept()
        if whole:
            self._sockets[websocket] = True
        try:
            while True:
                message = json.loads(await websocket.receive_text())
                self._sockets[websocket] = whole
                await websocket.send_text(json.dumps({"id": message["id"], "result": message["params"]}))
        except (WebSocketDisconnect, RuntimeError):
            pass
        finally:
            self._sockets.pop(websocket, None)

    @property
    def watchers(self) -> int:
        return len(self._sockets)


def _data(value: object) -> JSONResponse:
    return JSONResponse({"data": value})


@asynccontextmanager
async def stations(*found: Station) -> AsyncIterator[tuple[Station, ...]]:
    """Running stations, stopped on every way out."""
    for station in found:
        await station.start()
    try:
        yield found
    finally:
        for station in found:
            if station._task is not None and not station._task.done():
                await station.stop()
