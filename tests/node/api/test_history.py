from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from node.api.history import History, Page


def filled(count: int, max_events: int = 100, max_bytes: int = 10_000) -> History:
    history = History(max_events, max_bytes)
    for number in range(1, count + 1):
        assert history.add(f"e{number}") == number
    return history


def test_pages_follow_each_other() -> None:
    history = filled(5)
    first = history.page(0, 3)
    assert first == Page(["e1", "e2", "e3"], 3, lost=False)
    assert history.page(first.cursor, 3) == Page(["e4", "e5"], 5, lost=False)
    assert history.page(5, 3) == Page([], 5, lost=False)


def test_only_so_many_are_kept_and_the_loss_is_told() -> None:
    history = filled(10, max_events=3)
    assert len(history) == 3
    assert history.page(0, 10) == Page(["e8", "e9", "e10"], 10, lost=True)
    assert history.page(7, 10) == Page(["e8", "e9", "e10"], 10, lost=False)


def test_a_cursor_of_an_earlier_process_starts_anew() -> None:
    assert filled(2).page(99, 10) == Page(["e1", "e2"], 2, lost=True)


def test_large_events_push_others_out() -> None:
    history = History(100, 10)
    history.add("x" * 6)
    history.add("y" * 6)
    assert len(history) == 1
    history.add("z" * 50)
    assert history.page(2, 10).events == ["z" * 50]


@given(st.lists(st.integers(0, 8), max_size=40), st.integers(1, 10))
def test_a_reader_that_keeps_up_misses_nothing(sizes: list[int], limit: int) -> None:
    history, cursor, seen, lost = History(5, 20), 0, [], False
    texts = [f"{number}:{'x' * size}" for number, size in enumerate(sizes)]
    for text in texts:
        history.add(text)
        page = history.page(cursor, limit)
        seen += page.events
        cursor, lost = page.cursor, lost or page.lost
    assert lost or seen == texts
