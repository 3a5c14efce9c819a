"""Log lines of all workers as they are written, as server-sent events.

Nothing is buffered here: each stream has a cursor into the lines that the supervisor keeps. One that falls behind them
is told so and goes on at the oldest line.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from node.api.errors import Family, Refusal
from node.api.sse import KEEP_ALIVE, KEEP_ALIVE_SECONDS, read_number
from workers.messages.control import LogPage
from workers.server.api import Api
from workers.server.replies import query_int

__all__ = ["log_stream"]

PAGE: Final = 200
"""Lines of one question to the supervisor; few enough that a stream does not keep it busy."""

LOST: Final = "event: lost\ndata: {}\n\n"
"""Some lines behind the cursor are no longer kept."""


async def log_stream(api: Api, request: Request, body: Any) -> Response:
    resumed = read_number(request.headers.get("last-event-id"))
    after = query_int(request, "after", 0, high=1 << 62) if resumed is None else resumed
    if not api.logs.join():
        raise Refusal("too many log streams; close one, or read /calimero/v1/logs", 503, Family.JSON)
    headers = {"cache-control": "no-cache"}
    return StreamingResponse(_frames(api, after), headers=headers, media_type="text/event-stream")


async def _frames(api: Api, after: int) -> AsyncIterator[str]:
    try:
        yield KEEP_ALIVE
        while not api.stopping.is_set():
            growth = api.logs.next
            page = await api.backend.logs(after, PAGE)
            after = page.cursor
            if page.lines or page.lost:
                yield _page(page)
            elif not await _within(growth, KEEP_ALIVE_SECONDS):
                yield KEEP_ALIVE
    finally:
        api.logs.leave()


async def _within(event: asyncio.Event, seconds: float) -> bool:
    with suppress(TimeoutError):
        await asyncio.wait_for(event.wait(), seconds)
    return event.is_set()


def _page(page: LogPage) -> str:
    first = page.cursor - len(page.lines) + 1
    lines = (f"id: {number}\ndata: {line}\n\n" for number, line in enumerate(page.lines, first))
    return (LOST if page.lost else "") + "".join(lines)
