"""The time that guests of one context see.

Entries are ordered by unix time, and the application drops a write that is older than what it holds, without an error:
a node whose clock is a little behind its peers would lose what it just acknowledged. So a guest never sees a time that
is not later than everything in the state. The last three digits of the nanoseconds name the node, so that two nodes
that write in the same microsecond do not tie; a tie goes to whoever is applied last, which differs between nodes.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final

TIE_SPACE: Final = 1000
"""Nanoseconds of a microsecond: far below the resolution that any clock is set with."""


class ContextTime:
    """Reads ``now_ns``; ``latest`` is the newest time in the state, ``node`` any bytes that differ between nodes."""

    def __init__(self, now_ns: Callable[[], int], latest: int, node: bytes) -> None:
        self._now_ns = now_ns
        self._salt = int.from_bytes(sha256(node).digest()[:4], "little") % TIE_SPACE
        self.latest = latest

    def observe(self, at: int) -> None:
        """A time that is in the state now."""
        self.latest = max(self.latest, at)

    def __call__(self) -> int:
        now = max(self._now_ns(), self.latest + 1)
        marked = now - now % TIE_SPACE + self._salt
        return marked if marked > self.latest else marked + TIE_SPACE
