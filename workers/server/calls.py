"""Calls over JSON-RPC: the hot path. One parse, one question to the owner, one answer."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from node.api import rpc
from node.api.errors import meaning_of
from node.errors import CalimeroError, WorkerError
from workers.messages import runtime
from workers.server.api import Api
from workers.server.replies import JSON

__all__ = ["jsonrpc"]

INTERNAL: Final = "InternalError"
log: Final = logging.getLogger(__name__)


async def jsonrpc(api: Api, request: Request, body: bytes) -> Response:
    """``POST /jsonrpc``; ``body`` is the raw body."""
    if body[:64].lstrip()[:1] == b"[":
        return await _batch(api, body)
    call = rpc.read(request.headers.get("content-type", ""), body)
    key = request.headers.get("idempotency-key")
    if key is None or isinstance(call, rpc.Refused):
        return _answer(*await _run(api, call))
    return await _once(api, key, body, call)


async def _once(api: Api, key: str, body: bytes, call: rpc.Call) -> Response:
    """What went wrong inside the node is not remembered: the call may be tried again under its key."""
    latest: list[bytes] = []

    async def run() -> bytes | None:
        answer, _, settled = await _run(api, call)
        latest.append(answer)
        return answer if settled else None

    found = await api.answers.once(key, body, time.monotonic(), run)
    if found is None and not latest:
        return await _once(api, key, body, call)
    return Response(found or latest[0], media_type=JSON)


async def _batch(api: Api, body: bytes) -> Response:
    answers = await asyncio.gather(*(_run(api, call) for call in rpc.read_batch(body)))
    return Response(b"[" + b",".join(answer for answer, _, _ in answers) + b"]", media_type=JSON)


def _answer(body: bytes, done: runtime.Executed | None, _: bool = True) -> Response:
    """What the call cost is told in headers: milliseconds in the guest, and fuel where it is metered."""
    response = Response(body, media_type=JSON)
    if done is not None:
        response.headers["server-timing"] = f"guest;dur={done.micros / 1000:g}"
        if done.fuel:
            response.headers["x-calimero-fuel"] = str(done.fuel)
    return response


async def _run(api: Api, call: rpc.Call | rpc.Refused) -> tuple[bytes, runtime.Executed | None, bool]:
    """The answer, what the runtime said, and whether that is the last word."""
    if isinstance(call, rpc.Refused):
        return rpc.failure(call.id, call.error), None, True
    started = time.monotonic()
    operation = runtime.Execute(call.context_id, call.method, call.args, call.executor, call.substitute)
    try:
        done = await api.backend.owner(call.context_id, operation)
    except CalimeroError as error:
        _count(api, call, started, ok=False)
        _report(call, error)
        return rpc.failure(call.id, error, call), None, not isinstance(error, WorkerError)
    _count(api, call, started, ok=True)
    return rpc.result(call.id, done.returns), done, True


def _count(api: Api, call: rpc.Call, started: float, *, ok: bool) -> None:
    api.metrics.call(str(call.context_id), call.method, time.monotonic() - started, ok=ok)


def _report(call: rpc.Call, error: CalimeroError) -> None:
    """The caller is told no details of a fault inside the node; the log is."""
    if meaning_of(error).rpc == INTERNAL:
        log.warning("call of %s in %s failed: %s: %s", call.method, call.context_id, type(error).__name__, error)
