"""The ASGI application: finds the route, asks the guard, reads the body within its limits, and words every failure.

The order is the reference's: CORS, route, guard, method, path, body, handler. Each request passes here once; nothing
below knows of sockets.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from types import ModuleType
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from node.api.bodies import read_body, too_large
from node.api.errors import Family, Refusal, meaning_of
from node.api.models import MAX_JSON_BODY
from node.api.route import Route, SocketRoute
from node.api.router import PREFIXED, Match, Router
from node.errors import CalimeroError, Unauthenticated
from workers.server import calls, logs, sse, websocket
from workers.server.api import Api
from workers.server.guard import Guard, OpenGuard
from workers.server.handlers import aliases, applications, blobs, contexts, governance, inspection, past, trusted
from workers.server.handlers import node as node_handlers
from workers.server.replies import error

__all__ = ["Application", "handlers"]

BODY_SECONDS: Final = 30.0
"""In which a JSON body must have arrived."""

LATE: Final = 408
"""The rest of the body may come yet, and could not be told from a request: such a connection is closed."""

Handler = Callable[[Api, Request, Any], Awaitable[Response]]
SocketHandler = Callable[[Api, WebSocket], Awaitable[None]]

_MODULES: Final[tuple[ModuleType, ...]] = (
    calls, sse, contexts, governance, applications, aliases, blobs, node_handlers, trusted, inspection, past, logs,
    websocket,
)  # fmt: skip
_STREAMED: Final = frozenset({"put_blob"})
"""Handlers that read their body part by part."""

log: Final = logging.getLogger(__name__)


def handlers(routes: Iterable[Route]) -> dict[str, Handler]:
    """The function of each route. Raises :class:`LookupError` for a name that no module has."""
    found: dict[str, Handler] = {}
    for route in routes:
        module = next((module for module in _MODULES if route.handler in vars(module)), None)
        if module is None:
            raise LookupError(f"no module has the handler {route.handler!r} of the route table")
        found[route.handler] = vars(module)[route.handler]
    return found


class Application:
    """Serves the given routes. ``faults`` counts failures that are bugs."""

    def __init__(
        self,
        api: Api,
        routes: Iterable[Route],
        sockets: Iterable[SocketRoute],
        guard: Guard | None = None,
        prefix: str = "",
        body_seconds: float = BODY_SECONDS,
    ) -> None:
        self.api = api
        self._guard = guard or OpenGuard()
        routes = tuple(routes)
        self._router = Router(routes, prefix)
        self._handlers = handlers(routes)
        self._sockets: dict[str, tuple[SocketRoute, SocketHandler]] = {
            (prefix if socket.path.startswith(PREFIXED) else "") + socket.path: (
                socket,
                vars(websocket)[socket.handler],
            )
            for socket in sockets
        }
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "websocket":
            await self._websocket(scope, receive, send)
        elif scope["type"] == "http":
            response = await self._http(scope, receive)
            await _send(response, scope, receive, send)

    # -- HTTP

    async def _http(self, scope: Scope, receive: Receive) -> Response:
        if scope["method"] == "OPTIONS":
            return _preflight(scope)
        match = self._router.find(scope["raw_path"].decode("latin-1"))
        if match is None:
            return Response(status_code=404)
        return await self._routed(match, scope, receive)

    async def _routed(self, match: Match, scope: Scope, receive: Receive) -> Response:
        route = match.route(scope["method"])
        try:
            await self._admit(match, route, scope)
            if route is None:
                return Response(status_code=405, headers={"allow": match.allow})
            scope["path_params"] = match.parameters(route)
            request = Request(scope, receive)
            return await self._handlers[route.handler](self.api, request, await self._body(route, request))
        except CalimeroError as problem:
            return refused(problem, route.family if route is not None else Family.TEXT)
        except ClientDisconnect:
            return Response(status_code=499)
        except Exception:  # a bug must cost one request, not the server
            self.api.metrics.faults += 1
            log.exception("%s %s failed", scope["method"], scope["path"])
            return error("internal fault of the server; its log has the cause", 500)

    async def _admit(self, match: Match, route: Route | None, scope: Scope) -> None:
        """A path is guarded before its method is looked at."""
        asked = route or next(iter(match.methods.values()))
        if asked.guarded:
            await self._guard.admit(scope, asked)

    async def _body(self, route: Route, request: Request) -> Any:
        """What the route wants of the body. It is read in any case, so that the connection can be used again."""
        if route.handler in _STREAMED:
            return None
        raw = await self._read(route, request)
        if route.raw or route.body is None:
            return raw
        return read_body(route.wording, route.body, request.headers.get("content-type", ""), raw)

    async def _read(self, route: Route, request: Request) -> bytes:
        if not _has_body(request):
            return b""
        try:
            async with asyncio.timeout(self._body_seconds):
                return await _whole(route, request)
        except TimeoutError as problem:
            text = f"the request body did not arrive within {self._body_seconds:g} s"
            raise Refusal(text, LATE, route.family) from problem

    # -- WebSockets

    async def _websocket(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self._sockets.get(scope["path"])
        if found is None:
            await _deny(scope, receive, send, Response(status_code=404))
            return
        route, serve = found
        try:
            await self._guard.admit(scope, route)
        except CalimeroError as problem:
            await _deny(scope, receive, send, refused(problem, Family.TEXT))
            return
        await serve(self.api, WebSocket(scope, receive, send))


def refused(problem: CalimeroError, family: Family) -> Response:
    """A failure as its reply. A missing token has an empty body, as in the reference; others name their error."""
    if isinstance(problem, Unauthenticated):
        return Response(status_code=401)
    if isinstance(problem, Refusal):
        response = error(str(problem), problem.status, problem.family)
        if problem.status == LATE:
            response.headers["connection"] = "close"
        return response
    response = error(str(problem), meaning_of(problem).status, family)
    response.headers["x-calimero-error"] = type(problem).__name__
    return response


def _has_body(request: Request) -> bool:
    headers = request.headers
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


async def _whole(route: Route, request: Request) -> bytes:
    """All parts of a body; nearly always there is one."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        part = message.get("body", b"")
        size += len(part)
        if size > MAX_JSON_BODY:
            raise too_large(route.wording)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


# -- CORS

_VARY: Final = b"origin, access-control-request-method, access-control-request-headers"
_ORIGIN: Final = ((b"access-control-allow-origin", b"*"), (b"vary", _VARY))


async def _send(response: Response, scope: Scope, receive: Receive, send: Send) -> None:
    """Every reply allows every origin, as in the reference."""

    async def with_origin(message: Message) -> None:
        if message["type"] == "http.response.start" and scope["method"] != "OPTIONS":
            message["headers"] = [*message["headers"], *_ORIGIN]
        await send(message)

    await response(scope, receive, with_origin)


def _preflight(scope: Scope) -> Response:
    headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-methods": "POST,GET,DELETE,PUT,OPTIONS",
        "access-control-allow-headers": "*",
        "vary": _VARY.decode(),
    }
    if any(name == b"access-control-request-private-network" and value == b"true" for name, value in scope["headers"]):
        headers["access-control-allow-private-network"] = "true"
    return Response(headers=headers)


async def _deny(scope: Scope, receive: Receive, send: Send, response: Response) -> None:
    """Refuse a WebSocket with an HTTP reply."""
    await receive()
    await response(scope, receive, send)
