"""The one gate before every route, WebSocket and event stream.

A guard sees the request's scope and the row of the route table before the method is looked at and before a byte of the
body is read. Mode ``none`` (the reference's ``proxy``) lets everybody in.
core 0.10.0: crates/server/src/auth.rs.
"""

from __future__ import annotations

from typing import Protocol

from starlette.types import Scope

from node.api.route import Route, SocketRoute

__all__ = ["Guard", "OpenGuard"]


class Guard(Protocol):
    """Admits a request or raises :class:`node.errors.Unauthenticated` or :class:`node.errors.Forbidden`."""

    async def admit(self, scope: Scope, route: Route | SocketRoute) -> None: ...


class OpenGuard:
    """Everybody may do everything, as on a node behind a proxy that checks tokens."""

    async def admit(self, scope: Scope, route: Route | SocketRoute) -> None:
        return None
