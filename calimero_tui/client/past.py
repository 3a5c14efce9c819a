"""The past of a context as a node of ours tells it: entries at a delta, differences, and who wrote what."""

from __future__ import annotations

from typing import Any, Final

from calimero_tui.client.http import Http

CONTEXTS: Final = "/calimero/v1/contexts"

LENGTH: Final = 4
"""Bytes of the length before a text, least first."""

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


def readable(raw: bytes) -> str:
    """The texts in some bytes, each behind its length as the storage writes it; hex where there is none."""
    parts, at = [], 0
    while at + LENGTH < len(raw):
        text = _text_at(raw, at)
        parts += [text] if text else []
        at += LENGTH + len(text.encode()) if text else 1
    return " · ".join(parts) if parts else (raw.hex() or "empty")


def _text_at(raw: bytes, at: int) -> str:
    """The text whose length stands at a place, or nothing."""
    start = at + LENGTH
    end = start + int.from_bytes(raw[at:start], "little")
    try:
        text = raw[start:end].decode() if start < end <= len(raw) else ""
    except UnicodeDecodeError:
        return ""
    return text if text.isprintable() else ""
