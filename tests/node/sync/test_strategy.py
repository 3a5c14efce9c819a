"""The decision table, line by line."""

from __future__ import annotations

import pytest

from node.primitives import ZERO_ROOT, DeltaId, Hash
from node.sync.ports import Heads
from node.sync.strategy import Strategy, View, choose

A, B = Hash(b"\x0a" * 32), Hash(b"\x0b" * 32)
X, Y = DeltaId(b"\x01" * 32), DeltaId(b"\x02" * 32)
NONE = Heads(ZERO_ROOT, ())

CASES = [
    (View(NONE, NONE), Strategy.NOTHING),
    (View(Heads(A, (X,)), NONE), Strategy.NOTHING),
    (View(NONE, Heads(A, (X,))), Strategy.SNAPSHOT),
    (View(Heads(A, (X,)), Heads(B, (Y,)), unknown=(Y,)), Strategy.DELTAS),
    (View(Heads(A, (X,), 1, (Y,)), Heads(A, (X,))), Strategy.DELTAS),
    (View(Heads(A, (X,)), Heads(A, (X,))), Strategy.IN_SYNC),
    (View(Heads(A, (X,)), Heads(A, (Y,)), absent=1), Strategy.IN_SYNC),
    (View(Heads(A, (X,), 2), Heads(B, (Y,))), Strategy.WAIT),
    (View(Heads(A, (X,)), Heads(B, (Y,)), absent=1), Strategy.ELSEWHERE),
    (View(Heads(A, (X,)), Heads(B, (Y,)), absent=1, lost=True), Strategy.TREE),
    (View(Heads(A, (X,)), Heads(B, (X,))), Strategy.TREE),
    (View(Heads(A, (X, DeltaId.zero())), Heads(B, (X,))), Strategy.TREE),
    (View(Heads(A, (X, Y)), Heads(B, (X,))), Strategy.AHEAD),
    (View(Heads(A, (X, Y)), Heads(B, (X,)), parted=True), Strategy.TREE),
]


@pytest.mark.parametrize(("view", "strategy"), CASES)
def test_the_table(view: View, strategy: Strategy) -> None:
    assert choose(view).strategy is strategy


def test_defect_y1_equal_heads_with_different_roots_are_repaired() -> None:
    assert choose(View(Heads(A, (X,)), Heads(B, (X,)))).strategy is Strategy.TREE
