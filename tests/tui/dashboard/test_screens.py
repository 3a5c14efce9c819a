"""The screens on a terminal of 80×24, over nodes on real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
from textual import events
from textual.app import ScreenStackError
from textual.pilot import Pilot
from textual.widgets import Input, Static, TextArea

from calimero_tui.tui.app import Dashboard
from calimero_tui.tui.model.snapshot import State
from calimero_tui.tui.screens.base import TABS
from calimero_tui.tui.screens.contexts import ContextsScreen
from calimero_tui.tui.screens.dialogs import HelpScreen, PromptScreen, ResultScreen
from calimero_tui.tui.widgets.facts import Facts
from calimero_tui.tui.widgets.grid import Grid
from calimero_tui.tui.widgets.lines import EventLines
from tests.tui.dashboard.station import ContextState, Station, ident, stations

Check = Callable[[], bool]


async def until(pilot: Pilot[None], check: Check, *, seconds: float = 10.0) -> None:
    """Wait until something is so; the time-out only ends a test that has failed."""
    async with asyncio.timeout(seconds):
        while not check():
            await pilot.pause(0.02)


@asynccontextmanager
async def shown(*found: Station, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Dashboard, Pilot[None]]]:
    async with stations(*found):
        app = Dashboard([station.url for station in found], title="test")
        async with app.run_test(size=size) as pilot:
            await until(pilot, lambda: all(node.ready for node in app.network.nodes.values()))
            await until(pilot, lambda: all(s.watchers or not s.contexts for s in found))
            yield app, pilot
            assert app.network.faults == 0


def run(body: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(body())  # type: ignore[arg-type]


def text(app: Dashboard) -> str:
    """What is on the screen, line by line; nothing while a screen is being made."""
    try:
        strips = app.screen._compositor.render_strips()
    except ScreenStackError:
        return ""
    return "\n".join("".join(segment.text for segment in strip) for strip in strips)


def test_overview_tells_which_context_differs() -> None:
    async def body() -> None:
        one, two = Station(1), Station(2)
        one.contexts = [ContextState(ident(1)), ContextState(ident(2), root=5)]
        two.contexts = [ContextState(ident(1)), ContextState(ident(2), root=6, pending=2)]
        async with shown(one, two) as (app, pilot):
            await until(pilot, lambda: "differs" in text(app) and "4/4 ok" in text(app))
            assert "● same" in text(app)
            assert "✗ 1 of 2 differ" in text(app)
            two.contexts[1].root, two.contexts[1].pending = 5, 0
            await until(pilot, lambda: "● 2 nodes ready" in text(app))

    run(body)


def test_a_node_that_restarts_is_shown_and_comes_back() -> None:
    async def body() -> None:
        station = Station(1)
        async with shown(station) as (app, pilot):
            await station.stop()
            await until(pilot, lambda: "reconnecting" in text(app))
            await until(pilot, lambda: "node 1 does not answer" in text(app))
            assert app.network.contexts(), "its contexts stay visible"
            await station.start()
            await until(pilot, lambda: app.network.node.ready and station.watchers == 1)
            await station.emit("After", {"n": 1})
            await until(pilot, lambda: any(row.what == "After" for row in app.network.log.shown))

    run(body)


def test_a_node_that_refuses_does_not_end_the_app() -> None:
    async def body() -> None:
        station = Station(1)
        async with shown(station) as (app, pilot):
            station.failing = True
            await until(pilot, lambda: app.network.node.last.state is State.RECONNECTING)
            station.failing = False
            await until(pilot, lambda: app.network.node.ready)
            assert app.is_running

    run(body)


def test_a_node_without_extensions_says_what_it_lacks_and_streams_events() -> None:
    async def body() -> None:
        station = Station(1, extensions=False)
        async with shown(station) as (app, pilot):
            await until(pilot, lambda: "not offered" in text(app))
            await pilot.press("3")
            await until(pilot, lambda: "does not offer peer details" in text(app))
            assert "2 connected peers" in text(app)
            await station.emit("Plain")
            await until(pilot, lambda: app.network.log.total == 1)
            station.contexts.append(ContextState(ident(9)))
            await until(pilot, lambda: len(app.network.contexts()) == 2)
            await until(pilot, lambda: station.watchers == 1)
            await until(
                pilot, lambda: app._streams[station.url] is not None and len(app._streams[station.url] or ()) == 2
            )

    run(body)


def test_contexts_screen_shows_all_about_the_chosen_one() -> None:
    async def body() -> None:
        station = Station(1)
        station.contexts.append(ContextState(ident(2), pending=1))
        async with shown(station) as (app, pilot):
            await pilot.press("2")
            await until(pilot, lambda: "head" in text(app))
            await pilot.press("down")
            await until(pilot, lambda: app.network.context_id == ident(2))
            await until(pilot, lambda: len(app.network.current_details().deltas) == 20)
            for tab, seen in [("members", "yes"), ("methods", "set(key: string"), ("deltas", ident(0, 30)[:8])]:
                app.screen.query_one("TabbedContent").active = f"tab-{tab}"  # type: ignore[attr-defined]
                await until(pilot, lambda seen=seen: seen in text(app))  # type: ignore[misc]
            app.screen.query_one("TabbedContent").active = "tab-why"  # type: ignore[attr-defined]
            await until(pilot, lambda: "waits for parents" in text(app))

    run(body)


def test_events_are_filtered_paused_and_opened() -> None:
    async def body() -> None:
        station = Station(1)
        async with shown(station) as (app, pilot):
            await pilot.press("4")
            for n in range(30):
                await station.emit("Set" if n % 2 else "Removed", {"n": n})
            await until(pilot, lambda: app.network.log.total == 30 and "n=29" in text(app))
            await pilot.press("space")
            await station.emit("Late")
            await until(pilot, lambda: "PAUSED, 1 waiting" in text(app))
            assert len(app.network.log.shown) == 30
            await pilot.press("space", "slash", *"removed", "enter")
            await until(pilot, lambda: len(app.network.log.shown) == 15)
            assert app.screen.query_one("#filter", Input).value == "removed"
            await pilot.press("up", "enter")
            await until(pilot, lambda: isinstance(app.screen, ResultScreen))
            await pilot.press("escape", "slash", "escape")
            await until(pilot, lambda: len(app.network.log.shown) == 31)
            await pilot.press("home")
            assert not app.network.log.following
            assert app.screen.query_one(EventLines).cursor == 0
            await pilot.press("c", "end", "f", "f", "x")
            assert not app.network.log.shown

    run(body)


def test_control_characters_of_an_event_do_not_reach_the_terminal() -> None:
    async def body() -> None:
        station = Station(1)
        async with shown(station) as (app, pilot):
            await pilot.press("4")
            await station.emit("\x1b[2J", {"a\x07": "\x1b]0;x\x07", "[b]": "[/nope]"})
            await until(pilot, lambda: "[/nope]" in text(app))
            assert "\x1b" not in text(app)
            assert "\x07" not in text(app)
            await pilot.press("1")
            await until(pilot, lambda: "[/nope]" in text(app))

    run(body)


def test_the_call_form_completes_checks_and_runs() -> None:
    async def body() -> None:
        station = Station(1)
        async with shown(station) as (app, pilot):
            await pilot.press("5")
            await until(pilot, lambda: "set  get  entries" in text(app))
            await pilot.press("m", "s", "e")
            await until(pilot, lambda: "set" in text(app))
            await pilot.press("right")
            await until(pilot, lambda: app.network.form.method == "set")
            assert app.screen.query_one("#args", TextArea).text == '{"key": "", "value": ""}'
            await pilot.press("ctrl+r")
            await until(pilot, lambda: "set: ok in" in text(app))
            assert station.calls[0]["argsJson"] == {"key": "", "value": ""}
            assert station.calls[0]["executorPublicKey"] == ident(1, 9)
            app.screen.query_one("#args", TextArea).text = "{oops"
            await until(pilot, lambda: "line 1, column 2" in text(app))
            await pilot.press("ctrl+r")
            assert len(station.calls) == 1
            app.screen.query_one("#args", TextArea).text = "{}"
            app.screen.query_one("#method", Input).value = "boom"
            await pilot.press("f5")
            await until(pilot, lambda: 'the method returned an error: "no"' in text(app))
            await pilot.press("escape", "c", "1")
            await until(pilot, lambda: app.current_mode == "overview")

    run(body)


def test_a_repaint_leaves_the_cursor_where_a_key_has_put_it() -> None:
    """The list is painted while the choice of the row is still on its way."""

    async def body() -> None:
        station = Station()
        station.contexts = [ContextState(ident(n)) for n in range(5)]
        async with shown(station) as (app, pilot):
            await pilot.press("2")
            await until(pilot, lambda: isinstance(app.screen, ContextsScreen))
            screen = app.screen
            assert isinstance(screen, ContextsScreen)
            grid = screen.query_one("#contexts", Grid)
            await until(pilot, lambda: grid.current is not None and screen.pointed == app.network.context_id)
            grid.move_cursor(row=3)
            screen.refresh_state()
            assert grid.cursor_row == 3
            await until(pilot, lambda: app.network.context_id == ident(3))
            app.network.context_id = ident(1)
            screen.refresh_state()
            assert grid.cursor_row == 1

    run(body)


def test_keys_behind_the_one_that_quits_are_dropped() -> None:
    async def body() -> None:
        app = Dashboard(["http://127.0.0.1:1"])
        await app.on_event(events.Key("down", None))

    run(body)


def test_a_method_chosen_among_the_contexts_is_filled_in() -> None:
    async def body() -> None:
        async with shown(Station(1)) as (app, pilot):
            await pilot.press("2")
            app.screen.query_one("TabbedContent").active = "tab-methods"  # type: ignore[attr-defined]
            await until(pilot, lambda: "entries()" in text(app))
            app.screen.query_one("#methods", Grid).focus()
            await pilot.press("down", "enter")
            await until(pilot, lambda: app.current_mode == "call" and app.network.form.method == "get")
            assert app.network.form.args == '{"key": ""}'

    run(body)


def test_peers_and_sync_screens_of_the_selected_node() -> None:
    async def body() -> None:
        one, two = Station(1), Station(2)
        async with shown(one, two) as (app, pilot):
            await pilot.press("3")
            await until(pilot, lambda: "12.3 KB" in text(app))
            await pilot.press("n")
            await until(pilot, lambda: "node 2 ·" in text(app))
            await pilot.press("p")
            await until(pilot, lambda: isinstance(app.screen, ResultScreen) and "millis" in text(app))
            await pilot.press("escape", "6")
            await until(pilot, lambda: "✗ unreachable" in text(app))
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, ResultScreen) and "generation" in text(app))
            await pilot.press("c", "escape", "s")
            await until(pilot, lambda: two.synced == [ident(1)])

    run(body)


def test_the_palette_runs_an_action_and_asks_for_its_parameters() -> None:
    async def body() -> None:
        async with shown(Station(1)) as (app, pilot):
            await pilot.press("ctrl+p")
            await pilot.pause(0.2)
            await pilot.press(*"context ls")
            await pilot.pause(0.5)
            await pilot.press("enter")
            await until(pilot, lambda: isinstance(app.screen, ResultScreen) and ident(1) in text(app))
            await pilot.press("c", "escape")
            from calimero_tui.actions.registry import ACTIONS

            app.start_action(ACTIONS.find("context leave"))
            await until(pilot, lambda: isinstance(app.screen, PromptScreen))
            await pilot.press("enter", "n", "o", "enter")
            await until(pilot, lambda: "write yes" in str(app.screen.query_one("#problem", Static).render()))
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, PromptScreen))

    run(body)


def test_help_names_the_keys_of_the_screen() -> None:
    async def body() -> None:
        async with shown(Station(1)) as (app, pilot):
            await pilot.press("4", "question_mark")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen) and "Pause" in text(app))
            await pilot.press("escape", "t")
            await pilot.pause()
            assert app.is_running

    run(body)


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12)])
def test_every_screen_draws_at_every_size(size: tuple[int, int]) -> None:
    async def body() -> None:
        async with shown(Station(1), Station(2), size=size) as (app, pilot):
            for number, (name, _) in enumerate(TABS, start=1):
                await pilot.press(str(number))
                await until(pilot, lambda name=name: app.current_mode == name and "2 nodes" in text(app))  # type: ignore[misc]

    run(body)


def test_copying_takes_the_whole_id() -> None:
    async def body() -> None:
        async with shown(Station(1)) as (app, pilot):
            await pilot.press("2")
            await until(pilot, lambda: app.screen.query_one("#contexts", Grid).current is not None)
            await pilot.press("c")
            assert app.clipboard == ident(1)
            assert app.screen.query_one("#roots", Facts) is not None

    run(body)
