"""The shell without a terminal: runs one line against a node and shows the result. It knows no prompt."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from calimero_tui.actions.base import Action, Parameter, Session, Source
from calimero_tui.actions.registry import ACTIONS
from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from calimero_tui.output import show
from calimero_tui.repl.asking import ask, types_of
from calimero_tui.repl.complete import Snapshot
from calimero_tui.repl.own import OWN, Own
from calimero_tui.repl.parse import Form, Line, Types, parse
from node.errors import Refused, Unreachable

Command = Action | Own
FORMS: Mapping[str, Command] = {**ACTIONS.actions, **OWN}
"""Every command: the registry's actions and the shell's own."""

ASKED: Final = frozenset(Source) - {Source.FILES, Source.ACTIONS}
"""Sources whose values the node knows."""

Agree = Callable[[str], Awaitable[bool]]
"""Asks the user a question of yes or no."""


class Shell:
    """State between lines: the node, the chosen context and identity, and what completions need."""

    def __init__(self, url: str, *, as_json: bool = False, http: Callable[[str], Http] = Http) -> None:
        self.as_json = as_json
        self.done = False
        self.stale = True
        """Whether the snapshot may be out of date."""
        self.snapshot = Snapshot()
        self.lines: list[str] = []
        self.agree: Agree | None = None
        """Set where somebody can be asked; without it only ``--yes`` agrees."""
        self._http = http
        self.session = self._session(url)

    async def run(self, line: str) -> None:
        """Carry out a line. Raises :class:`~node.errors.CalimeroError` with a message for a person."""
        command = await self._understood(line)
        if command is None:
            return
        self.lines.append(line.strip())
        given = {**command.given, **{p.name: self._id(p, command.given[p.name]) for p in _given(command)}}
        try:
            if isinstance(command.form, Own):
                await command.form.handler(self, given)
            else:
                await self._act(command.form, given, agreed=command.yes)
        except Unreachable:
            self.stale = True
            raise

    async def connect(self, url: str) -> None:
        """Turn to another node, when one answers there."""
        session = self._session(url)
        try:
            await session.node.health()
        except BaseException:
            await session.node.close()
            raise
        await self.close()
        self.session, self.snapshot, self.stale = session, Snapshot(), True

    async def refresh(self) -> None:
        """Take a new snapshot for completions."""
        self.snapshot, self.stale = await ask(self.session), False

    async def close(self) -> None:
        await self.session.node.close()

    def result(self, value: object, columns: tuple[tuple[str, str], ...] = ()) -> None:
        show.result(value, columns, as_json=self.as_json)

    def _session(self, url: str) -> Session:
        return Session(Node(self._http(node_url(url))))

    async def _act(self, action: Action, given: dict[str, object], *, agreed: bool) -> None:
        if action.confirm and not agreed:
            await self._confirm(action)
        try:
            self.result(await action.run(self.session, given), action.columns)
        finally:
            self.stale = self.stale or (action.changes and not _calls(action))

    async def _confirm(self, action: Action) -> None:
        if self.agree is None or not await self.agree(f"{action.help}? This cannot be undone."):
            raise Refused(f"{action.name} destroys data and was not confirmed; add --yes to do so", kind="argument")

    async def _understood(self, line: str) -> Line[Command] | None:
        """The command of a line; where what the node has decides how it is read, the node is asked first."""
        command = parse(line, FORMS, self.snapshot.methods)
        if command is None or not any(p.source in ASKED for p in _given(command)):
            return command
        if self.stale:
            await self.refresh()
        return parse(line, FORMS, await self._types(command))

    async def _types(self, command: Line[Command]) -> Types:
        """Types of the methods of the context that the command is about."""
        about = next((p for p in _given(command) if p.source is Source.CONTEXTS), None)
        if about is None or not any(p.source is Source.METHODS for p in _given(command)):
            return self.snapshot.methods
        return await types_of(self.session, str(self._id(about, command.given[about.name])))

    def _id(self, parameter: Parameter, value: object) -> object:
        """The id that an alias stands for; any other value as it is."""
        aliases = self.snapshot.aliases.get(parameter.source, {}) if parameter.source else {}
        return aliases.get(str(value), value)


def _calls(action: Action) -> bool:
    """Whether an action calls a method: that changes state, but nothing that completions come from."""
    return any(parameter.source is Source.METHODS for parameter in action.parameters if not parameter.option)


def _given(command: Line[Command]) -> list[Parameter]:
    return [parameter for parameter in command.form.parameters if parameter.name in command.given]


def node_url(text: str) -> str:
    """The address of a node; ``http://`` may be left out. Raises :class:`Refused`."""
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        valid = False
    if not valid:
        raise Refused(f"{text!r} is no address of a node; write one like http://127.0.0.1:2528", kind="argument")
    return url.rstrip("/")


def forms() -> Mapping[str, Form]:
    """All commands as the completer reads them."""
    return dict[str, Any](FORMS)
