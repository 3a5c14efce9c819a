"""The few forms of replies, and the reading of what stands in a path or behind the question mark."""

from __future__ import annotations

from typing import Any, Final, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from node.api import serde
from node.api.errors import BadRequest, Family, Refusal
from node.primitives import Id32

__all__ = ["JSON", "data", "error", "path_id", "query_id", "query_int", "reply"]

Id = TypeVar("Id", bound=Id32)
JSON: Final = "application/json"


def reply(value: Any, status: int = 200) -> Response:
    """A bare JSON value."""
    return Response(msgspec.json.encode(value), status, media_type=JSON)


def data(value: Any) -> Response:
    """The usual envelope of the admin API."""
    return reply({"data": value})


def error(text: str, status: int, family: Family = Family.JSON) -> Response:
    return PlainTextResponse(text, status) if family is Family.TEXT else reply({"error": text}, status)


def path_id(kind: type[Id], request: Request, name: str) -> Id:
    """An id in the path. Raises :class:`Refusal`: plain text, whatever the family of the route."""
    try:
        return serde.parse_id(kind, request.path_params[name])
    except BadRequest as problem:
        raise Refusal(f"Invalid URL: {problem}", 400) from problem


def query_id(kind: type[Id], request: Request, name: str) -> Id | None:
    """An id behind the question mark, None when it is not there."""
    text = request.query_params.get(name)
    try:
        return None if text is None else serde.parse_id(kind, text)
    except BadRequest as problem:
        raise BadRequest(f"{name}: {problem}") from problem


def query_int(request: Request, name: str, default: int, *, low: int = 0, high: int = 1000) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdecimal() and len(text) <= 20 and low <= int(text) <= high):
        raise BadRequest(f"{name} must be a number from {low} to {high}, not {text!r}")
    return int(text)
