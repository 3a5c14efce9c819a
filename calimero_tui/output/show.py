"""Results as text: a table or JSON on stdout, messages and progress on stderr."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from node.errors import CalimeroError

Columns = Sequence[tuple[str, str]]

_GAP: Final = "  "


def data(value: object) -> None:
    """One JSON object a line, for scripts."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n")
    sys.stdout.flush()


def result(value: Any, columns: Columns = (), *, as_json: bool = False) -> None:
    """A result of an action: JSON for scripts, a table for rows, names and values for an object."""
    if as_json:
        data(value)
    elif isinstance(value, list) and columns:
        table(value, columns)
    elif isinstance(value, Mapping):
        _pairs(value)
    elif isinstance(value, str):
        line(value)
    else:
        line(json.dumps(value, ensure_ascii=False, indent=2))


def line(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def table(rows: Iterable[Mapping[str, Any]], columns: Columns) -> None:
    """Rows under headings; as wide as they need, because ids must stay whole to be copied. On a terminal that is too
    narrow for that, names and values of one row after the other."""
    shown = list(rows)
    cells = [[_cell(row.get(key)) for _, key in columns] for row in shown]
    widths = [max([len(heading), *(len(row[n]) for row in cells)]) for n, (heading, _) in enumerate(columns)]
    if shown and sum(widths) + len(_GAP) * (len(widths) - 1) > _room():
        _blocks(shown, columns)
        return
    for row in [[heading for heading, _ in columns], *cells]:
        line(_GAP.join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _room() -> float:
    """Characters in a line of the terminal; what goes elsewhere has room enough."""
    return shutil.get_terminal_size().columns if is_terminal() else float("inf")


def _blocks(rows: Sequence[Mapping[str, Any]], columns: Columns) -> None:
    for n, row in enumerate(rows):
        if n:
            line("")
        _pairs({heading: row.get(key) for heading, key in columns})


def _pairs(value: Mapping[str, Any]) -> None:
    width = max((len(str(name)) for name in value), default=0)
    for name, item in value.items():
        for n, text in enumerate(_lines(item)):
            line(f"{str(name) if n == 0 else '':<{width}}  {text}")


def _lines(item: Any) -> list[str]:
    if isinstance(item, list) and all(not isinstance(part, list | dict) for part in item):
        return [_cell(part) for part in item] or ["none"]
    if isinstance(item, list | dict):
        return json.dumps(item, ensure_ascii=False, indent=2).splitlines()
    return [_cell(item)]


def _cell(value: Any) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.2f}".rstrip("0").rstrip(".")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return str(value) if not isinstance(value, dict) else json.dumps(value, ensure_ascii=False)


def reader_gone() -> None:
    """The reader of our output went away, e.g. `calimero … | head`: what is still buffered goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def is_terminal() -> bool:
    """Whether a person reads stdout."""
    return sys.stdout.isatty()


def note(text: str) -> None:
    """Conversation: goes to stderr, so that it never mixes with data."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def failure(error: CalimeroError, *, as_json: bool = False) -> None:
    """An error: text on stderr, or a JSON object on stdout where a script reads."""
    if as_json:
        kind = getattr(error, "kind", "") or type(error).__name__
        data({"error": {"type": kind, "message": str(error)}})
    else:
        note(f"error: {error}")


@contextmanager
def steps(title: str, *, quiet: bool = False) -> Iterator[StepReport]:
    """A line of progress that shows the current step: a spinner on a terminal, lines otherwise."""
    report = StepReport(title, quiet=quiet)
    try:
        yield report
    finally:
        report.close()


class StepReport:
    """Shows steps on stderr; call it with the text of each."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._quiet = quiet
        self._status: Any = None
        self._title = title
        if not quiet and sys.stderr.isatty():
            from rich.console import Console

            self._status = Console(stderr=True).status(title)
            self._status.start()

    def __call__(self, text: str) -> None:
        if self._quiet:
            return
        if self._status is not None:
            self._status.update(f"{self._title}: {text}")
        else:
            note(f"{self._title}: {text}")

    def close(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
