"""Where two states part, as data: the subtree, its entries on both sides, and the deltas of ours that touch them."""

from __future__ import annotations

from dataclasses import dataclass

from node.primitives import DeltaId, EntityId, Hash


@dataclass(frozen=True, slots=True)
class Side:
    """One side of an entry; ``deleted_at`` and ``updated_at`` in ns, ``size`` bytes of its value."""

    updated_at: int
    deleted_at: int | None
    full_hash: Hash
    size: int | None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that differs; a side is None where the entity never was. ``deltas`` are those of ours that touch it."""

    id: EntityId
    ours: Side | None
    theirs: Side | None
    deltas: tuple[DeltaId, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """What one look found. ``path`` runs from the root to the entity whose children differ."""

    peer: str
    looked_at: int
    ours: Hash | None = None
    theirs: Hash | None = None
    path: tuple[EntityId, ...] = ()
    entries: tuple[Entry, ...] = ()
    differing: int = 0
    error: str = ""
