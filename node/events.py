"""What a node tells its observers: application events of a state change, and notices about its own work.

A :class:`StateMutation` goes to every API client that subscribed to the context, in the reference's form. A
:class:`Notice` is ours: it feeds the dashboard and the event history, and never replaces a state mutation.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Literal

from node.errors import DecodeError
from node.primitives import ContextId, Hash


@dataclass(frozen=True, slots=True)
class AppEvent:
    """One event emitted by an application: kind (variant name), payload bytes, and the handler that peers run."""

    kind: str
    data: bytes
    handler: str | None = None


@dataclass(frozen=True, slots=True)
class StateMutation:
    """A context has a new root; ``events`` are the application's own. core 0.10.0: crates/primitives/src/events.rs."""

    context_id: ContextId
    new_root: Hash
    events: tuple[AppEvent, ...] = ()

    def to_json(self) -> dict[str, object]:
        """The ``result`` object of a WebSocket or SSE event message."""
        return {
            "contextId": str(self.context_id),
            "type": "StateMutation",
            "data": {"newRoot": str(self.new_root), "events": [event_to_json(e) for e in self.events]},
        }


NoticeKind = Literal["sync", "peer", "delta", "worker", "context", "application"]


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the node did or noticed: a sync session and its outcome, a peer that came or went, a delta that waits.

    ``at_ns`` is unix time in nanoseconds, ``fields`` are flat JSON values.
    """

    kind: NoticeKind
    name: str
    at_ns: int
    context_id: ContextId | None = None
    fields: dict[str, str | int | float | bool | None] = field(default_factory=dict)


def event_to_json(event: AppEvent) -> dict[str, object]:
    return {"kind": event.kind, "data": list(event.data), "handler": event.handler}


def events_to_bytes(events: tuple[AppEvent, ...], *, with_handlers: bool = True) -> bytes:
    """Events as they travel in a delta and rest in a delta row: compact JSON."""
    rows = [event_to_json(e if with_handlers else AppEvent(e.kind, e.data)) for e in events]
    return json.dumps(rows, separators=(",", ":")).encode()


def events_from_bytes(raw: bytes) -> tuple[AppEvent, ...]:
    """Read :func:`events_to_bytes`. Raises :class:`DecodeError`."""
    try:
        return tuple(_event_from_json(row) for row in json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise DecodeError(f"events are not the expected JSON: {error}", offset=0, field="events") from error


def _event_from_json(row: dict[str, object]) -> AppEvent:
    kind, data, handler = row["kind"], row["data"], row.get("handler")
    if not isinstance(kind, str) or not isinstance(data, list) or not isinstance(handler, str | None):
        raise ValueError("an event needs a text kind, a list of bytes, and a text or null handler")
    return AppEvent(kind, bytes(data), handler)
