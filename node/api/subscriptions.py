"""What a client of the event stream asks for, and the answers: the WebSocket protocol without sockets.

Clients subscribe and unsubscribe; what is no request is dropped without an answer, as in the reference.
core 0.10.0: crates/server/src/ws.rs, crates/server/primitives/src/ws.rs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Final

from node.api import serde
from node.api.errors import BadRequest
from node.primitives import ContextId

__all__ = ["MAX_CONTEXTS", "Change", "Subscription", "event_message", "parse_error", "read_change"]

SUBSCRIBE: Final = "subscribe"
UNSUBSCRIBE: Final = "unsubscribe"
_MAX_U64: Final = (1 << 64) - 1

MAX_CONTEXTS: Final = 10_000
"""Contexts of one subscriber; the reference has no bound, a node has far fewer contexts."""


@dataclass(frozen=True, slots=True)
class Change:
    """A valid request: ``texts`` are the ids as they were written, which is how they are answered."""

    subscribe: bool
    contexts: tuple[ContextId, ...]
    texts: list[str]


def read_change(message: dict[str, Any]) -> Change:
    """Method and params of a request. Raises :class:`BadRequest` with the reference's text."""
    if "method" not in message:
        raise BadRequest("missing field `method`")
    method = message["method"]
    if method not in (SUBSCRIBE, UNSUBSCRIBE):
        raise BadRequest(f"unknown variant `{method}`, expected `{SUBSCRIBE}` or `{UNSUBSCRIBE}`")
    params = message.get("params")
    if not isinstance(params, dict):
        raise BadRequest("missing field `params`" if params is None else "invalid type: expected a map")
    texts = params.get("contextIds")
    if not isinstance(texts, list):
        raise BadRequest("missing field `contextIds`" if texts is None else "invalid type: expected a sequence")
    if len(texts) > MAX_CONTEXTS:
        raise BadRequest(f"contextIds: {len(texts)} contexts, at most {MAX_CONTEXTS} are allowed")
    return Change(method == SUBSCRIBE, tuple(_context_id(text) for text in texts), texts)


def _context_id(text: object) -> ContextId:
    if not isinstance(text, str):
        raise BadRequest("invalid type: expected a base58 encoded hash")
    return serde.parse_id(ContextId, text)


@dataclass(slots=True)
class Subscription:
    """The contexts that one client follows."""

    contexts: set[ContextId] = field(default_factory=set)

    def apply(self, change: Change) -> list[ContextId]:
        """Carry out a change; the contexts that were really removed. Raises :class:`BadRequest` beyond the bound."""
        wanted = set(change.contexts)
        if not change.subscribe:
            removed = wanted & self.contexts
            self.contexts -= wanted
            return [context_id for context_id in dict.fromkeys(change.contexts) if context_id in removed]
        if len(self.contexts | wanted) > MAX_CONTEXTS:
            raise BadRequest(f"a client can follow at most {MAX_CONTEXTS} contexts")
        self.contexts |= wanted
        return []

    def answer(self, text: str | None) -> str | None:
        """The answer to one WebSocket message, None for what is dropped."""
        message = _message(text)
        if message is None:
            return None
        identity = message.get("id")
        try:
            change = read_change(message)
            self.apply(change)
        except BadRequest as error:
            return _compact({"id": identity, **parse_error(str(error))})
        return _compact({"id": identity, "result": {"contextIds": change.texts}})


def _message(text: str | None) -> dict[str, Any] | None:
    """An object whose ``id`` is absent, null or an unsigned 64-bit number."""
    try:
        found = serde.decode((text or "").encode())
    except (BadRequest, UnicodeEncodeError):
        return None
    if not isinstance(found, dict):
        return None
    identity = found.get("id")
    known = identity is None or (type(identity) is int and 0 <= identity <= _MAX_U64)
    return found if known else None


def parse_error(text: str) -> dict[str, Any]:
    """The ``error`` member for a request that cannot be read."""
    return {"error": {"type": "ParseError", "data": text}}


def event_message(event: str) -> str:
    """An event (JSON text) as a WebSocket message: ``id`` is there and null, clients look at it."""
    return f'{{"id":null,"result":{event}}}'


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
