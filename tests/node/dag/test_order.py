"""Parents before children, whatever the order of arrival."""

from __future__ import annotations

from node.dag.delta import Link
from node.dag.order import topological
from node.primitives import GENESIS, DeltaId


def did(n: int) -> DeltaId:
    return DeltaId(n.to_bytes(32, "big"))


def test_topological_order_leaves_a_cycle_out() -> None:
    cycle = [Link(did(8), (did(9),)), Link(did(9), (did(8),))]
    chain = [Link(did(2), (did(1),)), Link(did(1), (GENESIS,))]
    assert [link.id for link in topological(cycle + chain)] == [did(1), did(2)]
