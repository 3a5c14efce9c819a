"""Everything at a glance: nodes, contexts with the agreement of their roots, workers, and the latest events."""

from __future__ import annotations

import time
from collections.abc import Iterator

from textual.widget import Widget
from textual.widgets import DataTable, Static

from calimero_tui.tui.messages import ScreenWanted
from calimero_tui.tui.model import tables
from calimero_tui.tui.model.activity import line
from calimero_tui.tui.model.snapshot import State
from calimero_tui.tui.screens.base import Page
from calimero_tui.tui.widgets.facts import Facts
from calimero_tui.tui.widgets.grid import Grid
from calimero_tui.tui.widgets.note import Note

LATEST = 60
"""Events that the foot of the overview can show."""


class OverviewScreen(Page):
    """Nodes × contexts. Enter on a row opens its screen."""

    NAME = "overview"
    ABOUT = (
        "All nodes and all contexts side by side. `roots` says whether the reachable nodes have the same root hash "
        "of a context; a root that differs from most is coloured. `pend` counts deltas that wait for something."
    )

    def body(self) -> Iterator[Widget]:
        yield Static("Nodes", classes="heading")
        yield Grid(id="nodes")
        yield Note(id="trouble")
        yield Static("Contexts", classes="heading")
        yield Grid(id="contexts")
        yield Static("Workers", classes="heading", id="workers-heading")
        yield Grid(id="workers")
        yield Static("Latest events", classes="heading")
        yield Facts(id="latest")

    def paint(self) -> None:
        now = time.monotonic()
        self.query_one("#nodes", Grid).show(tables.NODES, tables.node_rows(self.network, now))
        self.query_one("#contexts", Grid).show(tables.context_columns(self.network), tables.context_rows(self.network))
        self.query_one("#workers", Grid).show(tables.WORKERS, tables.worker_rows(self.network))
        self._trouble()
        self._latest()

    def _trouble(self) -> None:
        away = [node for node in self.network.nodes.values() if node.last.state is State.RECONNECTING]
        text = "\n".join(f"{node.name} does not answer: {node.last.error.partition(';')[0]}" for node in away[:2])
        trouble = self.query_one("#trouble", Note)
        trouble.display = bool(text)
        trouble.tell(text)

    def _latest(self) -> None:
        facts = self.query_one("#latest", Facts)
        names = {url: node.name for url, node in self.network.nodes.items()}
        rows = self.network.log.shown[-min(LATEST, max(1, facts.size.height)) :]
        width = facts.size.width
        lines = [
            ("".join(text for text, _ in line(row, names[row.url], width))[: max(1, width)], "")
            for row in reversed(rows)
        ]
        facts.show(lines or [("no event yet", "dim")])

    def on_data_table_row_selected(self, event: DataTable.RowSelected) -> None:
        key = str(event.row_key.value)
        if event.data_table.id == "contexts":
            self.network.context_id = key
            self.post_message(ScreenWanted("contexts"))
        elif event.data_table.id == "nodes":
            self.network.selected = key
            self.post_message(ScreenWanted("peers"))
