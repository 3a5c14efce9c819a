"""Comparing the children of an entity, serving what another node lacks, adopting heads."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.context.owner.repair import MAX_BITS, MAX_SAMPLE, Buckets, bits_for, bucket_of
from node.errors import NotFound
from node.primitives import DeltaId
from tests.node.context.owner.world import Node, made


def pair() -> tuple[Node, Node]:
    alice, bob = Node(1), Node(2)
    alice.create([alice.public, bob.public])
    bob.copy_of(alice)
    return alice, bob


def test_lacking_gives_what_is_not_behind_in_an_order_that_applies() -> None:
    alice, bob = pair()
    have = bob.owner.state.meta.dag_heads
    deltas = [made(alice.call("set", {"k": str(n)})) for n in range(10)]
    found = alice.owner.repair.lacking(have, 6, 1 << 20)
    assert [raw[:32] for raw in found] == [delta.id for delta in deltas[:6]]
    assert alice.owner.repair.lacking(alice.owner.state.meta.dag_heads, 6, 1 << 20) == []


def test_lacking_stops_at_its_bytes() -> None:
    alice, bob = pair()
    for n in range(5):
        alice.call("set", {"k": str(n)})
    assert len(alice.owner.repair.lacking(bob.owner.state.meta.dag_heads, 100, 1)) == 1


def test_a_sample_shows_the_fork_to_a_peer_that_knows_none_of_our_heads() -> None:
    alice, bob = pair()
    shared = [made(alice.call("set", {"k": str(n)})) for n in range(200)]
    for delta in shared:
        bob.give(delta)
    ours = [made(alice.call("set", {"a": str(n)})) for n in range(40)]
    for n in range(40):
        bob.call("set", {"b": str(n)})
    sample = bob.owner.repair.sample()
    assert sample[0] == bob.owner.state.meta.dag_heads[0]
    assert len(sample) < 40
    found = [raw[:32] for raw in alice.owner.repair.lacking(sample, 100, 1 << 20)]
    assert found[-40:] == [delta.id for delta in ours]
    assert len(found) - 40 <= 40 / 4 + 2  # a quarter of what is behind the fork


def test_a_sample_is_bounded_and_of_a_fresh_context_holds_what_there_is() -> None:
    alice, bob = pair()
    assert bob.owner.repair.sample() == bob.owner.state.meta.dag_heads
    for n in range(2 * MAX_SAMPLE):
        alice.call("set", {"k": str(n)})
    assert len(alice.owner.repair.sample()) < MAX_SAMPLE


def test_heads_are_adopted_only_under_the_same_root() -> None:
    alice, bob = pair()
    delta = made(alice.call("set", {"k": "v"}))
    with pytest.raises(NotFound):
        bob.owner.adopt_heads(alice.root, [delta.id])
    view = bob.owner.adopt_heads(bob.root, [delta.id])
    assert delta.id in view.heads
    assert set(bob.restart().heads().heads) == set(view.heads)


def test_an_adopted_head_releases_what_waited_for_it() -> None:
    alice, bob = pair()
    first, second = made(alice.call("set", {"a": "1"})), made(alice.call("set", {"b": "2"}))
    assert bob.give(second, alice).pending == [second.id]
    bob.owner.adopt_heads(bob.root, [first.id])
    while bob.owner.busy:
        bob.owner.work(lambda done: None)
    assert bob.owner.heads().pending == 0
    assert bob.value("b") == "2"


@given(st.integers(0, 1 << 20))
def test_buckets_hold_few_children(children: int) -> None:
    bits = bits_for(children)
    assert 0 <= bits <= MAX_BITS
    assert children >> bits <= 16 or bits == MAX_BITS


def test_ids_spread_over_buckets() -> None:
    rng = random.Random(1)
    assert {bucket_of(rng.randbytes(32), 4) for _ in range(500)} == set(range(16))
    assert bucket_of(b"\xff" * 32, 0) == 0


def test_only_different_buckets_differ() -> None:
    left = Buckets(1, b"a" * 8 + b"b" * 8)
    assert left.differing(left) == []
    assert left.differing(Buckets(1, b"a" * 8 + b"c" * 8)) == [1]


def test_lacking_passes_a_checkpoint_that_the_peer_does_not_name() -> None:
    """A node that joined by snapshot knows the fork as a checkpoint only, and the peer's sample leaves it out."""
    alice, bob = pair()
    fork = made(alice.call("set", {"k": "v"}))
    bob.give(fork)
    root = bob.owner.state.meta.root_hash
    bob.owner.adopt_heads(root, [head := DeltaId(b"\x07" * 32)])
    assert bob.owner.delta(head) is None
    deltas = [made(bob.call("set", {"b": str(n)})) for n in range(3)]
    found = bob.owner.repair.lacking(alice.owner.state.meta.dag_heads, 100, 1 << 20)
    assert [raw[:32] for raw in found] == [delta.id for delta in deltas]
