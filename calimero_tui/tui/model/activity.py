"""What happened on the nodes, a row for each: application events, state changes, notices of the node's work."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from calimero_tui.client.events import Event, read_event
from calimero_tui.tui.model.text import clean, compact, short
from node.events import Notice

LONGEST_WORD: Final = 24

STATE: Final = "state"
"""The kind of a state change that carries no application event."""


@dataclass(frozen=True, slots=True)
class Happening:
    """``at`` is unix time in seconds. ``what`` is an application event's name, or ``state`` or a notice's kind."""

    at: float
    url: str
    context_id: str
    what: str
    data: Any = None
    root: str = ""
    handler: str | None = None
    is_notice: bool = False

    @property
    def clock(self) -> str:
        """Local wall time with milliseconds."""
        return f"{time.strftime('%H:%M:%S', time.localtime(self.at))}.{int(self.at * 1000) % 1000:03d}"

    @property
    def summary(self) -> str:
        """The data on one line; the new root where there is none. Ids in a notice are cut to their end."""
        if self.data is None:
            return f"root {self.root}" if self.root else ""
        if isinstance(self.data, Mapping):
            shown = brief if self.is_notice else compact
            return clean("  ".join(f"{name}={shown(value)}" for name, value in self.data.items()))
        return compact(self.data)

    @property
    def text(self) -> str:
        """What a filter looks at; ids are whole here."""
        return f"{self.url} {self.context_id} {self.what} {compact(self.data)} {self.root}".lower()

    def to_json(self) -> dict[str, Any]:
        found = {"at": self.at, "node": self.url, "context": self.context_id, "what": self.what, "data": self.data}
        return found | ({"root": self.root} if self.root else {}) | ({"handler": self.handler} if self.handler else {})


def happenings(url: str, found: Event | Notice | Mapping[str, Any], at: float) -> Iterator[Happening]:
    """Rows of one message of a node, whatever stream it came by; ``at`` is when it was received."""
    if isinstance(found, Event):
        yield from _mutation(url, found, at)
    elif isinstance(found, Notice):
        context_id = str(found.context_id or "")
        yield Happening(found.at_ns / 1e9, url, context_id, f"{found.kind} {found.name}", found.fields, is_notice=True)
    elif (event := read_event({"result": found})) is not None:
        yield from _mutation(url, event, at)
    else:
        yield _row(url, found, at)


def _mutation(url: str, event: Event, at: float) -> Iterator[Happening]:
    if not event.events:
        yield Happening(at, url, event.context_id, STATE, None, event.root_hash)
    for app_event in event.events:
        yield Happening(
            at, url, event.context_id, clean(app_event.kind), app_event.data, event.root_hash, app_event.handler
        )


def _row(url: str, row: Mapping[str, Any], at: float) -> Happening:
    """A notice as JSON, in the form of the node-wide stream; anything else is shown as it is."""
    data = row.get("data")
    notice: Mapping[str, Any] = data if isinstance(data, Mapping) else {}
    moment = notice.get("at")
    what = " ".join(str(notice[key]) for key in ("kind", "name") if notice.get(key))
    return Happening(
        moment if isinstance(moment, float | int) else at,
        url,
        str(row.get("contextId") or ""),
        clean(what) or "event",
        notice.get("fields", dict(row)),
        is_notice=True,
    )


def brief(value: Any) -> str:
    """A value of a notice; a long word is an id, of which peers are told apart by the end."""
    text = compact(value)
    return f"…{text[-8:]}" if len(text) > LONGEST_WORD and " " not in text else text


def line(row: Happening, node: str, width: int) -> list[tuple[str, str]]:
    """A row as (text, tone) pieces for a terminal of ``width`` cells."""
    wide = width >= 110
    clock = row.clock if wide else row.clock[:8]
    context = short(row.context_id, 12 if wide else 8) if row.context_id else "-"
    return [
        (f"{clock} ", "dim"),
        (f"{node:<6} ", "node"),
        (f"{context:<{12 if wide else 8}} ", "dim"),
        (f"{short(row.what, 18):<{18 if wide else 14}} ", "plain" if row.what == STATE else "accent"),
        (row.summary, "plain"),
    ]
