"""Server-sent events: sessions that survive a reconnect, one stream per session, bounded memory.

core 0.10.0: crates/server/src/sse. Each event is delivered once, to the newest stream of its session.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from node.errors import InvalidId
from node.primitives import ContextId
from workers.server.hub import Subscriber
from workers.server.replies import error, reply

if TYPE_CHECKING:
    from workers.server.api import Api

KEEP_ALIVE: Final = 15.0
"""Seconds of silence before a comment is sent."""

RETRY_MS: Final = 3000
SESSION_LIFE: Final = 24 * 3600.0
"""Seconds since the last sign of life for which a session can be taken up again."""

MAX_SESSIONS: Final = 10_000
_U64: Final = 1 << 64


@dataclass(slots=True)
class SseSession:
    """A session: its subscriptions, the number of its next event, and the stream that has it now."""

    number: int
    contexts: set[ContextId] = field(default_factory=set)
    counter: int = 0
    seen: float = 0.0
    stream: Subscriber | None = None


class SseSessions:
    """The sessions in memory, the least used first."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, SseSession] = OrderedDict()

    def find(self, number: int) -> SseSession | None:
        return self._sessions.get(number)

    def resume(self, last_event_id: str | None, now: float) -> tuple[SseSession, bool]:
        """The session of a ``Last-Event-ID``, or a new one; and whether it was there."""
        text = (last_event_id or "").partition("-")[0]
        found = self._sessions.get(int(text)) if text.isdecimal() and len(text) <= 20 else None
        known = found is not None and now - found.seen < SESSION_LIFE
        session = found if found is not None and known else SseSession(secrets.randbits(64))
        session.seen = now
        self._sessions[session.number] = session
        self._sessions.move_to_end(session.number)
        if len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)
        return session, known


async def sse(api: Api, request: Request, body: Any) -> Response:
    session, known = api.sse.resume(request.headers.get("last-event-id"), time.time())
    if session.stream is not None:
        session.stream.lost.set()
        api.hub.leave(session.stream)
    stream = Subscriber(session.contexts)
    session.stream = stream
    api.hub.join(stream, lambda event: event)
    headers = {
        "Cache-Control": "no-cache",
        "X-SSE-Session-ID": str(session.number),
        "X-SSE-Reconnect": "true" if known else "false",
    }
    return StreamingResponse(_frames(api, session, stream, known), headers=headers, media_type="text/event-stream")


async def _frames(api: Api, session: SseSession, stream: Subscriber, known: bool) -> AsyncIterator[str]:
    connect = {"type": "connect", "session_id": str(session.number), "reconnect": known}
    yield f"event: message\nid: {session.number}-0\nretry:{RETRY_MS}\ndata: {_compact(connect)}\n\n"
    try:
        while not (stream.lost.is_set() or api.stopping.is_set()):
            try:
                event = await asyncio.wait_for(stream.queue.get(), KEEP_ALIVE)
            except TimeoutError:
                yield ":\n\n"
                continue
            yield f'event: message\nid: {session.number}-{session.counter}\ndata: {{"result":{event}}}\n\n'
            session.counter += 1
            session.seen = time.time()
    finally:
        api.hub.leave(stream)
        if session.stream is stream:
            session.stream = None


async def sse_subscription(api: Api, request: Request, body: bytes) -> Response:
    """``body`` is the raw body."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError) as problem:
        return PlainTextResponse(f"Failed to parse the request body as JSON: {problem}", 400)
    identity = found.get("id") if isinstance(found, dict) else None
    if not isinstance(identity, str):
        text = "Failed to deserialize the JSON body into the target type: missing field `id`"
        return PlainTextResponse(text, 422)
    if not identity.isdecimal() or int(identity) >= _U64:
        return error("Invalid Session Id", 400)
    session = api.sse.find(int(identity))
    if session is None:
        return error("Session not found. Please reconnect to SSE endpoint first.", 404)
    return _change(session, found)


def _change(session: SseSession, found: dict[str, Any]) -> Response:
    params = found.get("params")
    texts = params.get("contextIds") if isinstance(params, dict) else None
    method = found.get("method")
    if method not in ("subscribe", "unsubscribe"):
        return _refused(f"unknown variant `{method}`, expected `subscribe` or `unsubscribe`")
    if not isinstance(texts, list):
        return _refused("missing field `contextIds`")
    try:
        wanted = {ContextId.parse(text if isinstance(text, str) else "") for text in texts}
    except InvalidId as problem:
        return _refused(str(problem))
    session.seen = time.time()
    if method == "subscribe":
        session.contexts |= wanted
        return reply({"result": {"status": "subscribed", "contexts": texts}})
    removed = [str(context_id) for context_id in sorted(wanted & session.contexts)]
    session.contexts -= wanted
    return reply({"result": {"status": "unsubscribed", "unsubscribed": removed, "requested": texts}})


def _refused(text: str) -> Response:
    return reply({"error": {"type": "ParseError", "data": text}}, 400)


async def sse_session(api: Api, request: Request, body: Any) -> Response:
    text = request.path_params["session"]
    if not text.isdecimal() or int(text) >= _U64:
        return PlainTextResponse(f'Invalid URL: Cannot parse `"{text}"` to a `u64`', 400)
    session = api.sse.find(int(text))
    if session is None:
        return error("Session not found", 404)
    if time.time() - session.seen >= SESSION_LIFE:
        return error("Session expired", 410)
    found = {
        "session_id": session.number,
        "subscriptions": [str(context_id) for context_id in sorted(session.contexts)],
        "event_counter": session.counter,
        "status": "active" if session.stream is not None else "persisted",
    }
    return reply({"result": found})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
