"""What all screens share: the bar, the footer, the keys, and a repaint from the state that the app keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Footer

from calimero_tui.tui.model.network import Network
from calimero_tui.tui.model.tables import standing
from calimero_tui.tui.widgets.bar import Bar
from calimero_tui.tui.widgets.facts import Facts
from calimero_tui.tui.widgets.grid import Grid

TABS: Final = (
    ("overview", "Overview"),
    ("contexts", "Contexts"),
    ("peers", "Peers"),
    ("events", "Events"),
    ("call", "Call"),
    ("sync", "Sync"),
)
"""Names of the screens and what the bar calls them; their place is their key."""


class Page(Screen[None]):
    """A screen of the bar. Subclasses name their body and paint it from the network's state."""

    NAME: ClassVar[str]
    AUTO_FOCUS = "Grid, EventLines, #context"
    ABOUT: ClassVar[str]
    """What the help says about the screen."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("c", "copy", "Copy id")]

    def __init__(self, network: Network) -> None:
        super().__init__(name=self.NAME)
        self.network = network

    def compose(self) -> ComposeResult:
        yield Bar(TABS, self.NAME)
        yield from self.body()
        yield Footer(compact=True)

    def body(self) -> Iterator[Widget]:
        """The widgets between bar and footer."""
        raise NotImplementedError

    def paint(self) -> None:
        """Show the state of the network."""
        raise NotImplementedError

    def copied(self) -> str:
        """What "copy" copies; "" for nothing."""
        return next((row.id for grid in self.query(Grid) if grid.has_focus and (row := grid.current)), "")

    def refresh_state(self) -> None:
        """Paint; called by the app while this screen is seen and something has changed."""
        if self.is_mounted:
            self.query_one(Bar).show(*standing(self.network))
            self.paint()

    def on_screen_resume(self) -> None:
        self.refresh_state()

    def draw_again(self) -> None:
        """The theme is another one."""
        for grid in self.query(Grid):
            grid.draw_again()
        for facts in self.query(Facts):
            facts.draw_again()
        self.query_one(Bar).refresh()

    def action_copy(self) -> None:
        text = self.copied()
        if not text:
            self.notify("nothing to copy here: move to a row first", severity="warning", timeout=3)
            return
        self.app.copy_to_clipboard(text)
        self.notify(text, title="copied", timeout=3)
