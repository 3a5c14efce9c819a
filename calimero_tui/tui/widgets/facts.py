"""Lines of text with tones: explanations, details, results. Scrolls when there are more than fit."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from textual.containers import VerticalScroll
from textual.widgets import Static

from calimero_tui.tui.tones import styles

Line = tuple[str, str]


class Facts(VerticalScroll):
    """Shows lines; the same lines again cost nothing."""

    def __init__(self, *, id: str) -> None:  # noqa: A002 - Textual's name
        super().__init__(Static(id=f"{id}-text", expand=True), id=id)
        self._lines: list[Line] = []

    def show(self, lines: Sequence[Line]) -> None:
        if list(lines) == self._lines:
            return
        moved = len(lines) != len(self._lines) or any(len(line) > self.size.width - 2 for line, _ in lines)
        self._lines = list(lines)
        self.draw_again(layout=moved)

    def draw_again(self, *, layout: bool = False) -> None:
        tones = styles(self.app)
        text = Text("\n").join(Text(line, style=tones.get(tone, "")) for line, tone in self._lines)
        self.query_one(Static).update(text, layout=layout)
