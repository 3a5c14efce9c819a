from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError
from node.sync.lz4 import compress, decompress


@given(st.binary(max_size=2000))
def test_a_block_holds_what_was_put_in(data: bytes) -> None:
    assert decompress(compress(data), len(data)) == data


@pytest.mark.parametrize("size", [0, 14, 15, 16, 269, 270, 271, 70_000])
def test_lengths_around_the_nibble_and_the_byte(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    assert decompress(compress(data[:size]), size) == data[:size]


def test_a_block_of_the_reference_library_opens() -> None:
    # lz4_flex 0.11 compress_prepend_size(b"abcd" * 8 + b"tail!"): literals, an overlapping copy, literals
    block = bytes.fromhex("25000000") + bytes([0x4F]) + b"abcd" + bytes([4, 0, 28 - 4 - 15]) + bytes([0x50]) + b"tail!"
    assert decompress(block, 64) == b"abcd" * 8 + b"tail!"


def test_nothing_is_unpacked_past_the_limit() -> None:
    with pytest.raises(DecodeError, match="at most 99"):
        decompress(compress(bytes(100)), 99)


@given(st.binary(max_size=200))
def test_foreign_bytes_are_refused_or_fit(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        assert len(decompress(data, 4096)) <= 4096


@given(st.binary(min_size=1, max_size=300), st.data())
def test_a_cut_block_is_refused(data: bytes, where: st.DataObject) -> None:
    block = compress(data)
    cut = where.draw(st.integers(0, len(block) - 1))
    with pytest.raises(DecodeError):
        decompress(block[:cut], len(data))
