"""The peer book: bounds, back-off, scores. Time is a number."""

from __future__ import annotations

from workers.network import limits
from workers.network.peers import PeerBook


def test_the_freshest_address_is_first_and_their_number_bounded() -> None:
    book = PeerBook()
    for number in range(limits.MAX_ADDRESSES_PER_PEER + 5):
        book.learn("p", f"/ip4/10.0.0.1/tcp/{number}")
    book.learn("p", "/ip4/10.0.0.1/tcp/10")
    addresses = book.entry("p").addresses
    assert len(addresses) == limits.MAX_ADDRESSES_PER_PEER
    assert addresses[:2] == ["/ip4/10.0.0.1/tcp/10", "/ip4/10.0.0.1/tcp/20"]


def test_unwanted_peers_are_forgotten_first() -> None:
    book = PeerBook()
    book.entry("kept").keep = True
    for number in range(limits.MAX_KNOWN_PEERS):
        book.entry(str(number))
    assert book.get("kept") is not None
    assert book.get("0") is None
    assert book.get("1") is not None


def test_back_off_doubles_to_its_limit_and_starts_again_after_a_connection() -> None:
    book = PeerBook()
    book.learn("p", "/ip4/10.0.0.1/tcp/1")
    book.entry("p").keep = True
    assert book.due(set(), 0.0) == ["p"]
    assert book.due({"p"}, 0.0) == []
    now, waits = 0.0, []
    while now < 1200:
        book.dial_failed("p", now, jitter=0.5)
        waits.append(book.next_due(set()) - now)
        now = book.next_due(set())
    assert waits[:3] == [limits.REDIAL_FIRST * times for times in (1, 2, 4)]
    assert waits[-1] == limits.REDIAL_LIMIT
    assert book.due(set(), now - 0.01) == []
    book.connected("p")
    book.lost("p", 100.0)
    assert book.next_due(set()) == 100.0 + limits.REDIAL_FIRST


def test_a_peer_that_is_gone_for_a_minute_is_dialled_again_within_three_seconds() -> None:
    book = PeerBook()
    book.learn("p", "/ip4/10.0.0.1/tcp/1")
    book.entry("p").keep = True
    book.lost("p", now := 1000.0)
    while now < 1060:
        now = book.next_due(set())
        book.dial_failed("p", now, jitter=1.0)
    assert book.next_due(set()) - now < 3.0


def test_nothing_is_due_without_an_address_or_a_wish() -> None:
    book = PeerBook()
    book.entry("a").keep = True
    book.learn("b", "/ip4/10.0.0.1/tcp/1")
    assert book.due(set(), 0.0) == []
    assert book.next_due(set()) == float("inf")


def test_scores_halve_and_the_limit_bans_once() -> None:
    book = PeerBook()
    assert not book.refuse("p", "x", limits.SCORE_DISCONNECT - 1, 0.0)
    assert book.score("p", limits.SCORE_HALF_LIFE) == (limits.SCORE_DISCONNECT - 1) / 2
    assert book.refuse("p", "x", 1, 0.0)
    assert not book.refuse("p", "y", 1, 0.0)
    assert book.banned("p", limits.BAN_TIME - 0.1)
    assert not book.banned("p", limits.BAN_TIME)
    assert book.entry("p").refusals == {"x": 2, "y": 1}
    assert book.score("unknown", 0.0) == 0.0
    assert not book.banned("unknown", 0.0)
