from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import HostError
from node.runtime import overlay as module
from node.runtime.limits import MAX_READ_CACHE, MAX_WRITTEN_BYTES, MAX_WRITTEN_ROWS
from node.runtime.overlay import Overlay

keys = st.sampled_from([bytes([n]) * 32 for n in range(4)])
steps = st.lists(st.tuples(keys, st.one_of(st.none(), st.binary(max_size=3), st.just("read"))), max_size=30)


@given(st.dictionaries(keys, st.binary(max_size=3)), steps)
def test_it_behaves_like_a_dictionary_and_never_writes_through(
    base: dict[bytes, bytes], changes: list[tuple[bytes, bytes | str | None]]
) -> None:
    before, expected = dict(base), dict(base)
    overlay = Overlay(base.get)
    for key, value in changes:
        if isinstance(value, str):
            assert overlay.read(key) == expected.get(key)
            continue
        overlay.write(key, value)
        if value is None:
            expected.pop(key, None)
        else:
            expected[key] = value
    assert base == before
    result = {k: v for k, v in {**base, **overlay.writes}.items() if v is not None}
    assert result == expected
    assert all(overlay.read(key) == expected.get(key) for key in before)


def test_a_row_is_fetched_once() -> None:
    asked: list[bytes] = []

    def read(key: bytes) -> bytes | None:
        asked.append(key)
        return None

    overlay = Overlay(read)
    for _ in range(3):
        assert overlay.read(b"k" * 32) is None
    assert asked == [b"k" * 32]


def test_the_read_cache_is_bounded() -> None:
    asked: list[bytes] = []
    large = bytes(MAX_READ_CACHE // 4)

    def read(key: bytes) -> bytes | None:
        asked.append(key)
        return large

    overlay = Overlay(read)
    for turn in range(2):
        for number in range(6):
            assert overlay.read(bytes([number]) * 32) is large
        assert len(asked) == 6 + turn * 3
    assert overlay.writes == {}


def test_the_number_of_rows_at_its_edge() -> None:
    overlay = Overlay(lambda _key: None)
    for number in range(MAX_WRITTEN_ROWS):
        overlay.write(number.to_bytes(32, "little"), b"")
    overlay.write(bytes(32), None)
    with pytest.raises(HostError, match="number of changed rows exceeds the limit of 100000"):
        overlay.write(MAX_WRITTEN_ROWS.to_bytes(32, "little"), b"")


def test_the_bytes_of_rows_at_their_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    assert MAX_WRITTEN_BYTES == 128 << 20
    monkeypatch.setattr(module, "MAX_WRITTEN_BYTES", 100)
    overlay = Overlay(lambda _key: None)
    overlay.write(b"a" * 32, bytes(60))
    overlay.write(b"b" * 32, bytes(40))
    overlay.write(b"a" * 32, bytes(60))
    with pytest.raises(HostError, match="bytes of changed rows"):
        overlay.write(b"c" * 32, b"x")
    overlay.write(b"a" * 32, None)
    overlay.write(b"c" * 32, bytes(60))
