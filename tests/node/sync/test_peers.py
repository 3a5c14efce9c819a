"""Whom to ask next, and whom to leave alone."""

from __future__ import annotations

import random
from collections import Counter

from node.primitives import ContextId, PublicKey
from node.sync.kernel import SECOND
from node.sync.peers import FAILURES_BEFORE_PAUSE, MAX_PAUSE, MAX_PEERS, PeerBook

CONTEXT = ContextId(b"\x01" * 32)


def book(*peers: str) -> PeerBook:
    made = PeerBook(random.Random(1))
    for peer in peers:
        made.subscribed(CONTEXT, peer)
    return made


def test_defect_y18_each_peer_comes_first_equally_often() -> None:
    peers = book("a", "b", "c")
    first = Counter(peers.candidates(CONTEXT, 0)[0] for _ in range(3000))
    assert all(900 < first[peer] < 1100 for peer in "abc")


def test_defect_d18_the_third_failure_pauses_and_the_pause_doubles() -> None:
    peers = book("a")
    for _ in range(FAILURES_BEFORE_PAUSE - 1):
        peers.failed(CONTEXT, "a", 0, "no")
    assert peers.candidates(CONTEXT, 0) == ["a"]
    peers.failed(CONTEXT, "a", 0, "no")
    assert peers.candidates(CONTEXT, 1 * SECOND - 1) == []
    peers.failed(CONTEXT, "a", 0, "no")
    assert peers.candidates(CONTEXT, 2 * SECOND - 1) == []
    for _ in range(40):
        peers.failed(CONTEXT, "a", 0, "no")
    assert peers.candidates(CONTEXT, MAX_PAUSE) == ["a"]


def test_success_and_a_sign_of_life_end_a_pause() -> None:
    peers = book("a")
    for _ in range(5):
        peers.failed(CONTEXT, "a", 0, "no")
    peers.forgive(CONTEXT, "a")
    assert peers.candidates(CONTEXT, 0) == ["a"]
    peers.succeeded(CONTEXT, "a", 0, "in sync")
    peers.failed(CONTEXT, "a", 0, "no")
    assert peers.candidates(CONTEXT, 0) == ["a"]


def test_a_proof_counts_while_its_identity_is_a_member() -> None:
    peers, member = book("a"), PublicKey(b"\x02" * 32)
    peers.proved(CONTEXT, "a", member)
    assert peers.has_proved(CONTEXT, "a", [member])
    assert not peers.has_proved(CONTEXT, "a", [])
    assert peers.holders(CONTEXT, member) == ["a"]


def test_strangers_do_not_fill_the_book() -> None:
    peers = book("friend")
    for number in range(MAX_PEERS + 10):
        peers.standing(CONTEXT, f"stranger{number}")
    assert len(peers.of(CONTEXT)) == MAX_PEERS
    assert "friend" in peers.of(CONTEXT)
