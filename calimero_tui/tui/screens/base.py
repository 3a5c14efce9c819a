"""What all screens share: the bar, the footer, the keys, and a repaint from the state that the app keeps."""

from __future__ import annotations

import logging
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

log = logging.getLogger(__name__)

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
        self._complete = False

    def on_mount(self) -> None:
        """Comes when the body is there; earlier there is nothing to paint on."""
        self._complete = True

    def on_unmount(self) -> None:
        self._complete = False

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
        """Paint; called by the app while this screen is seen and something has changed.

        A fault in what is shown must not end the dashboard: it is logged and counted, and the next change is painted.
        """
        if not self._complete:
            return
        try:
            self.query_one(Bar).show(*standing(self.network))
            self.paint()
        except Exception:
            self.network.faults += 1
            log.exception("screen %s could not be painted", self.NAME)

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
            self.notify("nothing to copy here: move to a row first", severity="warning", markup=False, timeout=3)
            return
        self.app.copy_to_clipboard(text)
        self.notify(text, title="copied", markup=False, timeout=3)
