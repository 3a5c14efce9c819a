"""Calls over JSON-RPC: the hot path. One parse, one question to the owner, one answer.

``Idempotency-Key`` (ours): a repeated key within a short time gets the first answer again instead of a second run.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from node.api import rpc
from node.errors import CalimeroError
from workers.messages import runtime
from workers.server.replies import JSON

if TYPE_CHECKING:
    from workers.server.api import Api

MAX_BATCH: Final = 100
"""Calls in one array; an extension of ours."""

MAX_KEYS: Final = 4096
KEY_LIFE: Final = 600.0
"""Seconds for which the answer of a call with an ``Idempotency-Key`` is remembered."""

_CONTENT_TYPES: Final = ("application/json",)


class Answers:
    """Answers by idempotency key; a second request waits for the first."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, tuple[float, asyncio.Future[bytes]]] = OrderedDict()

    def find(self, key: str, now: float) -> asyncio.Future[bytes] | None:
        found = self._kept.get(key)
        return found[1] if found is not None and now - found[0] < KEY_LIFE else None

    def begin(self, key: str, now: float) -> asyncio.Future[bytes]:
        future: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        self._kept[key] = now, future
        while len(self._kept) > MAX_KEYS:
            self._kept.popitem(last=False)
        return future

    def drop(self, key: str) -> None:
        """Forget a call that did not come to an answer; it may be tried again."""
        self._kept.pop(key, None)


async def jsonrpc(api: Api, request: Request, body: bytes) -> Response:
    """``POST /jsonrpc``; ``body`` is the raw body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind not in _CONTENT_TYPES and not (kind.startswith("application/") and kind.endswith("+json")):
        return PlainTextResponse("Expected request with `Content-Type: application/json`", 415)
    try:
        if body.lstrip()[:1] == b"[":
            return await _batch(api, body)
        return Response(await _once(api, request.headers.get("idempotency-key"), body), media_type=JSON)
    except rpc.Unusable as error:
        return PlainTextResponse(str(error), error.status)


async def _once(api: Api, key: str | None, body: bytes) -> bytes:
    envelope = rpc.read_envelope(body)
    if key is None:
        return await _answer(api, envelope)
    now = time.monotonic()
    running = api.answers.find(key, now)
    if running is not None:
        return await asyncio.shield(running)
    future = api.answers.begin(key, now)
    try:
        future.set_result(await _answer(api, envelope))
    except BaseException:
        api.answers.drop(key)
        future.cancel()
        raise
    return future.result()


async def _batch(api: Api, body: bytes) -> Response:
    try:
        items = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise rpc.Unusable(f"Failed to parse the request body as JSON: {error}", 400) from error
    if not 0 < len(items) <= MAX_BATCH:
        raise rpc.Unusable(f"a batch holds 1 to {MAX_BATCH} requests, not {len(items)}", 422)
    envelopes = [rpc.envelope_of(item) for item in items]
    answers = await asyncio.gather(*(_answer(api, envelope) for envelope in envelopes))
    return Response(b"[" + b",".join(answers) + b"]", media_type=JSON)


async def _answer(api: Api, envelope: rpc.Envelope) -> bytes:
    call = None
    started = time.monotonic()
    try:
        call = rpc.read_execute(envelope)
        done = await api.backend.owner(
            call.context_id,
            runtime.Execute(call.context_id, call.method, call.args, call.executor, call.substitute),
        )
    except CalimeroError as error:
        if call is not None:
            api.metrics.call(str(call.context_id), call.method, time.monotonic() - started, ok=False)
        return rpc.failure(envelope.id, error, call)
    api.metrics.call(str(call.context_id), call.method, time.monotonic() - started, ok=True)
    return rpc.result(envelope.id, done.returns)
