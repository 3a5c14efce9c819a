"""Sync sessions of one node, newest first."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import DataTable

from calimero_tui.tui.messages import ShowWanted
from calimero_tui.tui.model import tables
from calimero_tui.tui.model.snapshot import Part
from calimero_tui.tui.model.text import count
from calimero_tui.tui.screens.base import Page
from calimero_tui.tui.widgets.grid import Grid
from calimero_tui.tui.widgets.note import Note


class SyncScreen(Page):
    NAME = "sync"
    ABOUT = "Running and recent sync sessions of the selected node. Enter shows all that the node tells about one."
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "app.next_node", "Node"),
        Binding("s", "app.sync", "Sync now"),
    ]

    def body(self) -> Iterator[Widget]:
        yield Note(id="about")
        yield Grid(id="sessions")

    def paint(self) -> None:
        node = self.network.node
        told = f"{node.name} · {node.last.state}"
        if node.last.sessions is not None:
            told += f" · {count(len(node.last.sessions), 'session')}"
        elif node.ready:
            told += f"\n{node.last.gaps.get(Part.SESSIONS, 'sessions could not be read')}"
        self.query_one("#about", Note).tell(told)
        self.query_one("#sessions", Grid).show(tables.SESSIONS, tables.session_rows(node, wall_clock))

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        sessions = self.network.node.last.sessions or ()
        if event.cursor_row < len(sessions):
            self.post_message(ShowWanted("sync session", sessions[event.cursor_row]))


def wall_clock(seconds: float) -> str:
    return time.strftime("%H:%M:%S", time.localtime(seconds))
