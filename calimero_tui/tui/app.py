"""The dashboard app: it mounts screens, runs the background workers, and lets messages change the state.

It holds no rule of its own. Workers post messages; the handlers below hand them to the view models and mark the open
screen for repainting, at most four times a second.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import ClassVar, Final

from textual import events
from textual.app import App, ScreenStackError
from textual.binding import Binding, BindingType

from calimero_tui.actions.base import Action, Session
from calimero_tui.actions.registry import ACTIONS
from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.client.past import Past
from calimero_tui.tui import messages as m
from calimero_tui.tui.model.call import Answer, Call
from calimero_tui.tui.model.network import Network
from calimero_tui.tui.model.prompt import Prompt
from calimero_tui.tui.palette import ActionCommands
from calimero_tui.tui.reader import Reader, batches
from calimero_tui.tui.screens.base import TABS, Page
from calimero_tui.tui.screens.call import CallScreen
from calimero_tui.tui.screens.contexts import ContextsScreen
from calimero_tui.tui.screens.dialogs import HelpScreen, PromptScreen, ResultScreen
from calimero_tui.tui.screens.events import EventsScreen
from calimero_tui.tui.screens.overview import OverviewScreen
from calimero_tui.tui.screens.past import PastScreen
from calimero_tui.tui.screens.peers import PeersScreen
from calimero_tui.tui.screens.sync import SyncScreen
from node.errors import CalimeroError

REPAINT: Final = 0.25
"""Seconds between two looks at whether something has changed: fast enough to feel live, slow enough to be cheap."""

DETAILS: Final = 2.0
"""Seconds after which the details of the chosen context are read again."""

SETTLED: Final = 3.0
"""Seconds after which what is there will stay. It is then left out of garbage collection, whose full passes over the
150,000 objects of the libraries would hold up keys for a tenth of a second each."""

RARER: Final = 10
"""Full passes are this many times rarer than usual: events of the log come and go without any, by their count."""

AGAIN: Final = 1.0
"""Seconds before a background worker that failed is started again."""

PAGES: Final[tuple[type[Page], ...]] = (
    OverviewScreen, ContextsScreen, PeersScreen, EventsScreen, CallScreen, SyncScreen,
)  # fmt: skip

MOVING: Final = (
    (f"1 … {len(TABS)}", "Open a screen"),
    ("Tab, arrows", "Next part, next row; Enter opens a row"),
)

SKIPPED: Final = ("open(", "app.focus", "screen.copy")
"""Actions that the help tells in one line, or that Textual brings along."""

Connect = Callable[[str], Node]

log = logging.getLogger(__name__)


def _connect(url: str) -> Node:
    return Node(Http(url))


class Dashboard(App[None]):
    """The screens over one or more nodes. ``connect`` makes the client of a URL."""

    CSS_PATH = "styles.tcss"
    COMMANDS = App.COMMANDS | {ActionCommands}
    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(str(n), f"open('{name}')", label, show=False) for n, (name, label) in enumerate(TABS, start=1)),
        Binding("question_mark", "help", "Help", key_display="?"),
        Binding("t", "next_theme", "Theme", show=False),
        Binding("q", "quit", "Quit"),
        Binding("ctrl+c", "quit", "Quit", show=False, priority=True, system=True),
    ]

    def __init__(self, urls: Sequence[str], *, title: str = "", connect: Connect = _connect) -> None:
        super().__init__()
        self.title = title or "calimero"
        self.network = Network([url.rstrip("/") for url in urls], title=self.title)
        self.clients = {url: connect(url) for url in self.network.nodes}
        self.readers = {url: Reader(node) for url, node in self.clients.items()}
        self._dirty = True
        self._streams: dict[str, tuple[str, ...] | None] = dict.fromkeys(self.clients)
        for page in PAGES:
            self.add_mode(page.NAME, partial(page, self.network))

    def on_mount(self) -> None:
        self.switch_mode(TABS[0][0])
        self.theme_changed_signal.subscribe(self, lambda _: self._draw_again())
        for url in self.clients:
            self._background(f"read {url}", partial(self._read, url))
            self._stream(url, ())
        self._background("details", self._details_for_ever)
        self.set_interval(REPAINT, self._repaint)

    async def on_unmount(self) -> None:
        await asyncio.gather(*(node.close() for node in self.clients.values()), return_exceptions=True)

    # -- background workers: they post messages and touch no widget

    def _background(self, group: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run until the app ends; what goes wrong inside is logged and the work is started again."""
        self.run_worker(_for_ever(group, work), group=group, exclusive=True, exit_on_error=False)

    async def _read(self, url: str) -> None:
        async for snapshot in self.readers[url].snapshots():
            self.post_message(m.Observed(snapshot))

    def _stream(self, url: str, context_ids: tuple[str, ...]) -> None:
        if self._streams[url] != context_ids:
            self._streams[url] = context_ids
            self._background(f"events {url}", partial(self._follow, url, context_ids))

    async def _follow(self, url: str, context_ids: tuple[str, ...]) -> None:
        async for rows, lost in batches(self.clients[url], context_ids):
            self.post_message(m.Happened(url, rows, lost))

    async def _details_for_ever(self) -> None:
        while True:
            await self._details()
            await asyncio.sleep(DETAILS)

    async def _details(self) -> None:
        url, context_id = self.network.selected, self.network.context_id
        if context_id is not None and self.network.node.context(context_id) is not None:
            self.post_message(m.DetailsRead(await self.readers[url].details(context_id)))

    async def _call(self, call: Call) -> None:
        started = time.monotonic()
        try:
            output = await self.clients[call.url].call(call.context_id, call.method, call.args, call.executor)
            answer = Answer(call, time.monotonic() - started, output)
        except CalimeroError as error:
            kind = getattr(error, "kind", "") or type(error).__name__
            answer = Answer(call, time.monotonic() - started, error=str(error), kind=kind)
        self.post_message(m.CallAnswered(answer))

    async def _act(self, action: Action, given: Mapping[str, object], session: Session) -> None:
        try:
            self.post_message(m.ActionEnded(action, await action.run(session, given)))
        except CalimeroError as error:
            self.post_message(m.ActionEnded(action, None, str(error)))

    # -- messages

    def on_observed(self, message: m.Observed) -> None:
        self.network.take(message.snapshot)
        self._stream(
            message.snapshot.url,
            tuple(context.id for context in self.network.nodes[message.snapshot.url].last.contexts),
        )
        self._dirty = True

    def on_happened(self, message: m.Happened) -> None:
        trimmed = self.network.happened(message.url, message.rows, time.monotonic())
        self.network.log.dropped += message.lost
        page = self._page()
        if isinstance(page, EventsScreen):
            page.happened(trimmed)
        self._dirty = True

    def on_details_read(self, message: m.DetailsRead) -> None:
        self.network.learnt(message.details)
        self._dirty = True

    def on_details_wanted(self) -> None:
        # The function and not its coroutine: the next wish may end this worker before it begins.
        self.run_worker(self._details, group="details now", exclusive=True, exit_on_error=False)  # type: ignore[arg-type]

    def on_call_wanted(self, message: m.CallWanted) -> None:
        self.run_worker(self._call(message.call), group="call", exit_on_error=False)

    def on_call_answered(self, message: m.CallAnswered) -> None:
        self.network.form.take(message.answer)
        self._dirty = True

    def on_action_wanted(self, message: m.ActionWanted) -> None:
        session = Session(self.clients[self.network.selected], self.network.context_id)
        self.run_worker(self._act(message.action, message.given, session), group="action", exit_on_error=False)

    def on_action_ended(self, message: m.ActionEnded) -> None:
        title = f"{message.action.name} · {self.network.node.name}"
        self.push_screen(ResultScreen(title, message.value, message.error))

    def on_screen_wanted(self, message: m.ScreenWanted) -> None:
        self.action_open(message.name)

    def on_ping_wanted(self, message: m.PingWanted) -> None:
        self.post_message(m.ActionWanted(ACTIONS.find("peer ping"), {"peer": message.peer}))

    def on_past_wanted(self, message: m.PastWanted) -> None:
        details = self.network.current_details()
        if any(row.get("id") == message.delta for row in details.deltas):
            past = Past(self.clients[details.url].http)
            self.push_screen(PastScreen(past, details.context_id, details.deltas, message.delta))

    def on_show_wanted(self, message: m.ShowWanted) -> None:
        self.push_screen(ResultScreen(message.title, message.value))

    # -- keys

    async def on_event(self, event: events.Event) -> None:
        """What is typed behind the key that quits has no screen any more; Textual would end with a trace."""
        if not isinstance(event, events.InputEvent) or self._has_screen():
            await super().on_event(event)

    def _has_screen(self) -> bool:
        try:
            return bool(self.screen_stack)
        except ScreenStackError:
            return False

    def action_open(self, name: str) -> None:
        self.switch_mode(name)

    def action_next_node(self) -> None:
        self.network.select_next()
        self.post_message(m.DetailsWanted())
        self._dirty = True

    def action_sync(self) -> None:
        self.post_message(m.ActionWanted(ACTIONS.find("context sync"), {}))

    def action_next_theme(self) -> None:
        themes = sorted(self.available_themes)
        self.theme = themes[(themes.index(self.theme) + 1) % len(themes)]
        self.notify(self.theme, title="theme", timeout=2)

    def action_help(self) -> None:
        page = self._page()
        if page is not None:
            keys = [*MOVING, *_keys(self)]
            self.push_screen(HelpScreen(f"{page.NAME} · {self.title}", page.ABOUT, keys))

    def start_action(self, action: Action) -> None:
        """Ask for the parameters of an action where it has any, then run it."""
        if not Prompt(action, None).needed:
            self.post_message(m.ActionWanted(action, {}))
            return

        def run(given: Mapping[str, object] | None) -> None:
            if given is not None:
                self.post_message(m.ActionWanted(action, given))

        self.push_screen(PromptScreen(action, self.network.context_id), run)

    # -- painting

    def _repaint(self) -> None:
        page = self._page()
        if page is not None and (self._dirty or self._moving()):
            self._dirty = False
            page.refresh_state()

    def _page(self) -> Page | None:
        """The screen that is seen; None while a dialog covers it, or while the first of its kind is being made."""
        try:
            screen = self.screen
        except ScreenStackError:
            return None
        return screen if isinstance(screen, Page) else None

    def _moving(self) -> bool:
        """Rates fall while nothing happens."""
        now = time.monotonic()
        return any(node.meter.rate(now) for node in self.network.nodes.values())

    def _draw_again(self) -> None:
        page = self._page()
        if page is not None:
            page.draw_again()


