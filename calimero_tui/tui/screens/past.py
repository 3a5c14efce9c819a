"""A delta of a context: what it changed, against a parent or any other delta, and who wrote an entry before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import DataTable, Label

from calimero_tui.client.past import Past
from calimero_tui.tui.model.past import CHANGES, DeltaView, Json, change_rows, entry_rows, write_lines
from calimero_tui.tui.widgets.facts import Facts
from calimero_tui.tui.widgets.grid import Grid
from node.errors import CalimeroError


class PastScreen(ModalScreen[None]):
    """Opened on a row of the delta window. What the node refuses is told in place of the entries."""

    AUTO_FOCUS = "Grid"

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "dismiss(None)", "Close"),
        Binding("left_square_bracket,left", "move(1)", "Older"),
        Binding("right_square_bracket,right", "move(-1)", "Newer"),
        Binding("p", "parent", "Other parent"),
        Binding("m", "mark", "Mark"),
        Binding("a", "all", "All entries"),
    ]

    def __init__(self, past: Past, context_id: str, deltas: Sequence[Json], delta: str) -> None:
        super().__init__()
        self._past, self._context_id = past, context_id
        self.view = DeltaView(deltas, [str(row["id"]) for row in deltas].index(delta))

    def compose(self) -> ComposeResult:
        with Vertical(classes="dialog past"):
            yield Facts(id="which")
            yield Grid(id="changes")
            yield Facts(id="writes")
            yield Label("← older · → newer · p parent · m mark · a all · Enter who wrote it · Esc", classes="foot")

    def on_mount(self) -> None:
        self._look()

    def _look(self) -> None:
        self.query_one("#which", Facts).show(self.view.title())
        self.run_worker(self._read, group="past", exclusive=True, exit_on_error=False)  # type: ignore[arg-type]

    async def _read(self) -> None:
        view = self.view
        try:
            if view.whole:
                rows = entry_rows(await self._past.at(self._context_id, view.delta))
            else:
                rows = change_rows(await self._past.compare(self._context_id, view.base, view.delta))
        except CalimeroError as error:
            self.query_one("#changes", Grid).show(CHANGES, [])
            self.query_one("#writes", Facts).show([(str(error), "bad")])
            return
        self.query_one("#changes", Grid).show(CHANGES, rows)
        self.query_one("#writes", Facts).show([] if rows else [("no entry differs", "dim")])

    async def _blame(self, entity: str) -> None:
        try:
            lines = write_lines(entity, await self._past.blame(self._context_id, entity))
        except CalimeroError as error:
            lines = [(str(error), "bad")]
        self.query_one("#writes", Facts).show(lines)

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        entity = event.row_key.value
        if entity is not None:
            self.run_worker(self._blame(entity), group="past", exclusive=True, exit_on_error=False)

    def action_move(self, steps: int) -> None:
        self.view.move(steps)
        self._look()

    def action_parent(self) -> None:
        self.view.next_parent()
        self._look()

    def action_mark(self) -> None:
        self.view.mark()
        self._look()

    def action_all(self) -> None:
        self.view.whole = not self.view.whole
        self._look()
