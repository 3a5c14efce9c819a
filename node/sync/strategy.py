"""Which strategy a session takes: one table, read from the top, first match wins.

The reference has seven protocols and estimates that leave three of them reachable; this table has what its wire offers
and decides by what both sides really have. Nothing here talks to anybody.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from node.primitives import DeltaId
from node.sync.ports import Heads


class Strategy(StrEnum):
    """What a session does after both sides named root and heads."""

    NOTHING = "nothing"
    SNAPSHOT = "snapshot"
    IN_SYNC = "in sync"
    DELTAS = "deltas"
    TREE = "tree"
    WAIT = "wait"
    ELSEWHERE = "elsewhere"
    AHEAD = "ahead"


@dataclass(frozen=True, slots=True)
class View:
    """Both sides at one moment. ``unknown`` are heads of the peer that are neither applied nor waiting here,
    ``absent`` wanted deltas that the peer said in this session it does not have."""

    ours: Heads
    theirs: Heads
    unknown: tuple[DeltaId, ...] = ()
    absent: int = 0
    lost: bool = False
    """Every peer that can be asked said so."""
    parted: bool = False
    """Both sides stayed as they were although the peer could have fetched what it lacks."""

    @property
    def equal_roots(self) -> bool:
        return self.ours.root == self.theirs.root

    @property
    def equal_heads(self) -> bool:
        return _real(self.ours.heads) == _real(self.theirs.heads)

    @property
    def settling(self) -> bool:
        """Deltas wait here although no parent is missing: the owner is at it, or their application is."""
        return self.ours.pending > 0 and not self.ours.missing

    @property
    def wants_deltas(self) -> bool:
        return bool(self.unknown or self.ours.missing)


def _real(heads: tuple[DeltaId, ...]) -> set[DeltaId]:
    return {head for head in heads if not head.is_zero}


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the table."""

    when: Callable[[View], bool]
    strategy: Strategy
    because: str


RULES: Final[tuple[Rule, ...]] = (
    Rule(lambda v: v.theirs.root.is_zero, Strategy.NOTHING, "the peer has no state"),
    Rule(lambda v: v.ours.root.is_zero, Strategy.SNAPSHOT, "there is no state here"),
    Rule(lambda v: v.wants_deltas and not v.absent, Strategy.DELTAS, "deltas are missing here"),
    Rule(lambda v: v.equal_roots, Strategy.IN_SYNC, "the roots are equal"),
    Rule(lambda v: v.settling, Strategy.WAIT, "deltas that are here are being applied"),
    Rule(lambda v: v.absent > 0 and not v.lost, Strategy.ELSEWHERE, "the peer lacks deltas that others may have"),
    Rule(lambda v: v.absent > 0, Strategy.TREE, "no peer has the deltas behind this state"),
    Rule(lambda v: v.equal_heads, Strategy.TREE, "the histories are equal and the states are not"),
    Rule(lambda v: v.parted, Strategy.TREE, "both sides know each other's deltas and the states differ"),
    Rule(lambda v: True, Strategy.AHEAD, "everything of the peer is known here"),
)


def choose(view: View) -> Rule:
    """The first rule that matches; the last one always does."""
    return next(rule for rule in RULES if rule.when(view))