def _keys(app: Dashboard) -> list[tuple[str, str]]:
    """Keys of the open screen and of the app, with what they do."""
    found: dict[str, tuple[str, str]] = {}
    for active in app.screen.active_bindings.values():
        binding = active.binding
        ours = isinstance(active.node, Page | App) and not binding.system and not binding.action.startswith(SKIPPED)
        if ours and binding.description:
            found[binding.action] = (app.get_key_display(binding), binding.description)
    return list(found.values())


async def _for_ever(what: str, work: Callable[[], Awaitable[None]]) -> None:
    """The dashboard outlives any fault of a reader: it is logged, and the work begins again."""
    while True:
        try:
            await work()
        except Exception:
            log.exception("%s failed; it starts again in %s s", what, AGAIN)
        await asyncio.sleep(AGAIN)


def settle(loop: asyncio.AbstractEventLoop) -> Callable[[], None]:
    """Keep garbage collection from holding up keys; the result undoes it."""
    settled = loop.call_later(SETTLED, gc.freeze)
    before = gc.get_threshold()
    gc.set_threshold(before[0], before[1], before[2] * RARER)

    def undo() -> None:
        settled.cancel()
        gc.set_threshold(*before)
        gc.unfreeze()

    return undo


async def dashboard(urls: Sequence[str], *, title: str = "") -> int:
    """Show the nodes until the user quits; the exit code. For callers that have an event loop."""
    app = Dashboard(urls, title=title)
    undo = settle(asyncio.get_running_loop())
    try:
        await app.run_async()
    finally:
        undo()
    return app.return_code or 0


def run_dashboard(urls: Sequence[str], *, title: str = "") -> int:
    """Show the nodes until the user quits; the exit code."""
    return asyncio.run(dashboard(urls, title=title))
