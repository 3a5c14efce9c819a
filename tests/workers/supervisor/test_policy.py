"""Restarts and liveness, with the time as an argument."""

from __future__ import annotations

import pytest

from workers.supervisor.policy import (
    FIRST_DELAY,
    KILL_SILENT_AFTER,
    KILL_STUCK_AFTER,
    MAX_DELAY,
    MAX_RESTARTS,
    MAX_START_RESTARTS,
    SILENT_AFTER,
    WINDOW,
    Restarts,
    judge,
)


def test_delays_grow_to_a_bound_and_then_it_is_given_up() -> None:
    record = Restarts(was_ready=True)
    delays = [record.delay(float(second)) for second in range(MAX_RESTARTS)]
    assert delays[:3] == [FIRST_DELAY, FIRST_DELAY * 2, FIRST_DELAY * 4]
    assert delays[-1] == MAX_DELAY
    assert record.delay(MAX_RESTARTS) is None
    assert record.total == MAX_RESTARTS


def test_the_window_forgets() -> None:
    record = Restarts(was_ready=True)
    for _ in range(MAX_RESTARTS):
        record.delay(0.0)
    assert record.delay(WINDOW - 0.1) is None
    assert record.delay(WINDOW) == FIRST_DELAY
    assert record.total == MAX_RESTARTS + 1


def test_a_worker_that_was_never_ready_has_few_tries() -> None:
    record = Restarts()
    assert [record.delay(0.0) is None for _ in range(MAX_START_RESTARTS + 1)] == [False] * MAX_START_RESTARTS + [True]


@pytest.mark.parametrize(
    ("silent", "age", "kill"),
    [
        (SILENT_AFTER - 0.1, SILENT_AFTER - 0.1, None),
        (SILENT_AFTER, 0.0, False),
        (0.0, SILENT_AFTER, False),
        (KILL_SILENT_AFTER, 0.0, True),
        (0.0, KILL_STUCK_AFTER, True),
    ],
)
def test_judgement_at_its_edges(silent: float, age: float, kill: bool | None) -> None:
    verdict = judge(silent, age)
    assert (verdict.kill if verdict else None) == kill
