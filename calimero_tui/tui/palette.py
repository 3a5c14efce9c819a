"""The command palette: every action of the registry, on the selected node."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, cast

from textual.command import DiscoveryHit, Hit, Hits, Provider

from calimero_tui.actions.base import Action
from calimero_tui.actions.registry import ACTIONS

if TYPE_CHECKING:
    from calimero_tui.tui.app import Dashboard


class ActionCommands(Provider):
    """Actions by name and help text."""

    async def discover(self) -> Hits:
        for action in ACTIONS.actions.values():
            yield DiscoveryHit(action.name, self._start(action), help=action.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for action in ACTIONS.actions.values():
            score = max(matcher.match(action.name), matcher.match(action.help) * 0.5)
            if score > 0:
                yield Hit(score, matcher.highlight(action.name), self._start(action), help=action.help)

    def _start(self, action: Action) -> Callable[[], None]:
        return partial(cast("Dashboard", self.app).start_action, action)
