"""The HTTP application: routes joined with their handlers, one guard, one place that turns errors into replies."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, WebSocketRoute
from starlette.routing import Route as HttpRoute
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket

from node.abi.interface import Interface
from node.api.errors import BadRequest, meaning_of
from node.api.models import MAX_JSON_BODY, read_body
from node.api.routes import OWN, ROUTES, Route
from node.errors import CalimeroError
from node.primitives import ApplicationId
from workers.server import calls, sse, websocket
from workers.server.backend import Backend
from workers.server.calls import Answers
from workers.server.handlers import aliases, applications, blobs, contexts, governance, inspection
from workers.server.handlers import node as node_handlers
from workers.server.hub import Hub
from workers.server.metrics import Metrics
from workers.server.replies import error
from workers.server.sse import SseSessions

log = logging.getLogger(__name__)

BODY_TIMEOUT: Final = 30.0
"""Seconds in which a JSON body must have arrived."""

Handler = Callable[["Api", Request, Any], Awaitable[Response]]
Guard = Callable[[Request | WebSocket, bool], Awaitable[Response | None]]
"""Asked before every request; a response refuses. The flag says whether the route is guarded."""

_MODULES: Final[tuple[ModuleType, ...]] = (
    calls, sse, contexts, governance, applications, aliases, blobs, node_handlers, inspection,
)  # fmt: skip
_STREAMED: Final = frozenset({"put_blob"})
"""Handlers that read their body themselves."""

_RAW: Final = frozenset({"jsonrpc", "sse_subscription"})
"""Handlers that are given the raw body."""


async def open_guard(request: Request | WebSocket, guarded: bool) -> Response | None:
    """Mode ``none``: everybody may do everything, as a node behind a proxy."""
    return None


class Api:
    """Everything that a handler may use."""

    def __init__(self, backend: Backend, hub: Hub, blob_dir: Path, guard: Guard = open_guard) -> None:
        self.backend = backend
        self.hub = hub
        self.blob_dir = blob_dir
        self.guard = guard
        self.metrics = Metrics()
        self.answers = Answers()
        self.sse = SseSessions()
        self.interfaces: dict[ApplicationId, Interface] = {}
        self.stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[Any]] = set()

    def background(self, work: Coroutine[Any, Any, Any]) -> None:
        """Do something after the answer; a failure is logged."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("work after an answer failed: %s", task.exception())

    def application(self) -> ASGIApp:
        """The ASGI application."""
        routes: list[BaseRoute] = [self._route(route) for route in ROUTES]
        routes.append(WebSocketRoute("/ws", self._websocket(websocket.contexts)))
        routes.append(WebSocketRoute(f"{OWN}/events", self._websocket(websocket.everything)))
        inner = Starlette(routes=routes, exception_handlers={HTTPException: _http_error})
        inner.router.redirect_slashes = False
        return Cors(inner)

    def _route(self, route: Route) -> HttpRoute:
        handler = _handler(route.handler)

        async def endpoint(request: Request) -> Response:
            refused = await self.guard(request, route.guarded)
            if refused is not None:
                return refused
            try:
                return await handler(self, request, await _body(route, request))
            except CalimeroError as problem:
                return error(str(problem), meaning_of(problem).status, plain=route.text_errors)
            except ClientDisconnect:
                return Response(status_code=499)

        return HttpRoute(route.path, endpoint, methods=[route.method])

    def _websocket(self, serve: Callable[[Api, WebSocket], Awaitable[None]]) -> Callable[[WebSocket], Awaitable[None]]:
        async def endpoint(socket: WebSocket) -> None:
            if await self.guard(socket, True) is not None:  # noqa: FBT003 - the guard's form
                await socket.close()
                return
            await serve(self, socket)

        return endpoint


def _handler(name: str) -> Handler:
    for module in _MODULES:
        found = vars(module).get(name)
        if found is not None:
            return found  # type: ignore[no-any-return]
    raise LookupError(f"no module has the handler {name!r} of the route table")


async def _body(route: Route, request: Request) -> Any:
    """The parsed body where the route has a model, the raw one where it wants that; read in any case, and bounded."""
    if route.handler in _STREAMED:
        return None
    raw = b"" if request.method in ("GET", "HEAD") else await _read(request)
    if route.handler in _RAW:
        return raw
    return None if route.body is None else read_body(route.body, raw)


async def _read(request: Request) -> bytes:
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for part in request.stream():
                size += len(part)
                if size > MAX_JSON_BODY:
                    raise HTTPException(413, "Failed to buffer the request body: length limit exceeded")
                parts.append(part)
    except TimeoutError as problem:
        raise BadRequest(f"the request body did not arrive within {BODY_TIMEOUT:.0f} s") from problem
    return b"".join(parts)


async def _http_error(request: Request, problem: Exception) -> Response:
    """Unknown paths and wrong methods have an empty body in the reference."""
    assert isinstance(problem, HTTPException)
    text = "" if problem.status_code in (404, 405) else str(problem.detail)
    return PlainTextResponse(text, problem.status_code, headers=problem.headers)


class Cors:
    """The reference's CORS: every OPTIONS is answered, every reply allows every origin."""

    def __init__(self, inner: ASGIApp) -> None:
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await _preflight(scope, receive, send)
        else:
            await self._inner(scope, receive, _with_origin(send))


def _with_origin(send: Send) -> Send:
    async def wrapped(message: Any) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_ORIGIN]
        await send(message)

    return wrapped


_VARY: Final = b"origin, access-control-request-method, access-control-request-headers"
_ORIGIN: Final = ((b"access-control-allow-origin", b"*"), (b"vary", _VARY))


async def _preflight(scope: Scope, receive: Receive, send: Send) -> None:
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST,GET,DELETE,PUT,OPTIONS",
        "access-control-allow-headers": "*",
        "vary": _VARY.decode(),
    }
    if any(name == b"access-control-request-private-network" for name, _ in scope["headers"]):
        headers["access-control-allow-private-network"] = "true"
    await Response(headers=headers)(scope, receive, send)
