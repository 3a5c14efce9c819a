"""Log records on their way from a worker to the supervisor, and the filter that decides which ones travel.

A filter has the form of RUST_LOG: ``info,workers.network=debug,libp2p=warn``; the longest matching name wins.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.errors import ConfigError
from workers.messages.control import LogLine

__all__ = ["LEVELS", "ControlHandler", "LogFilter"]

LEVELS: Final = {
    "trace": logging.DEBUG,
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warn": logging.WARNING,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "off": logging.CRITICAL + 1,
}

MAX_RATE: Final = 2000
"""Log lines of one worker in a second; the rest is counted. A loop that logs must not take the node down with it."""

MAX_TEXT: Final = 16 * 1024
"""Characters of one log line; a traceback fits."""


@dataclass(frozen=True, slots=True)
class LogFilter:
    """The least level of each logger; ``rules`` from the most specific name to the least."""

    default: int
    rules: tuple[tuple[str, int], ...] = ()

    @classmethod
    def parse(cls, text: str) -> LogFilter:
        """Raises :class:`ConfigError` that names the wrong part."""
        default, rules = logging.INFO, []
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            name, _, level = part.rpartition("=")
            if level.lower() not in LEVELS:
                raise ConfigError(f"log filter {text!r}: {level!r} is no level; use one of {', '.join(LEVELS)}")
            if name:
                rules.append((name.strip(), LEVELS[level.lower()]))
            else:
                default = LEVELS[level.lower()]
        return cls(default, tuple(sorted(rules, key=lambda rule: -len(rule[0]))))

    def level_of(self, logger: str) -> int:
        for name, level in self.rules:
            if logger == name or logger.startswith(f"{name}."):
                return level
        return self.default

    @property
    def lowest(self) -> int:
        return min([self.default, *(level for _, level in self.rules)])


class ControlHandler(logging.Handler):
    """Sends records that pass the filter over the control channel. It never blocks the one who logs."""

    def __init__(
        self, send: Callable[[LogLine], None], chosen: LogFilter, *, clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__()
        self._send, self._chosen, self._clock = send, chosen, clock
        self._second = 0
        self._count = 0
        self._dropped = 0
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno < self._chosen.level_of(record.name):
            return
        if not self._admit():
            self._dropped += 1
            return
        dropped, self._dropped = self._dropped, 0
        text = self.format(record)[:MAX_TEXT]
        self._send(LogLine(record.created, record.levelname.lower(), record.name, text, dropped))

    def _admit(self) -> bool:
        second = int(self._clock())
        if second != self._second:
            self._second, self._count = second, 0
        self._count += 1
        return self._count <= MAX_RATE
