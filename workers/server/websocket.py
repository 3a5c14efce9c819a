"""WebSockets: events of subscribed contexts, and (ours) everything that happens on the node.

The protocol is in :mod:`node.api.subscriptions`; here messages move. core 0.10.0: crates/server/src/ws.rs.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.websockets import WebSocket, WebSocketDisconnect

from node.api.errors import Refusal
from node.api.subscriptions import Subscription, event_message
from workers.server.api import Api
from workers.server.hub import Subscriber

__all__ = ["follow_contexts", "follow_everything", "plain_websocket"]

TOO_SLOW: Final = 1013
"""Close code "try again later": the client did not keep up, or there are too many."""

GOING_AWAY: Final = 1001
CLOSE_SECONDS: Final = 2.0
"""For the closing handshake with a client that may no longer read."""

_HANDSHAKE: Final = (
    ("connection", "upgrade", "Connection header did not include 'upgrade'"),
    ("upgrade", "websocket", "`Upgrade` header did not include 'websocket'"),
    ("sec-websocket-version", "13", "`Sec-WebSocket-Version` header did not include '13'"),
    ("sec-websocket-key", "", "`Sec-WebSocket-Key` header missing"),
)
"""Headers of an upgrade, what they must hold, and what is said otherwise."""


async def follow_contexts(api: Api, socket: WebSocket) -> None:
    """``/ws``: the reference's event stream."""
    await _serve(api, socket, Subscriber(Subscription(), event_message))


async def follow_everything(api: Api, socket: WebSocket) -> None:
    """``/calimero/v1/events``: all contexts' events and all notices."""
    await _serve(api, socket, Subscriber(None))


async def plain_websocket(api: Api, request: Request, body: bytes) -> Response:
    """``GET /ws`` that does not ask for an upgrade as it should."""
    for name, wanted, complaint in _HANDSHAKE:
        found = request.headers.get(name)
        if found is None or wanted not in found.lower():
            raise Refusal(f"Invalid WebSocket upgrade request: {complaint}", 400)
    raise Refusal("Invalid WebSocket upgrade request: the connection cannot be upgraded", 400)


async def _serve(api: Api, socket: WebSocket, subscriber: Subscriber) -> None:
    await socket.accept()
    if not api.hub.join(subscriber):
        subscriber.slow = True
        subscriber.close()
    sending = asyncio.create_task(_send(socket, subscriber))
    receiving = asyncio.create_task(_receive(socket, subscriber))
    try:
        await asyncio.wait([sending, receiving], return_when=asyncio.FIRST_COMPLETED)
    finally:
        api.hub.leave(subscriber)
        sending.cancel()
        receiving.cancel()
        await asyncio.gather(sending, receiving, return_exceptions=True)
        await _close(socket, TOO_SLOW if subscriber.slow else GOING_AWAY)


async def _close(socket: WebSocket, code: int) -> None:
    with suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
        async with asyncio.timeout(CLOSE_SECONDS):
            await socket.close(code)


async def _send(socket: WebSocket, subscriber: Subscriber) -> None:
    while (message := await subscriber.get()) is not None:
        await socket.send_text(message)


async def _receive(socket: WebSocket, subscriber: Subscriber) -> None:
    """Answers go the way of the events, so that a client that asks without reading is cut off too."""
    while (message := await socket.receive())["type"] != "websocket.disconnect":
        if subscriber.subscription is None:
            continue
        answer = subscriber.subscription.answer(message.get("text"))
        if answer is not None and not subscriber.put(answer):
            return
