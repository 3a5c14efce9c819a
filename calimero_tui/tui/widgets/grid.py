"""A table that is told what to show and changes only the cells that differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.style import Style
from rich.text import Text
from textual.widgets import DataTable

from calimero_tui.tui.model.columns import GAP, Cell, Column, Row, fit, layout
from calimero_tui.tui.tones import styles

SCROLLBAR = 2
"""Cells that are left for a vertical scroll bar."""


class Grid(DataTable[Text]):
    """Rows of a view model. The row under the cursor keeps its place by its key."""

    def __init__(self, *, id: str, classes: str = "") -> None:  # noqa: A002 - Textual's name
        super().__init__(id=id, classes=classes, cursor_type="row", zebra_stripes=False)
        self._columns: Sequence[Column] = ()
        self._rows: list[Row] = []
        self._layout: list[tuple[Column, int]] = []
        self._drawn: dict[str, dict[str, tuple[Cell, int]]] = {}

    def show(self, columns: Sequence[Column], rows: Sequence[Row]) -> None:
        """Show rows; cheap when little has changed."""
        self._columns, self._rows = columns, list(rows)
        wanted = layout(columns, self.size.width - SCROLLBAR)
        if self.size.width == 0:
            return
        if wanted != self._layout:
            self._start(wanted)
        if [row.key for row in rows] != list(self._drawn):
            self._rebuild()
        tones = styles(self.app)
        for row in rows:
            self._update(row, tones)

    def on_resize(self) -> None:
        self.show(self._columns, self._rows)

    def draw_again(self) -> None:
        """Draw every cell again, in the colours of a new theme."""
        self._layout = []
        self.show(self._columns, self._rows)

    @property
    def current(self) -> Row | None:
        """The row under the cursor."""
        return self._rows[self.cursor_row] if 0 <= self.cursor_row < len(self._rows) else None

    def point_at(self, key: str | None) -> None:
        """Put the cursor on a row, if it is there."""
        keys = [row.key for row in self._rows]
        if key in keys and self.cursor_row != keys.index(key):
            self.move_cursor(row=keys.index(key))

    def _start(self, wanted: list[tuple[Column, int]]) -> None:
        self.clear(columns=True)
        self._drawn, self._layout = {}, wanted
        for column, width in wanted:
            self.add_column(column.label, width=width, key=column.key)

    def _rebuild(self) -> None:
        """Other rows than before: new rows at the end are added, anything else is drawn anew under the same cursor."""
        keys, drawn = [row.key for row in self._rows], list(self._drawn)
        if keys[: len(drawn)] != drawn:
            at = self.cursor_row
            key = drawn[at] if 0 <= at < len(drawn) else None
            self.clear()
            self._drawn = {}
            self._add(keys, self._drawn)
            self.point_at(key)
        else:
            self._add(keys[len(drawn) :], self._drawn)

    def _add(self, keys: Sequence[str], drawn: dict[str, dict[str, tuple[Cell, int]]]) -> None:
        for key in keys:
            self.add_row(*(Text("") for _ in self._layout), key=key)
            drawn[key] = {}

    def _update(self, row: Row, tones: Mapping[str, Style]) -> None:
        drawn = self._drawn[row.key]
        for column, width in self._layout:
            cell = row.cells.get(column.key, EMPTY)
            if drawn.get(column.key) == (cell, width):
                continue
            drawn[column.key] = (cell, width)
            self.update_cell(row.key, column.key, Text(fit(cell.text, width), style=tones.get(cell.tone, Style())))


EMPTY = Cell("")
__all__ = ["GAP", "Grid"]
