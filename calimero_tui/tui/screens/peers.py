"""The peers of one node, and what the node itself runs on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget

from calimero_tui.tui.messages import PingWanted
from calimero_tui.tui.model import tables
from calimero_tui.tui.model.snapshot import Part
from calimero_tui.tui.model.text import count
from calimero_tui.tui.screens.base import Page
from calimero_tui.tui.widgets.grid import Grid
from calimero_tui.tui.widgets.note import Note


class PeersScreen(Page):
    NAME = "peers"
    ABOUT = "The peers that the selected node is connected to or wants to be, with traffic since it connected."
    BINDINGS: ClassVar[list[BindingType]] = [Binding("n", "app.next_node", "Node"), Binding("p", "ping", "Ping")]

    def body(self) -> Iterator[Widget]:
        yield Note(id="about")
        yield Grid(id="peers")

    def paint(self) -> None:
        node = self.network.node
        known = node.last.peers
        told = f"{node.name} · {node.address} · {node.last.state}"
        if node.last.peer_count is not None:
            told += f" · {count(node.last.peer_count, 'connected peer')}"
        if known is None and node.ready:
            told += f"\n{node.last.gaps.get(Part.PEERS, 'peer details could not be read')}"
        self.query_one("#about", Note).tell(told)
        self.query_one("#peers", Grid).show(tables.PEERS, tables.peer_rows(node))

    def action_ping(self) -> None:
        row = self.query_one("#peers", Grid).current
        if row is not None:
            self.post_message(PingWanted(row.id))
