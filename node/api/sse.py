"""Sessions of server-sent events: ids, frames, resumption, subscription, and the row that outlives the process.

A session is taken up again by its number; each event is delivered once, to the newest stream of its session.
core 0.10.0: crates/server/src/sse.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from node.api import bodies, serde
from node.api.errors import BadRequest, Family, Refusal
from node.api.subscriptions import Subscription, parse_error, read_change
from node.primitives import ContextId

__all__ = [
    "KEEP_ALIVE",
    "KEEP_ALIVE_SECONDS",
    "ROW_SCOPE",
    "Session",
    "Sessions",
    "read_number",
    "read_request",
    "refused",
    "session_path",
]

KEEP_ALIVE_SECONDS: Final = 15.0
"""Seconds of silence before a comment is sent."""

KEEP_ALIVE: Final = ":\n\n"
RETRY_MS: Final = 3000
SESSION_LIFE: Final = 24 * 3600
"""Seconds since its last sign of life for which a session can be taken up again."""

MAX_SESSIONS: Final = 10_000
"""Sessions in memory; the one that was used longest ago goes first, and is found again by its row."""

ROW_SCOPE: Final = b"sse-sessions" + bytes(4)
"""Scope of the sessions in the Generic column."""

MAX_U64: Final = (1 << 64) - 1


class SessionRow(msgspec.Struct):
    """A session in the store."""

    subscriptions: list[str]
    event_counter: int
    last_activity: int


@dataclass(slots=True)
class Session:
    """One session. ``seen`` is unix time in seconds, ``counter`` the number of the next event."""

    number: int
    subscription: Subscription = field(default_factory=Subscription)
    counter: int = 0
    seen: int = 0

    def expired(self, now: int) -> bool:
        return now - self.seen >= SESSION_LIFE

    # -- frames

    def connected(self, *, resumed: bool) -> str:
        """The first frame of a stream. Its id ends in 0 and does not use up a number."""
        told = {"type": "connect", "session_id": str(self.number), "reconnect": resumed}
        return f"event: message\nid: {self.number}-0\nretry:{RETRY_MS}\ndata: {_compact(told)}\n\n"

    def event(self, event: str) -> str:
        """The frame of an event (JSON text)."""
        number = self.counter
        self.counter += 1
        return f'event: message\nid: {self.number}-{number}\ndata: {{"result":{event}}}\n\n'

    def closing(self, reason: str) -> str:
        """The last frame of a stream that the server ends."""
        told = {"type": "close", "reason": reason}
        return f"event: message\nid: {self.number}-{self.counter}\ndata: {_compact(told)}\n\n"

    # -- subscribing

    def change(self, message: dict[str, Any], now: int) -> dict[str, Any]:
        """Carry out a subscription request and answer it. Raises :class:`BadRequest`."""
        change = read_change(message)
        removed = self.subscription.apply(change)
        self.seen = now
        if change.subscribe:
            return {"result": {"status": "subscribed", "contexts": change.texts}}
        gone = [str(context_id) for context_id in removed]
        return {"result": {"status": "unsubscribed", "unsubscribed": gone, "requested": change.texts}}

    def describe(self, status: str) -> dict[str, Any]:
        """The answer of the session route."""
        contexts = [str(context_id) for context_id in sorted(self.subscription.contexts)]
        found = {
            "session_id": self.number,
            "subscriptions": contexts,
            "event_counter": self.counter,
            "status": status,
        }
        return {"result": found}

    # -- the row

    @property
    def fragment(self) -> bytes:
        """Key of its row: the number in the first eight of 32 bytes."""
        return self.number.to_bytes(8, "big") + bytes(24)

    def to_row(self) -> bytes:
        contexts = [str(context_id) for context_id in sorted(self.subscription.contexts)]
        return msgspec.json.encode(SessionRow(contexts, self.counter, self.seen))

    @classmethod
    def from_row(cls, number: int, raw: bytes) -> Session | None:
        """Read :meth:`to_row`; None for a row that cannot be read, which is as good as none."""
        try:
            row = msgspec.json.decode(raw, type=SessionRow)
            contexts = {serde.parse_id(ContextId, text) for text in row.subscriptions}
        except (msgspec.MsgspecError, UnicodeDecodeError, BadRequest):
            return None
        return cls(number, Subscription(contexts), max(0, row.event_counter), row.last_activity)


class Sessions:
    """The sessions in memory."""

    def __init__(self) -> None:
        self._sessions: OrderedDict[int, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, number: int) -> Session | None:
        return self._sessions.get(number)

    def keep(self, session: Session) -> None:
        """Remember a session as the one that was used last."""
        self._sessions[session.number] = session
        self._sessions.move_to_end(session.number)
        while len(self._sessions) > MAX_SESSIONS:
            self._sessions.popitem(last=False)


def read_number(last_event_id: str | None) -> int | None:
    """The session of a ``Last-Event-ID``: what stands before the first dash."""
    text = (last_event_id or "").partition("-")[0]
    return _u64(text)


def session_path(text: str) -> int:
    """The number in the path of the session route. Raises :class:`Refusal`."""
    number = _u64(text)
    if number is None:
        raise Refusal(f'Invalid URL: Cannot parse `"{text}"` to a `u64`', 400)
    return number


def _u64(text: str) -> int | None:
    if not (text.isascii() and text.isdecimal()) or len(text) > 20 or int(text) > MAX_U64:
        return None
    return int(text)


def read_request(content_type: str, raw: bytes) -> tuple[int, dict[str, Any]]:
    """Session number and message of a subscription request. Raises :class:`Refusal`."""
    message = bodies.read_value(bodies.PLAIN, content_type, raw)
    if not isinstance(message, dict):
        raise bodies.misshapen(bodies.PLAIN, "invalid type: expected struct Request")
    if not isinstance(message.get("id"), str):
        known = "invalid type: expected a string" if "id" in message else "missing field `id`"
        raise bodies.misshapen(bodies.PLAIN, known)
    number = _u64(message["id"])
    if number is None:
        raise Refusal("Invalid Session Id", 400, Family.JSON)
    return number, message


def refused(error: BadRequest) -> dict[str, Any]:
    """The answer to a request with bad method or params."""
    return parse_error(str(error))


def _compact(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
