"""The shape of a delta: which ancestries are possible at all."""

from __future__ import annotations

import pytest

from node.dag.delta import MAX_PARENTS, ZERO_HLC, CausalDelta, Kind, Link, check_parents, checkpoint, links
from node.errors import InvalidDelta
from node.primitives import GENESIS, DeltaId, Hash


def did(n: int) -> DeltaId:
    return DeltaId(n.to_bytes(32, "big"))


def test_one_parent_and_genesis_are_accepted() -> None:
    check_parents(Link(did(1), (GENESIS,)))
    check_parents(Link(did(2), (did(1),)))
    check_parents(Link(did(4), (did(2), did(3))))


@pytest.mark.parametrize(
    ("parents", "words"),
    [
        ((), "no parents"),
        ((did(1),), "its own parent"),
        ((did(2), did(2)), "twice"),
        ((did(2), GENESIS), "beside real parents"),
    ],
)
def test_impossible_ancestries_are_refused(parents: tuple[DeltaId, ...], words: str) -> None:
    with pytest.raises(InvalidDelta, match=words):
        check_parents(Link(did(1), parents))


def test_the_zero_id_is_no_delta() -> None:
    with pytest.raises(InvalidDelta, match="zero id"):
        check_parents(Link(GENESIS, (did(1),)))


def test_parent_limit_at_its_edge() -> None:
    check_parents(Link(did(1), tuple(did(n) for n in range(2, MAX_PARENTS + 2))))
    with pytest.raises(InvalidDelta, match=str(MAX_PARENTS)):
        check_parents(Link(did(1), tuple(did(n) for n in range(2, MAX_PARENTS + 3))))


def test_a_checkpoint_has_no_actions_and_the_zero_clock() -> None:
    made = checkpoint(did(5), Hash(bytes([7]) * 32))
    assert made == CausalDelta(did(5), (GENESIS,), bytes(4), ZERO_HLC, Hash(bytes([7]) * 32), None, Kind.CHECKPOINT)


def test_links_drop_the_payload() -> None:
    assert links([CausalDelta(did(1), (GENESIS,), b"payload")]) == [Link(did(1), (GENESIS,))]
