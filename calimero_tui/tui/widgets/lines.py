"""The event stream: a window onto a list of rows. It draws the lines that are seen, whatever the list's length."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding, BindingType
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from calimero_tui.tui.model.activity import Happening, line
from calimero_tui.tui.model.log import EventLog
from calimero_tui.tui.tones import styles


class EventLines(ScrollView, can_focus=True):
    """Lines of an :class:`EventLog` with a cursor. Moving up stops following, the last line starts it again."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("up,k", "move(-1)", "up", show=False),
        Binding("down,j", "move(1)", "down", show=False),
        Binding("pageup", "page(-1)", "page up", show=False),
        Binding("pagedown", "page(1)", "page down", show=False),
        Binding("home,g", "first", "first", show=False),
        Binding("end,G", "last", "last", show=False),
        Binding("enter", "open", "details", show=False),
    ]

    class Opened(Message):
        """The user wants to see all of a row."""

        def __init__(self, row: Happening) -> None:
            super().__init__()
            self.row = row

    def __init__(self, log: EventLog, names: Mapping[str, str], *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id)
        self.events, self._names, self.cursor = log, names, 0
        self._tones: dict[str, Style] = {}
        self._base = Style()

    def on_mount(self) -> None:
        self._tones = styles(self.app)
        self.app.theme_changed_signal.subscribe(self, self._recolour)

    def _recolour(self, _: object) -> None:
        self._tones = styles(self.app)
        self.refresh()

    @property
    def current(self) -> Happening | None:
        shown = self.events.shown
        return shown[self.cursor] if 0 <= self.cursor < len(shown) else None

    def changed(self, trimmed: int = 0) -> None:
        """The list has changed; ``trimmed`` lines fell off its old end."""
        count = len(self.events.shown)
        self.virtual_size = Size(self.scrollable_content_region.width, count)
        if self.events.following:
            self.cursor = max(0, count - 1)
            self.scroll_to(y=max(0, count - self.size.height), animate=False, immediate=True)
        elif trimmed:
            self.cursor = max(0, self.cursor - trimmed)
            self.scroll_to(y=max(0, self.scroll_offset.y - trimmed), animate=False, immediate=True)
        self.cursor = min(self.cursor, max(0, count - 1))
        self.refresh()

    def on_resize(self) -> None:
        self.changed()

    def render_lines(self, crop: Region) -> list[Strip]:
        """The style is looked up once for all lines: it is dear, and lines are drawn four times a second."""
        self._base = self.rich_style
        return super().render_lines(crop)

    def render_line(self, y: int) -> Strip:
        number, width = y + self.scroll_offset.y, self.size.width
        if number >= len(self.events.shown):
            return Strip.blank(width, self._base)
        row = self.events.shown[number]
        base = self._base
        if number == self.cursor and self.has_focus:
            base += Style(reverse=True)
        pieces = line(row, self._names.get(row.url, "?"), width)
        segments = [Segment(text, base + self._tones.get(tone, Style())) for text, tone in pieces]
        return Strip(segments).adjust_cell_length(width, base)

    def action_move(self, step: int) -> None:
        self._go(self.cursor + step)

    def action_page(self, step: int) -> None:
        self._go(self.cursor + step * max(1, self.size.height - 1))

    def action_first(self) -> None:
        self._go(0)

    def action_last(self) -> None:
        self._go(len(self.events.shown) - 1)

    def action_open(self) -> None:
        if self.current is not None:
            self.post_message(self.Opened(self.current))

    def on_click(self, event: object) -> None:
        offset = getattr(event, "y", 0)
        self._go(self.scroll_offset.y + int(offset))

    def _go(self, number: int) -> None:
        count = len(self.events.shown)
        self.cursor = max(0, min(number, count - 1))
        self.events.following = count == 0 or number >= count - 1
        top, height = self.scroll_offset.y, max(1, self.size.height)
        if self.cursor < top:
            self.scroll_to(y=self.cursor, animate=False, immediate=True)
        elif self.cursor >= top + height:
            self.scroll_to(y=self.cursor - height + 1, animate=False, immediate=True)
        self.refresh()
