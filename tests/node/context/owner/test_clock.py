"""The time that guests see: never older than the state, seldom the same on two nodes."""

from __future__ import annotations

from node.context.owner.clock import TIE_SPACE, ContextTime


def test_time_is_later_than_the_state() -> None:
    time = ContextTime(lambda: 5_000_000, 9_000_500, b"node")
    assert 9_000_500 < time() < 9_000_500 + 2 * TIE_SPACE
    time.observe(20_000_000)
    time.observe(10_000_000)
    assert time() > 20_000_000


def test_a_clock_that_is_ahead_counts() -> None:
    assert ContextTime(lambda: 50_000_000, 1, b"node")() // TIE_SPACE == 50_000


def test_nodes_seldom_tie() -> None:
    times = [ContextTime(lambda: 7_000_000, 0, bytes([n]))() for n in range(100)]
    assert len(set(times)) >= 90


def test_a_time_is_given_behind_the_mark_of_the_node() -> None:
    for latest in range(1_000_000, 1_000_000 + 2 * TIE_SPACE, 37):
        assert latest < ContextTime(lambda: 0, latest, b"node")() <= latest + 2 * TIE_SPACE
