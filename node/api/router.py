"""Finds the route of a path. A path is matched part by part, a fixed part before a parameter; nothing is guessed: a
slash at the end never matches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from node.api.errors import Refusal
from node.api.route import ADMIN, Route

__all__ = ["PREFIXED", "Match", "Router"]

PREFIXED: Final = ("/jsonrpc", "/ws", ADMIN, "/admin-dashboard")
"""What stands below the path prefix of a node, if it has one; the reference leaves the rest where it is."""


@dataclass(frozen=True, slots=True)
class Match:
    """The routes of a path by method, and the parts of the path that stand for parameters."""

    methods: dict[str, Route]
    values: tuple[str, ...]

    def route(self, method: str) -> Route | None:
        """HEAD is answered wherever GET is."""
        return self.methods.get("GET" if method == "HEAD" else method)

    def parameters(self, route: Route) -> dict[str, str]:
        """Decoded values by name. Raises :class:`Refusal` for bytes that are no text."""
        return {
            name: _decoded(name, value)
            for name, value in zip(route.parameters, self.values, strict=True)
        }  # fmt: skip

    @property
    def allow(self) -> str:
        """The value of the ``Allow`` header."""
        return ",".join(name for method in self.methods for name in (("GET", "HEAD") if method == "GET" else (method,)))


@dataclass(slots=True)
class _Node:
    fixed: dict[str, _Node] = field(default_factory=dict)
    parameter: _Node | None = None
    methods: dict[str, Route] = field(default_factory=dict)
    rest: dict[str, Route] = field(default_factory=dict)


class Router:
    """Routes below ``prefix``, where the reference puts them there."""

    def __init__(self, routes: Iterable[Route], prefix: str = "") -> None:
        self._root = _Node()
        for route in routes:
            own = prefix if route.path.startswith(PREFIXED) else ""
            self._add((own + route.path).strip("/").split("/"), route)

    def find(self, path: str) -> Match | None:
        """``path`` as it was sent, still percent-encoded, without the query."""
        if not path.startswith("/"):
            return None
        return _search(self._root, path[1:].split("/"), 0, ())

    def _add(self, parts: list[str], route: Route) -> None:
        node = self._root
        for part in parts:
            if part.startswith("{*"):
                node.rest[route.method] = route
                return
            node = _child(node, part)
        node.methods[route.method] = route


def _child(node: _Node, part: str) -> _Node:
    if part.startswith("{"):
        node.parameter = node.parameter or _Node()
        return node.parameter
    return node.fixed.setdefault(part, _Node())


def _search(node: _Node, parts: list[str], at: int, values: tuple[str, ...]) -> Match | None:
    if at == len(parts):
        return Match(node.methods, values) if node.methods else None
    fixed = node.fixed.get(parts[at])
    found = None if fixed is None else _search(fixed, parts, at + 1, values)
    if found is None and node.parameter is not None and parts[at]:
        found = _search(node.parameter, parts, at + 1, (*values, parts[at]))
    if found is None and node.rest:
        found = Match(node.rest, (*values, "/".join(parts[at:])))
    return found


_ESCAPE: Final = re.compile(rb"%([0-9a-fA-F]{2})")


def _decoded(name: str, value: str) -> str:
    try:
        return _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), value.encode("latin-1")).decode()
    except UnicodeDecodeError as error:
        raise Refusal(f"Invalid URL: Invalid UTF-8 in `{name}`", 400) from error
