"""What an action is: a name, typed parameters, a handler over a node's public API, and how its result is shown.

An action never prints and never asks. It answers JSON data; the columns say how people see it. Nothing here imports a
surface or the HTTP library, so building a command line from the registry costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from node.errors import Refused

if TYPE_CHECKING:
    from calimero_tui.client.node import Node


class Kind(StrEnum):
    """The type of a parameter's value."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    FLAG = "flag"
    JSON = "json"
    PATH = "path"


class Source(StrEnum):
    """Where completions of a parameter come from."""

    CONTEXTS = "contexts"
    APPLICATIONS = "applications"
    METHODS = "methods"
    OWNED = "owned identities"
    MEMBERS = "members"
    PEERS = "peers"
    BLOBS = "blobs"
    FILES = "files"
    ACTIONS = "actions"


class Missing:
    """The default of a parameter that must be given."""

    def __repr__(self) -> str:
        return "required"


REQUIRED: Final = Missing()


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument. ``option``: written ``--name value`` on a command line instead of by position."""

    name: str
    help: str
    kind: Kind = Kind.TEXT
    default: object = REQUIRED
    source: Source | None = None
    option: bool = False

    @property
    def required(self) -> bool:
        return self.default is REQUIRED

    def read(self, text: str) -> object:
        """A value from the text that a person typed. Raises :class:`Refused` naming the parameter."""
        try:
            return _READERS[self.kind](text)
        except ValueError as error:
            raise Refused(f"{self.name}: {text!r} is no {self.kind}: {error}", kind="argument") from error


def _flag(text: str) -> bool:
    values = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if text.lower() not in values:
        raise ValueError("write true or false")
    return values[text.lower()]


_READERS: Final[Mapping[Kind, Callable[[str], object]]] = {
    Kind.TEXT: str,
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.FLAG: _flag,
    Kind.JSON: json.loads,
    Kind.PATH: str,
}


@dataclass(slots=True)
class Session:
    """Whom an action talks to, and what it falls back to when a context or executor is not given."""

    node: Node
    context_id: str | None = None
    executor: str | None = None


Arguments = Mapping[str, Any]
Handler = Callable[[Session, Arguments], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Action:
    """A named operation. ``columns`` are (heading, key) pairs for rows; ``confirm`` asks before it destroys."""

    name: str
    help: str
    handler: Handler
    parameters: tuple[Parameter, ...] = ()
    columns: tuple[tuple[str, str], ...] = ()
    example: str = ""
    confirm: bool = False
    changes: bool = False

    @property
    def group(self) -> str:
        return self.name.partition(" ")[0]

    @property
    def verb(self) -> str:
        return self.name.partition(" ")[2]

    def arguments(self, given: Mapping[str, object]) -> dict[str, object]:
        """Given values over defaults. Raises :class:`Refused` for an unknown or missing one."""
        known = {parameter.name: parameter for parameter in self.parameters}
        for name in given:
            if name not in known:
                offered = ", ".join(known) or "none"
                raise Refused(f"{self.name} has no parameter {name!r}; it has: {offered}", kind="argument")
        found = {}
        for name, parameter in known.items():
            value = given.get(name, parameter.default)
            if value is REQUIRED:
                raise Refused(f"{self.name} needs {name}: {parameter.help}", kind="argument")
            found[name] = value
        return found

    async def run(self, session: Session, given: Mapping[str, object]) -> Any:
        """Carry the action out. Raises a :class:`~node.errors.ClientError` with a message for a person."""
        return await self.handler(session, self.arguments(given))


@dataclass(slots=True)
class Registry:
    """All actions by name."""

    actions: dict[str, Action] = field(default_factory=dict)

    def action(
        self,
        name: str,
        help: str,  # noqa: A002 - the word that every command line uses
        *parameters: Parameter,
        columns: tuple[tuple[str, str], ...] = (),
        example: str = "",
        confirm: bool = False,
        changes: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare a handler as an action."""

        def declare(handler: Handler) -> Handler:
            if name in self.actions:
                raise ValueError(f"two actions are called {name!r}")
            self.actions[name] = Action(name, help, handler, parameters, columns, example, confirm, changes)
            return handler

        return declare

    def find(self, name: str) -> Action:
        """Raises :class:`Refused` with the nearest names."""
        found = self.actions.get(name)
        if found is None:
            raise Refused(f"there is no action {name!r}; {self._near(name)}", kind="argument")
        return found

    def groups(self) -> dict[str, list[Action]]:
        found: dict[str, list[Action]] = {}
        for action in self.actions.values():
            found.setdefault(action.group, []).append(action)
        return found

    def _near(self, name: str) -> str:
        import difflib

        near = difflib.get_close_matches(name, self.actions, 3, 0.4)
        return f"did you mean {' or '.join(near)}?" if near else "`help` lists all"
