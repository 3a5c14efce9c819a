"""Tells the streams of log lines that there are new ones, and counts the streams."""

from __future__ import annotations

import asyncio
from typing import Final

__all__ = ["MAX_STREAMS", "LogGrowth"]

MAX_STREAMS: Final = 32
"""Each new line costs the supervisor a question per stream; people and collectors that watch a node are few."""


class LogGrowth:
    """``next`` is set when the log grows; whoever waits takes it before it asks for lines."""

    def __init__(self) -> None:
        self.next = asyncio.Event()
        self.streams = 0

    def grew(self) -> None:
        self.next.set()
        self.next = asyncio.Event()

    def join(self) -> bool:
        """Count a stream; False when there are too many."""
        if self.streams >= MAX_STREAMS:
            return False
        self.streams += 1
        return True

    def leave(self) -> None:
        self.streams -= 1
