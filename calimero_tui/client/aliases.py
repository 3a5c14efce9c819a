"""Names that a node keeps for contexts, applications, and identities of a context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from calimero_tui.client.paths import ADMIN

if TYPE_CHECKING:
    from calimero_tui.client.http import Http

KINDS: Final = {"context": "contextId", "application": "applicationId", "identity": "identity"}
"""What can be named, and how a body calls its id."""


class Aliases:
    """The aliases of a node. ``context_id`` is the context of an identity, None for the other kinds."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def add(self, kind: str, name: str, target: str, context_id: str | None) -> None:
        await self._http.post(f"{ADMIN}/alias/create/{_scoped(kind, context_id)}", {"alias": name, KINDS[kind]: target})

    async def ls(self, kind: str, context_id: str | None) -> dict[str, str]:
        return dict((await self._http.get(f"{ADMIN}/alias/list/{_scoped(kind, context_id)}"))["data"])

    async def find(self, kind: str, name: str, context_id: str | None) -> str | None:
        path = f"{ADMIN}/alias/lookup/{_scoped(kind, context_id)}/{quote(name, safe='')}"
        found = (await self._http.post(path))["data"]["value"]
        return None if found is None else str(found)

    async def delete(self, kind: str, name: str, context_id: str | None) -> None:
        await self._http.post(f"{ADMIN}/alias/delete/{_scoped(kind, context_id)}/{quote(name, safe='')}")


def _scoped(kind: str, context_id: str | None) -> str:
    return kind if context_id is None else f"{kind}/{context_id}"
