"""What the view of a delta shows: which delta, against which other one, and the entries that differ.

Values are the raw bytes of the storage, since only the application knows their types; texts in them are shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from calimero_tui.client.past import readable
from calimero_tui.tui.model.columns import Cell, Column, Row
from node.primitives import to_base58

Json = Mapping[str, Any]
Line = tuple[str, str]

BEGINNING: Final = to_base58(bytes(32))
"""The zero id: the parent of a first delta."""

CHANGES: Final = (
    Column("entity", "entry", 10, 20),
    Column("before", "before", 14, 40),
    Column("after", "after", 14, 60),
    Column("by", "written by", 10, 20, rank=1),
)


@dataclass(slots=True)
class DeltaView:
    """Which delta is looked at. ``deltas`` newest first, as the window brought them; ``marked`` is compared with."""

    deltas: Sequence[Json]
    place: int
    parent: int = 0
    marked: str = ""
    whole: bool = False
    """All entries at the delta, not only those that differ."""

    @property
    def delta(self) -> str:
        return str(self.deltas[self.place]["id"])

    @property
    def parents(self) -> list[str]:
        return [str(parent) for parent in self.deltas[self.place].get("parents") or ()] or [BEGINNING]

    @property
    def base(self) -> str:
        """The delta that is compared with."""
        return self.marked if self.marked and self.marked != self.delta else self.parents[self.parent]

    def move(self, steps: int) -> None:
        """To an older (positive) or newer delta."""
        self.place = max(0, min(len(self.deltas) - 1, self.place + steps))
        self.parent = 0

    def next_parent(self) -> None:
        self.parent = (self.parent + 1) % len(self.parents)

    def mark(self) -> None:
        """Compare the others with this delta from now on; marking it again ends that."""
        self.marked = "" if self.marked == self.delta else self.delta

    def title(self) -> list[Line]:
        author = str(self.deltas[self.place].get("author") or "an author that is not known here")
        lines = [(f"delta   {self.delta}", "accent"), (f"by      {author}", "")]
        if self.whole:
            return [*lines, ("shows   every entry as it was right after it", "dim")]
        return [*lines, (f"against {self.base}  ({self._why()})", "dim")]

    def _why(self) -> str:
        if self.base == self.marked:
            return "marked"
        if self.base == BEGINNING:
            return "the beginning"
        count = len(self.parents)
        return "its parent" if count == 1 else f"parent {self.parent + 1} of {count}"


def change_rows(entries: Sequence[Json]) -> list[Row]:
    """One row for each entry of a comparison; what is new, gone or changed has a tone of its own."""
    return [_change(str(row["entity"]), row.get("before"), row.get("after")) for row in entries]


def entry_rows(entries: Sequence[Json]) -> list[Row]:
    """One row for each entry of a state, deleted ones included."""
    return [_change(str(row["entity"]), None, row) for row in entries]


def _change(entity: str, before: Json | None, after: Json | None) -> Row:
    there, left = _value(before), _value(after)
    tone = "good" if before is None else "bad" if after is None or after.get("value") is None else "warn"
    writer = (after or before or {}).get("author")
    cells = {
        "entity": Cell(entity, "accent"),
        "before": Cell(there, "dim"),
        "after": Cell(left, tone),
        "by": Cell(str(writer or "-")),
    }
    return Row(entity, cells, entity)


def _value(version: Json | None) -> str:
    if version is None:
        return "-"
    return "deleted" if version.get("value") is None else readable(bytes.fromhex(str(version["value"])))


def write_lines(entity: str, writes: Sequence[Json]) -> list[Line]:
    """Every write of an entry, newest first: when, by whom, in which delta."""
    if not writes:
        return [(f"no delta on this node writes {entity}", "dim")]
    lines: list[Line] = [(f"writes of {entity}, newest first", "accent")]
    for number, row in enumerate(writes):
        who = row.get("author") or "not known: it came with the state"
        lines.append((f"{moment(float(row['at']))}  {_value(row)}", "" if number else "good"))
        lines.append((f"    by {who} in {row['delta']}", "dim"))
    return lines


def moment(seconds: float) -> str:
    """A time of the storage, which is UTC."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
