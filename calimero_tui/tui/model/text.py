"""How values become text of a known width. Pure functions; nothing here knows a terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

SHORT: Final = 8
"""Characters of an id that tell it from the others of a demo and fit a column."""

BARS: Final = "▁▂▃▄▅▆▇█"
UNITS: Final = ("B", "KB", "MB", "GB", "TB")


def short(text: str, width: int = SHORT) -> str:
    """The beginning of an id with an ellipsis, or all of it where it fits."""
    return text if len(text) <= width else text[: max(1, width - 1)] + "…"


def size(count: float) -> str:
    """Bytes as people read them: ``12.3 MB``."""
    for unit in UNITS[:-1]:
        if abs(count) < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} {UNITS[-1]}"


def rate(per_second: float) -> str:
    """Events a second in at most four characters."""
    if per_second == 0:
        return "0"
    return f"{per_second:.1f}" if per_second < 100 else f"{per_second:.0f}"


def duration(seconds: float) -> str:
    """A span in its two largest units: ``3 s``, ``2 min 5 s``, ``4 h 1 min``."""
    total = int(max(0.0, seconds))
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min {total % 60} s"
    return f"{total // 3600} h {total % 3600 // 60} min"


def bars(values: Sequence[float]) -> str:
    """A line of blocks, the largest value full; empty seconds stay at the foot."""
    top = max(values, default=0.0)
    if top <= 0:
        return BARS[0] * len(values)
    return "".join(BARS[min(len(BARS) - 1, int(value / top * (len(BARS) - 1) + 0.5))] for value in values)


def count(number: int, noun: str) -> str:
    """``1 peer``, ``2 peers``."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def compact(value: Any) -> str:
    """A JSON value on one line, without control characters that would move the cursor."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return clean(text)


def pretty(value: Any) -> str:
    """A JSON value over several lines."""
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


def clean(text: str) -> str:
    """Text from outside without control characters: an escape sequence in an event must not reach the terminal."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "·" for c in text)
