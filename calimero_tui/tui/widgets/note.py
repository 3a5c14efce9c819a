"""A line or two of text that changes often: only a change is drawn, and only another height moves what lies below."""

from __future__ import annotations

from textual.widgets import Static


class Note(Static):
    """Plain text; markup in it is shown as it is, because much of it comes from outside."""

    def __init__(self, text: str = "", *, id: str, classes: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(text, id=id, classes=classes, markup=False)
        self._told = text

    def tell(self, text: str) -> None:
        if text == self._told:
            return
        moved = self._rows(text) != self._rows(self._told)
        self._told = text
        self.update(text, layout=moved)

    def _rows(self, text: str) -> int:
        """How many lines the text takes, not counting words that wrap early."""
        width = max(1, self.size.width)
        return sum(max(1, -(-len(line) // width)) for line in text.split("\n"))
