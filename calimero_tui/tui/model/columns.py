"""Which columns of a table fit into a width, and how wide each is. Pure: the terminal's width comes in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

GAP: Final = 2
"""Cells that a table puts around the text of a column."""


@dataclass(frozen=True, slots=True)
class Column:
    """``key`` names the cell of a row. It takes ``width`` cells, and up to ``full`` where there is room.

    Columns with a higher ``rank`` leave first when the terminal is narrow; rank 0 always stays.
    """

    key: str
    label: str
    width: int
    full: int = 0
    rank: int = 0


@dataclass(frozen=True, slots=True)
class Cell:
    """A text and a style class of the theme: "", good, warn, bad, dim, accent."""

    text: str
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. ``key`` is stable over refreshes; ``id`` is what "copy" copies."""

    key: str
    cells: Mapping[str, Cell]
    id: str = ""


def layout(columns: Sequence[Column], width: int) -> list[tuple[Column, int]]:
    """The columns that fit, in their order, each with its width; slack goes to those that can use it."""
    kept = list(columns)
    while len(kept) > 1 and _needed(kept) > width:
        last = max(kept, key=lambda column: column.rank)
        if last.rank == 0:
            break
        kept.remove(last)
    slack = max(0, width - _needed(kept))
    found = []
    for column in kept:
        extra = min(slack, max(0, column.full - column.width))
        slack -= extra
        found.append((column, column.width + extra))
    return found


def _needed(columns: Sequence[Column]) -> int:
    return sum(column.width + GAP for column in columns)


def fit(text: str, width: int) -> str:
    """Text cut to a width, with an ellipsis where something is missing."""
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"
