"""The nearest names to a mistyped one. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def near(name: str, known: Iterable[str]) -> str:
    """A hint: the names that are meant most likely, or all where they are few."""
    names = list(known)
    found = difflib.get_close_matches(name, names, 2, 0.5)
    return f"did you mean {' or '.join(found)}?" if found else f"there are: {', '.join(names) or 'none'}"
