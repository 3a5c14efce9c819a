"""The past of a context as a node of ours tells it: entries at a delta, differences, and who wrote what."""

from __future__ import annotations

from typing import Any, Final

from calimero_tui.client.http import Http

CONTEXTS: Final = "/calimero/v1/contexts"

Entry = dict[str, Any]
"""``entity``, ``delta``, ``author`` (None: not known), ``at`` in seconds, ``size``, ``value`` in hex (None: deleted).
"""


class Past:
    """Raises what :class:`Http` raises; a delta or context that is not on the node is ``Refused`` with status 404."""

    def __init__(self, http: Http) -> None:
        self._http = http

    async def at(self, context_id: str, delta: str) -> list[Entry]:
        """Every entry as it was right after a delta."""
        return list((await self._http.get(f"{CONTEXTS}/{context_id}/at/{delta}"))["data"]["entries"])

    async def compare(self, context_id: str, old: str, new: str) -> list[dict[str, Any]]:
        """Entries that differ between two deltas: ``entity``, ``before`` and ``after`` (None: not there)."""
        answer = await self._http.get(f"{CONTEXTS}/{context_id}/compare", old=old, new=new)
        return list(answer["data"]["entries"])

    async def blame(self, context_id: str, entity: str) -> list[Entry]:
        """Every write of an entry, newest first."""
        return list((await self._http.get(f"{CONTEXTS}/{context_id}/blame/{entity}"))["data"]["entries"])
