"""The stream of events: filtered, paused, followed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input

from calimero_tui.tui.messages import ShowWanted
from calimero_tui.tui.model.text import count, rate
from calimero_tui.tui.screens.base import Page
from calimero_tui.tui.widgets.lines import EventLines
from calimero_tui.tui.widgets.note import Note


class EventsScreen(Page):
    NAME = "events"
    ABOUT = (
        "Events and notices of all nodes as they come. `/` filters by words (node address, context, kind, data), space "
        "pauses the screen while events go on arriving behind it, `f` follows the newest, Enter shows all of an event."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", key_display="/"),
        Binding("space", "pause", "Pause", key_display="space"),
        Binding("f", "follow", "Follow"),
        Binding("x", "clear", "Clear", show=False),
        Binding("escape", "leave_filter", "to the list", show=False),
    ]

    def body(self) -> Iterator[Widget]:
        names = {url: node.name for url, node in self.network.nodes.items()}
        yield Note(id="about")
        yield Input(placeholder="filter: words that a row must contain", id="filter", compact=True)
        yield EventLines(self.network.log, names, id="lines")

    def paint(self) -> None:
        self.query_one("#about", Note).tell(self._told())
        self.query_one(EventLines).changed()

    def happened(self, trimmed: int) -> None:
        """Rows came while this screen is open; ``trimmed`` fell off the old end."""
        if trimmed and self.is_mounted:
            self.query_one(EventLines).changed(trimmed)

    def _told(self) -> str:
        log, now = self.network.log, time.monotonic()
        per_second = sum(node.meter.rate(now) for node in self.network.nodes.values())
        words = [f"{rate(per_second)} a second", count(log.total, "event")]
        if log.words:
            words.append(f"{len(log.shown)} with “{' '.join(log.words)}”")
        if log.dropped:
            words.append(f"the oldest {log.dropped} are gone")
        if log.paused:
            words.append(f"PAUSED, {log.held} waiting")
        elif not log.following:
            words.append("not following (f)")
        return " · ".join(words)

    def copied(self) -> str:
        row = self.query_one(EventLines).current
        return "" if row is None else row.context_id or row.url

    def action_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.add_class("open")
        box.focus()

    def action_leave_filter(self) -> None:
        box = self.query_one("#filter", Input)
        box.value = ""
        box.remove_class("open")
        self.query_one(EventLines).focus()

    def on_input_changed(self, event: Input.Changed) -> None:
        self.network.log.filter(event.value)
        self.refresh_state()

    def on_input_submitted(self) -> None:
        box = self.query_one("#filter", Input)
        box.set_class(bool(box.value), "open")
        self.query_one(EventLines).focus()

    def action_pause(self) -> None:
        self.network.log.pause(on=not self.network.log.paused)
        self.refresh_state()

    def action_follow(self) -> None:
        log = self.network.log
        log.following = not log.following
        self.refresh_state()

    def action_clear(self) -> None:
        self.network.log.clear()
        self.refresh_state()

    def on_event_lines_opened(self, event: EventLines.Opened) -> None:
        self.post_message(ShowWanted(event.row.what, event.row.to_json()))
