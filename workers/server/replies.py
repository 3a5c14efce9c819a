"""The few forms of replies, and the reading of ids in paths."""

from __future__ import annotations

import json
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from node.api.errors import BadRequest
from node.errors import InvalidId
from node.primitives import Id32

Id = TypeVar("Id", bound=Id32)
JSON = "application/json"


def reply(value: Any, status: int = 200) -> Response:
    """A bare JSON value."""
    return Response(json.dumps(value, separators=(",", ":"), ensure_ascii=False), status, media_type=JSON)


def data(value: Any) -> Response:
    """The usual envelope of the admin API."""
    return reply({"data": value})


def error(text: str, status: int, *, plain: bool = False) -> Response:
    return PlainTextResponse(text, status) if plain else reply({"error": text}, status)


def path_id(kind: type[Id], request: Request, name: str) -> Id:
    """An id in the path. Raises :class:`BadRequest` with the reference's text."""
    try:
        return kind.parse(request.path_params[name])
    except InvalidId as problem:
        raise BadRequest(f"Invalid URL: {problem}") from problem


def query_int(request: Request, name: str, default: int, *, low: int = 0, high: int = 1000) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not text.isdecimal() or not low <= int(text) <= high:
        raise BadRequest(f"{name} must be a number from {low} to {high}, not {text!r}")
    return int(text)
