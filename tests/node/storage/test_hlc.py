"""The clock: never twice the same time, never back, and what it hears moves it on."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import InvalidDelta
from node.storage.hlc import DRIFT, ZERO, HybridClock, HybridTimestamp, check_drift, clock_id, from_ns, to_ns

SECOND = 10**9
NOW = 1_700_000_000 * SECOND


@given(st.lists(st.one_of(st.integers(0, 40_000), st.integers(-(10**12), 10**12)), max_size=200))
def test_defect_s4_times_of_one_clock_increase_strictly(steps: list[int]) -> None:
    now = [NOW]
    clock, times = HybridClock(lambda: now[0], 7), list[HybridTimestamp]()
    for step in steps:
        now[0] = max(0, now[0] + step)
        times.append(clock.next())
    assert times == sorted(set(times))


def test_defect_s4_the_counter_carries() -> None:
    clock = HybridClock(lambda: NOW, 7)
    times = [clock.next().time for _ in range(65_537)]
    assert times[65_535] & 0xFFFF == 0xFFFF
    assert times[65_536] == times[65_535] + 1


def test_defect_s4_a_heard_time_moves_the_clock_on() -> None:
    clock = HybridClock(lambda: NOW, 7)
    ahead = HybridTimestamp(from_ns(NOW) + 1000, 9)
    clock.observe(ahead)
    assert clock.next().time > ahead.time
    clock.observe(HybridTimestamp(5, 9))
    assert clock.next().time > ahead.time


def test_defect_s4_the_reference_repeats_itself_within_a_quantum() -> None:
    now = [NOW]
    clock = HybridClock(lambda: now[0], 7, reference=True)
    first = clock.next()
    now[0] += 1
    assert clock.next() == first


def test_the_drift_limit_is_inclusive() -> None:
    edge = from_ns(NOW) + DRIFT
    check_drift(HybridTimestamp(edge, 1), NOW)
    with pytest.raises(InvalidDelta, match=r"5\.0 s ahead of the local clock, at most 5 s"):
        check_drift(HybridTimestamp(edge + 1, 1), NOW)


def test_a_timestamp_has_24_bytes_and_a_text() -> None:
    stamp = HybridTimestamp(0x1_0000_0007, 0xAB)
    assert HybridTimestamp.parse(bytes(stamp)) == stamp
    assert str(stamp) == f"{0x1_0000_0007}#ab"
    assert (stamp.seconds_ns, stamp.counter) == (SECOND, 7)
    assert bytes(ZERO) == bytes(8) + b"\x01" + bytes(15)


def test_a_clock_has_no_zero_id() -> None:
    assert clock_id(bytes(32)) == 1
    assert clock_id(b"\x02" + bytes(31)) == 2


@given(st.integers(0, 2**62))
def test_ns_survive_up_to_the_resolution(now: int) -> None:
    assert 0 <= now - to_ns(from_ns(now)) <= 1
