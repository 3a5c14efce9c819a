"""Server-sent events: one stream per session, rows of sessions in the store. The rules are in :mod:`node.api.sse`."""

from __future__ import annotations

import asyncio
import logging
import secrets
import time
from collections.abc import AsyncIterator
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from node.api.errors import BadRequest, Family, Missing, Refusal
from node.api.sse import (
    KEEP_ALIVE,
    KEEP_ALIVE_SECONDS,
    ROW_SCOPE,
    Session,
    read_number,
    read_request,
    refused,
    session_path,
)
from node.errors import CalimeroError
from workers.messages import runtime
from workers.server.api import Api
from workers.server.hub import Subscriber
from workers.server.replies import reply

__all__ = ["sse", "sse_session", "sse_subscription"]

STOPPING: Final = "the node stops"
log: Final = logging.getLogger(__name__)


async def sse(api: Api, request: Request, body: bytes) -> Response:
    """Open the stream of a new session, or take one up again; an older stream of it ends."""
    session, resumed = await _session(api, read_number(request.headers.get("last-event-id")))
    stream = Subscriber(session.subscription)
    if not api.hub.join(stream):
        raise Refusal("too many event streams; try again later", 503, Family.JSON)
    _take_over(api, session, stream)
    headers = {
        "cache-control": "no-cache",
        "x-sse-session-id": str(session.number),
        "x-sse-reconnect": "true" if resumed else "false",
    }
    frames = _frames(api, session, stream, resumed=resumed)
    return StreamingResponse(frames, headers=headers, media_type="text/event-stream")


async def _session(api: Api, number: int | None) -> tuple[Session, bool]:
    now = int(time.time())
    known = None if number is None else await _find(api, number)
    if known is not None and not known.expired(now):
        api.sessions.keep(known)
        return known, True
    session = Session(secrets.randbits(64), seen=now)
    api.sessions.keep(session)
    await _store(api, session)
    return session, False


async def _find(api: Api, number: int) -> Session | None:
    """A session in memory or in the store."""
    session = api.sessions.find(number)
    if session is not None:
        return session
    fragment = Session(number).fragment
    raw = (await api.backend.node_rows(runtime.GetRow(ROW_SCOPE, fragment))).value
    return None if raw is None else Session.from_row(number, raw)


async def _store(api: Api, session: Session) -> None:
    """A session that cannot be stored still serves; it is lost with this process."""
    try:
        await api.backend.node_rows(runtime.PutRow(ROW_SCOPE, session.fragment, session.to_row()))
    except CalimeroError as error:
        log.warning("event session %s is not stored: %s", session.number, error)


def _take_over(api: Api, session: Session, stream: Subscriber) -> None:
    """The newest stream of a session is the one that gets its events."""
    older = api.streams.get(session.number)
    if older is not None:
        api.hub.leave(older)
        older.close()
    api.streams[session.number] = stream


async def _frames(api: Api, session: Session, stream: Subscriber, *, resumed: bool) -> AsyncIterator[str]:
    try:
        yield session.connected(resumed=resumed)
        while True:
            try:
                event = await asyncio.wait_for(stream.get(), KEEP_ALIVE_SECONDS)
            except TimeoutError:
                yield KEEP_ALIVE
                continue
            if event is None:
                break
            yield session.event(event)
        if api.stopping.is_set():
            yield session.closing(STOPPING)
    finally:
        api.hub.leave(stream)
        if api.streams.get(session.number) is stream:
            del api.streams[session.number]
            session.seen = int(time.time())


async def sse_subscription(api: Api, request: Request, body: bytes) -> Response:
    """``body`` is the raw body."""
    number, message = read_request(request.headers.get("content-type", ""), body)
    session = api.sessions.find(number)
    if session is None:
        raise Missing("Session not found. Please reconnect to SSE endpoint first.")
    try:
        answer = session.change(message, int(time.time()))
    except BadRequest as error:
        return reply(refused(error), 400)
    await _store(api, session)
    return reply(answer)


async def sse_session(api: Api, request: Request, body: Any) -> Response:
    number = session_path(request.path_params["session"])
    live = api.sessions.find(number)
    session = live or await _find(api, number)
    if session is None:
        raise Missing("Session not found")
    if session.expired(int(time.time())):
        raise Refusal("Session expired", 410, Family.JSON)
    return reply(session.describe("active" if live is not None else "persisted"))
