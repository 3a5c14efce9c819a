"""Contexts, and all about the one under the cursor: members, roots, methods, deltas, why it is where it is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable, TabbedContent, TabPane

from calimero_tui.tui.messages import DetailsWanted, PastWanted, ScreenWanted
from calimero_tui.tui.model import tables
from calimero_tui.tui.model.columns import Cell, Column, Row
from calimero_tui.tui.model.snapshot import Details, Part
from calimero_tui.tui.model.why import Line, explain
from calimero_tui.tui.screens.base import Page
from calimero_tui.tui.widgets.facts import Facts
from calimero_tui.tui.widgets.grid import Grid
from calimero_tui.tui.widgets.note import Note


class ContextsScreen(Page):
    """The details are those of the selected node (``n``)."""

    NAME = "contexts"
    ABOUT = (
        "Choose a context above; below are its members, its root on each node, the methods of its application, the "
        "newest deltas, and the node's own explanation of its state. Enter on a delta shows what it changed, and who "
        "wrote an entry before. `n` changes the node that is asked."
    )
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "app.next_node", "Node"),
        Binding("s", "app.sync", "Sync now"),
    ]

    def body(self) -> Iterator[Widget]:
        yield Grid(id="contexts")
        yield Note(id="about")
        with TabbedContent(id="details"):
            with TabPane("Roots", id="tab-roots"):
                yield Facts(id="roots")
            with TabPane("Members", id="tab-members"):
                yield Grid(id="members")
            with TabPane("Methods", id="tab-methods"):
                yield Grid(id="methods")
            with TabPane("Deltas", id="tab-deltas"):
                yield Grid(id="deltas")
            with TabPane("Why", id="tab-why"):
                yield Facts(id="why")

    pointed: str | None = None
    """The context that the cursor was put on last. Only another choice moves it: a row that a key has just reached is
    not yet the choice, and would be left again."""

    def paint(self) -> None:
        grid = self.query_one("#contexts", Grid)
        grid.show(tables.context_columns(self.network), tables.context_rows(self.network))
        if self.pointed != self.network.context_id:
            self.pointed = self.network.context_id
            grid.point_at(self.pointed)
        self._paint_details()

    def _paint_details(self) -> None:
        """What is below the list, which is all that changes when the cursor moves in it."""
        details = self.network.current_details()
        self.query_one("#about", Note).tell(self._about(details))
        self.query_one("#roots", Facts).show(self._roots())
        self._fill("members", tables.MEMBERS, tables.member_rows(details), details, None)
        self._fill("methods", tables.METHODS, tables.method_rows(details), details, Part.METHODS)
        self._fill("deltas", tables.DELTAS, tables.delta_rows(details), details, Part.DELTAS)
        self.query_one("#why", Facts).show(self._why(details))

    def _about(self, details: Details) -> str:
        if self.network.context_id is None:
            return "no context yet: Ctrl+P, then `context create` or `context join`"
        copy = self.network.node.context(self.network.context_id)
        if copy is None:
            return f"{self.network.node.name} does not have this context"
        error = f" · {details.error}" if details.error else ""
        return f"{self.network.node.name} · application {copy.application_id}{error}"

    def _roots(self) -> list[Line]:
        context = self.network.context(self.network.context_id)
        if context is None:
            return [("no context", "dim")]
        lines: list[Line] = [(f"context  {context.id}", "accent")]
        for node, copy in context.copies:
            tone = "" if node.ready else "dim"
            lines.append((f"{node.name}   {copy.root_hash if copy.initialised else 'state is being fetched'}", tone))
            lines += [(f"  head   {head}", "dim") for head in copy.heads]
        return lines

    def _fill(
        self, name: str, columns: tuple[Column, ...], rows: list[Row], details: Details, part: Part | None
    ) -> None:
        if not rows and part in details.gaps and part is not None:
            told = {columns[0].key: Cell("-", "dim"), columns[1].key: Cell(details.gaps[part], "dim")}
            rows = [Row("gap", told)]
        self.query_one(f"#{name}", Grid).show(columns, rows)

    def _why(self, details: Details) -> list[Line]:
        if details.why is None:
            return [(details.gaps.get(Part.WHY, "asking the node …"), "dim")]
        return explain(details.why)

    def on_data_table_row_highlighted(self, event: DataTable.RowHighlighted) -> None:
        key = event.row_key.value
        if event.data_table.id == "contexts" and key and event.data_table.has_focus and key != self.pointed:
            self.network.context_id = self.pointed = key
            self.post_message(DetailsWanted())
            self._paint_details()

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        if event.data_table.id == "deltas" and event.row_key.value not in (None, "gap"):
            self.post_message(PastWanted(str(event.row_key.value)))
        if event.data_table.id in ("contexts", "methods"):
            method = event.row_key.value if event.data_table.id == "methods" else None
            self.network.wanted_method = method if method != "gap" else None
            self.post_message(ScreenWanted("call"))
