"""WebSockets: events of subscribed contexts, and (ours) everything that happens on the node.

core 0.10.0: crates/server/src/ws.rs. Clients subscribe and unsubscribe; what is no request is
dropped without an answer.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from starlette.websockets import WebSocket, WebSocketDisconnect

from node.errors import InvalidId
from node.primitives import ContextId
from workers.server.hub import Subscriber

if TYPE_CHECKING:
    from workers.server.api import Api

TOO_SLOW: Final = 1013
"""Close code "try again later": the client did not keep up."""

GOING_AWAY: Final = 1001


async def contexts(api: Api, socket: WebSocket) -> None:
    """``/ws``: the reference's event stream."""
    await _serve(api, socket, Subscriber(), lambda event: f'{{"id":null,"result":{event}}}')


async def everything(api: Api, socket: WebSocket) -> None:
    """``/calimero/v1/events``: all contexts' events and all notices."""
    await _serve(api, socket, Subscriber(contexts=None), lambda event: event)


async def _serve(api: Api, socket: WebSocket, subscriber: Subscriber, frame: Any) -> None:
    await socket.accept()
    api.hub.join(subscriber, frame)
    tasks = [
        asyncio.create_task(_send(socket, subscriber)),
        asyncio.create_task(_receive(socket, subscriber)),
        asyncio.create_task(subscriber.lost.wait()),
        asyncio.create_task(api.stopping.wait()),
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        api.hub.leave(subscriber)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        with suppress(RuntimeError, WebSocketDisconnect):
            await socket.close(TOO_SLOW if subscriber.lost.is_set() else GOING_AWAY)


async def _send(socket: WebSocket, subscriber: Subscriber) -> None:
    while True:
        await socket.send_text(await subscriber.queue.get())


async def _receive(socket: WebSocket, subscriber: Subscriber) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        answer = answer_of(message.get("text"), subscriber)
        if answer is not None:
            await socket.send_text(answer)


def answer_of(text: str | None, subscriber: Subscriber) -> str | None:
    """The answer to one message; None for what the reference drops silently."""
    try:
        found = json.loads(text or "")
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    identity = found.get("id")
    if isinstance(identity, bool) or not (identity is None or (isinstance(identity, int) and 0 <= identity < 1 << 64)):
        return None
    return json.dumps({"id": identity, **_result(found, subscriber)}, separators=(",", ":"))


def _result(found: dict[str, Any], subscriber: Subscriber) -> dict[str, Any]:
    method = found.get("method")
    if method not in ("subscribe", "unsubscribe"):
        return _refusal(f"unknown variant `{method}`, expected `subscribe` or `unsubscribe`")
    params = found.get("params")
    texts = params.get("contextIds") if isinstance(params, dict) else None
    if not isinstance(texts, list):
        return _refusal("missing field `contextIds`")
    try:
        wanted = {ContextId.parse(text if isinstance(text, str) else "") for text in texts}
    except InvalidId as error:
        return _refusal(str(error))
    if subscriber.contexts is not None:
        subscriber.contexts = subscriber.contexts | wanted if method == "subscribe" else subscriber.contexts - wanted
    return {"result": {"contextIds": texts}}


def _refusal(text: str) -> dict[str, Any]:
    return {"error": {"type": "ParseError", "data": text}}
