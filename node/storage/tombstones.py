"""Sweeping old tombstones out of a context's state.

A tombstone is in no child list, so no hash depends on it. One that is younger than the retention must stay: a late
older write would bring the entity back. A sweep looks at a bounded number of rows and says where to go on, so that it
never holds up the owner of the context.
Source: core 0.10.0: crates/node/src/gc.rs (which reads the whole column at once).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from node.errors import DecodeError
from node.storage.index import IndexNode

RETENTION_NS: Final = 86_400_000_000_000
"""One day; a member that was away for longer takes a snapshot."""

INTERVAL_NS: Final = 43_200_000_000_000
"""Between two sweeps: twelve hours."""

SWEEP_ROWS: Final = 10_000
"""Rows of one slice: about 20 ms."""

_TAIL: Final = 9
"""Bytes of the deletion time at the end of an index row, with its tag."""


@dataclass(slots=True)
class Sweep:
    """Keys to remove, rows looked at, and the last key if there may be more."""

    expired: list[bytes] = field(default_factory=list)
    seen: int = 0
    cursor: bytes | None = None


def sweep(
    rows: Iterable[tuple[bytes, bytes]], now_ns: int, *, retention_ns: int = RETENTION_NS, limit: int = SWEEP_ROWS
) -> Sweep:
    """Look at up to ``limit`` rows (state key, value) in key order; start the next slice behind ``cursor``."""
    result = Sweep()
    for key, value in rows:
        if result.seen == limit:
            return result
        result.seen += 1
        result.cursor = key
        deleted_at = deletion_time(value)
        if deleted_at is not None and now_ns - deleted_at > retention_ns:
            result.expired.append(key)
    result.cursor = None
    return result


def deletion_time(value: bytes) -> int | None:
    """When the entity of an index row was deleted, in ns; None for a living one and for any other row."""
    if len(value) <= _TAIL or value[-_TAIL] != 1:
        return None
    try:
        return IndexNode.decode(value).deleted_at
    except DecodeError:
        return None
