"""Snapshot pages: records, pages, bursts, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError
from node.sync.page import MAX_PAGE, decode_page, encode_burst, pack_rows, split_rows, unpack_rows

ROWS = st.dictionaries(st.binary(min_size=32, max_size=32), st.binary(max_size=300), max_size=30).map(
    lambda found: sorted(found.items())
)


@given(ROWS, st.integers(1, 2000))
def test_rows_survive_a_burst(rows: list[tuple[bytes, bytes]], limit: int) -> None:
    pages = [decode_page(page) for page in encode_burst(split_rows(rows, limit), None)]
    assert [row for page in pages for row in page.rows] == rows
    assert [page.last for page in pages] == [False] * (len(pages) - 1) + [True]


def test_only_the_last_page_of_a_burst_carries_the_cursor() -> None:
    rows = [(bytes([n]) * 32, b"v" * 50) for n in range(4)]
    burst = encode_burst(split_rows(rows, 100), b"\x03" * 32)
    assert [page.cursor is None for page in burst] == [True, True, True, False]
    assert [(page.sent_count, page.page_count) for page in burst] == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_an_empty_state_is_one_empty_page() -> None:
    (page,) = encode_burst([], None)
    assert (page.uncompressed_len, page.page_count, page.sent_count) == (0, 0, 0)
    assert decode_page(page).last


def test_a_larger_row_gets_a_page_of_its_own() -> None:
    rows = [(b"\x01" * 32, b"a"), (b"\x02" * 32, b"b" * 500), (b"\x03" * 32, b"c")]
    assert [len(page) for page in split_rows(rows, 100)] == [1, 1, 1]


def test_defect_y14_sizes_must_agree_and_stay_below_the_cap() -> None:
    (page,) = encode_burst([[(b"\x01" * 32, b"value")]], None)
    with pytest.raises(DecodeError, match="Size mismatch"):
        decode_page(replace(page, uncompressed_len=page.uncompressed_len + 1))
    with pytest.raises(DecodeError, match="at most"):
        decode_page(replace(page, uncompressed_len=MAX_PAGE + 1))


def test_keys_must_ascend_and_records_be_whole() -> None:
    raw = pack_rows([(b"\x02" * 32, b"v"), (b"\x01" * 32, b"v")])
    with pytest.raises(DecodeError, match="ascend"):
        unpack_rows(raw)
    with pytest.raises(DecodeError):
        unpack_rows(raw[:36])
