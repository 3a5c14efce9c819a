"""The top line: which screens there are, which one is open, and how the nodes are."""

from __future__ import annotations

from collections.abc import Sequence

from rich.style import Style
from rich.text import Text
from textual.widget import Widget

from calimero_tui.tui.tones import styles


class Bar(Widget):
    """One line. On a narrow terminal the names of the screens are cut to fit, never the state of the nodes."""

    def __init__(self, screens: Sequence[tuple[str, str]], open_screen: str) -> None:
        super().__init__(id="bar")
        self._screens, self._open = screens, open_screen
        self._state, self._tone = "", ""

    def show(self, state: str, tone: str) -> None:
        if (state, tone) != (self._state, self._tone):
            self._state, self._tone = state, tone
            self.refresh()

    def render(self) -> Text:
        tones, width = styles(self.app), self.size.width
        right = Text(f" {self._state} ", style=tones.get(self._tone, Style()) + Style(bold=True))
        left = self._tabs(tones, width - right.cell_len)
        left.pad_right(max(0, width - left.cell_len - right.cell_len))
        return left.append_text(right)

    def _tabs(self, tones: dict[str, Style], room: int) -> Text:
        for cut in (20, 5, 4, 0):
            text = Text(no_wrap=True, overflow="ellipsis")
            for number, (name, label) in enumerate(self._screens, start=1):
                opened = name == self._open
                shown = label if opened and cut else label[:cut]
                style = Style(reverse=True, bold=True) if opened else tones["plain"]
                text.append(" ")
                text.append(f"{number} {shown}".rstrip(), style + Style(meta={"@click": f"app.open('{name}')"}))
            if text.cell_len <= room:
                return text
        return text
