"""Through the dashboard: the forms of the actions that its palette starts, and a person's keys."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Input

from calimero_tui.actions.registry import ACTIONS
from calimero_tui.tui.app import Dashboard
from calimero_tui.tui.screens.dialogs import PromptScreen, ResultScreen
from tests.life.apps import CALLS, COSTLY, LIMIT, application, words

CLOSING = 10
"""Seconds for it at most."""

pytestmark = pytest.mark.timeout(LIMIT)


class Person:
    """Who sits before the dashboard. Every wait ends with the test's time-out at the latest."""

    def __init__(self, app: Dashboard) -> None:
        self._app = app

    def _press(self, key: str) -> None:
        """Without the pilot's wait for an idle process, which a dashboard of a running network seldom is."""
        self._app.simulate_key(key)

    async def until(self, check: Callable[[], bool]) -> None:
        while not check():  # noqa: ASYNC110 - what it waits for is drawn by other tasks
            await asyncio.sleep(0.02)

    async def turn_to(self, number: int) -> None:
        """Press the key for the next node until it is the one."""
        urls = list(self._app.network.nodes)
        while self._app.network.selected != urls[number]:
            before = self._app.network.selected
            self._press("n")
            await self.until(lambda before=before: self._app.network.selected != before)  # type: ignore[misc]

    async def act(self, name: str, **fields: str) -> Any:
        """Start an action as the palette does, fill in its form, and read the result that is shown."""
        self._app.start_action(ACTIONS.find(name))
        await self.until(lambda: isinstance(self._app.screen, PromptScreen | ResultScreen))
        if isinstance(self._app.screen, PromptScreen):
            await self._fill_in(fields)
        await self.until(lambda: isinstance(self._app.screen, ResultScreen))
        screen = self._app.screen
        assert isinstance(screen, ResultScreen)
        text = screen._text
        self._press("escape")
        await self.until(lambda: self._app.screen is not screen)
        return json.loads(text) if text.startswith(("{", "[", '"')) else text

    async def _fill_in(self, fields: dict[str, str]) -> None:
        screen = self._app.screen
        await self.until(lambda: isinstance(screen.focused, Input))
        boxes = list(screen.query(Input))
        assert set(fields) <= {str(box.id).removeprefix("field-") for box in boxes}
        for box in boxes:
            await self.until(lambda box=box: screen.focused is box)  # type: ignore[misc]
            box.value = fields.get(str(box.id).removeprefix("field-"), "")
            self._press("enter")


@pytest.mark.parametrize("name", COSTLY)
def test_a_context_lives_in_the_dashboard(urls: list[str], name: str, tmp_path: Path) -> None:
    async def body() -> None:
        dashboard = Dashboard(urls)
        async with dashboard.run_test(size=(120, 40)) as pilot:
            person = Person(dashboard)
            await person.until(lambda: all(node.ready for node in dashboard.network.nodes.values()))
            await pilot.press("2")
            await person.until(lambda: dashboard.current_mode == "contexts")
            await _live(person, name, tmp_path)
            assert dashboard.network.faults == 0
        await _let_go()

    asyncio.run(body())


async def _let_go() -> None:
    """Streams of events are closed with a handshake, which the end of the loop would break off."""
    rest = asyncio.all_tasks() - {asyncio.current_task()}
    if rest:
        await asyncio.wait(rest, timeout=CLOSING)


async def _live(person: Person, name: str, folder: Path) -> None:
    wanted = CALLS[name]
    await person.turn_to(0)
    app = (await person.act("app install", source=str(application(name, folder))))["application"]
    context = (await person.act("context create", application=app))["context"]
    await person.turn_to(1)
    invitee = (await person.act("identity new"))["public_key"]
    await person.turn_to(0)
    invitation = (await person.act("context invite", invitee=invitee, context=context))["invitation"]
    await person.turn_to(1)
    joined = await person.act("context join", invitation=invitation)
    assert joined == {"context": context, "member": invitee}
    while (await person.act("context inspect", context=context))["state"] != "ready":
        pass
    await person.act("call", method=wanted.method, args=words(wanted.args), context=context)
    await person.turn_to(0)
    view = {"method": wanted.view, "args": words(wanted.view_args), "context": context}
    while not wanted.is_seen(await person.act("call", **view)):
        pass
    for number in (1, 0):
        await person.turn_to(number)
        left = await person.act("context leave", context=context, confirm="yes")
        assert left["deleted"] is True
        gone = await person.act("context inspect", context=context)
        assert "Context not found" in gone
        await person.act("app uninstall", application=app, confirm="yes")
