"""What a row of the route table says. The rows are in :mod:`node.api.routes`; who serves them is not known here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from node.api.bodies import VALIDATED, Wording
from node.api.errors import Family

__all__ = ["ADMIN", "OWN", "PARAMETERS", "Content", "Module", "Query", "Route", "SocketRoute"]

ADMIN: Final = "/admin-api"
OWN: Final = "/calimero/v1"
"""Prefix of what the reference does not have."""


class Module(Enum):
    """A part of the server that the configuration can switch off."""

    ADMIN = "admin"
    JSONRPC = "jsonrpc"
    WEBSOCKET = "websocket"
    SSE = "sse"
    ALWAYS = "always"


class Content(Enum):
    """Media type of a good answer."""

    JSON = "application/json"
    TEXT = "text/plain"
    HTML = "text/html"
    BYTES = "application/octet-stream"
    EVENTS = "text/event-stream"


@dataclass(frozen=True, slots=True)
class Query:
    """A parameter behind the question mark. ``kind`` is its JSON schema type."""

    name: str
    kind: str
    text: str
    default: int | None = None


PARAMETERS: Final[dict[str, str]] = {
    "application": "id of an application",
    "blob": "id of a blob",
    "context": "id of a context",
    "delta": "id of a delta",
    "entity": "id of an entity",
    "kind": "`context` or `application`",
    "name": "an alias",
    "package": "name of a package",
    "peer": "id of a peer",
    "proposal": "id of a proposal",
    "rest": "a path",
    "scope": "id of the context that the alias belongs to",
    "session": "number of a session",
}
"""Every name that occurs in braces in a path."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path. ``handler`` names the function that serves it.

    ``body``: model of the JSON body, None where a body is ignored. ``raw``: the handler reads the body itself.
    ``answer``: model of the JSON answer, in a ``data`` member when ``wrapped``. ``permission``: what a token must
    allow, with parameters of the path in brackets; "" means any valid token. ``statuses``: what else can be answered.
    """

    method: str
    path: str
    handler: str
    summary: str
    module: Module = Module.ADMIN
    body: Any = None
    raw: bool = False
    answer: Any = None
    wrapped: bool = True
    content: Content = Content.JSON
    query: tuple[Query, ...] = ()
    guarded: bool = True
    permission: str = ""
    family: Family = Family.JSON
    wording: Wording = VALIDATED
    statuses: tuple[int, ...] = ()
    extension: bool = False

    @property
    def parameters(self) -> tuple[str, ...]:
        """Names in braces, in order."""
        return tuple(part.strip("{*}") for part in self.path.split("/") if part.startswith("{"))

    @property
    def every_status(self) -> tuple[int, ...]:
        """All that can be answered, in order. A body is read whether the route wants one or not, so everywhere it can
        be too large, or too late (408); and everywhere there can be too many connections (503)."""
        named = {400} if self.parameters else set()
        return tuple(sorted({200, *self.statuses, *named, self.wording.too_large[1], 408, 503}))


@dataclass(frozen=True, slots=True)
class SocketRoute:
    """A WebSocket; ``handler`` names the function that serves it."""

    path: str
    handler: str
    summary: str
    module: Module
    extension: bool = False
