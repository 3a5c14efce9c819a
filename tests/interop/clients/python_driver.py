"""Calls methods of calimero-client-py as lines of its standard input say; run by the Python that has the client.

Its first line names every public method. A line of input is `[URL, METHOD, [ARGUMENT, ...]]`, its answer is the line
`{"result": ...}` or `{"error": "..."}`. Bytes are `{"bytes": [...]}` both ways.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import calimero_client_py as published

ends: dict[str, tuple[Any, Any]] = {}
"""Client and connection of each address."""


def methods() -> list[str]:
    kinds = (published.Client, published.ConnectionInfo)
    named = {name for kind in kinds for name in dir(kind) if callable(getattr(kind, name))}
    return sorted(name for name in named if not name.startswith("_"))


def end(url: str, method: str) -> Any:
    if url not in ends:
        connection = published.create_connection(url, None)
        ends[url] = (published.create_client(connection), connection)
    return next(one for one in ends[url] if hasattr(one, method))


def argument(given: Any) -> Any:
    return bytes(given["bytes"]) if isinstance(given, dict) else given


def plain(result: Any) -> Any:
    """What JSON can carry; an authentication mode is its text."""
    if isinstance(result, bytes):
        return {"bytes": list(result)}
    return getattr(result, "value", result)


def answer(url: str, method: str, given: list[Any]) -> dict[str, Any]:
    try:
        return {"result": plain(getattr(end(url, method), method)(*map(argument, given)))}
    except (RuntimeError, ValueError) as wrong:
        return {"error": str(wrong)}


def tell(value: Any) -> None:
    sys.stdout.write(json.dumps(value, default=str) + "\n")
    sys.stdout.flush()


tell(methods())
for line in sys.stdin:
    tell(answer(*json.loads(line)))
