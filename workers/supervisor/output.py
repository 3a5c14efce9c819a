"""Log lines of all workers on standard error: for people on a terminal, JSON elsewhere."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable
from typing import Final, TextIO

from node.api.history import History
from workers.logs import LogFilter
from workers.messages.control import LogLine

__all__ = ["LogOutput", "SupervisorHandler"]

COLOURS: Final = {"debug": "\x1b[2m", "warning": "\x1b[33m", "error": "\x1b[31m", "critical": "\x1b[1;31m"}
RESET: Final = "\x1b[0m"
LEVEL_WIDTH: Final = 5
RECENT: Final = 5000
RECENT_BYTES: Final = 4 << 20
"""Lines, and characters of them, that are kept for whoever looks at the node through its API."""

SHORT: Final = {"warning": "WARN", "critical": "FATAL"}


class LogOutput:
    """Writes lines; a reader that went away does not stop the node."""

    def __init__(self, stream: TextIO | None = None, *, form: str = "auto") -> None:
        self._stream = stream or sys.stderr
        terminal = self._stream.isatty()
        self._json = form == "json" or (form == "auto" and not terminal)
        self._colour = terminal and not self._json
        self.recent = History(RECENT, RECENT_BYTES)
        self.on_line: Callable[[], None] = lambda: None
        """Called behind each line; must write none itself."""

    def write(self, worker: str, line: LogLine) -> None:
        row = as_json(worker, line)
        self.recent.add(row)
        self.on_line()
        text = row if self._json else as_text(worker, line, colour=self._colour)
        try:
            self._stream.write(text + "\n")
            self._stream.flush()
        except (OSError, ValueError):
            return


def as_json(worker: str, line: LogLine) -> str:
    row: dict[str, object] = {
        "at": _stamp(line.at),
        "level": line.level,
        "worker": worker,
        "logger": line.logger,
        "text": line.text,
    }
    if line.dropped:
        row["dropped"] = line.dropped
    return json.dumps(row, ensure_ascii=False)


def as_text(worker: str, line: LogLine, *, colour: bool) -> str:
    level = SHORT.get(line.level, line.level.upper()).ljust(LEVEL_WIDTH)
    lost = f" ({line.dropped} lines before it were dropped)" if line.dropped else ""
    text = f"{_stamp(line.at)[11:23]} {level} {worker:<10} {_printable(line.text)}{lost}"
    start = COLOURS.get(line.level, "") if colour else ""
    return f"{start}{text}{RESET}" if start else text


def _printable(text: str) -> str:
    """What a peer or an application wrote must not drive the terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else f"\\x{ord(c):02x}" for c in text)


def _stamp(at: float) -> str:
    whole = int(at)
    millis = int((at - whole) * 1000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(whole))}.{millis:03}Z"


class SupervisorHandler(logging.Handler):
    """The supervisor's own records, in the same form."""

    def __init__(self, output: LogOutput, chosen: LogFilter) -> None:
        super().__init__()
        self._output, self._chosen = output, chosen
        self.setFormatter(logging.Formatter())

    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= self._chosen.level_of(record.name):
            line = LogLine(record.created, record.levelname.lower(), record.name, self.format(record))
            self._output.write("supervisor", line)
