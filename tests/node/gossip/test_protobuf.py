"""Varints and fields: round trips, cuts, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError
from node.gossip.protobuf import (
    as_bytes,
    as_int,
    as_text,
    bytes_field,
    decode_varint,
    encode_varint,
    prefixed,
    read_fields,
    varint_field,
)


@given(st.integers(0, 2**64 - 1))
def test_varint_round_trip_and_cuts(value: int) -> None:
    data = encode_varint(value)
    assert decode_varint(data) == (value, len(data))
    assert decode_varint(b"\xff" + data, 1) == (value, len(data) + 1)
    for end in range(len(data)):
        assert decode_varint(data[:end]) is None


@pytest.mark.parametrize("data", [b"\xff" * 10, b"\x80" * 10, b"\xff" * 9 + b"\x7f"])
def test_varint_beyond_64_bits_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError, match="varint of more than"):
        decode_varint(data)


def test_all_wire_types_are_read_in_order() -> None:
    data = varint_field(1, 300) + bytes_field(2, b"ab") + b"\x1d" + b"1234" + b"\x21" + b"12345678"
    assert list(read_fields(data, "m")) == [(1, 300), (2, b"ab"), (3, b"1234"), (4, b"12345678")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x00\x01", "field number 0"),
        (b"\x0b", "wire type 3"),
        (b"\x0a\x05ab", "past the end"),
        (b"\x08\x80", "inside a varint"),
        (b"\x0a", "inside a varint"),
        (b"\x0d123", "past the end"),
    ],
)
def test_what_is_no_message_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        list(read_fields(data, "m"))


@given(st.binary(max_size=200))
def test_random_bytes_never_raise_anything_else(data: bytes) -> None:
    try:
        for _, value in read_fields(data, "m"):
            assert isinstance(value, int | bytes)
    except DecodeError:
        pass


def test_types_are_checked() -> None:
    assert as_text(b"\xc3\xa9", "t") == "é"
    for check, value in ((as_bytes, 1), (as_int, b""), (as_text, 1), (as_text, b"\xff")):
        with pytest.raises(DecodeError):
            check(value, "t")  # type: ignore[operator]


def test_prefixed() -> None:
    assert prefixed(bytes(300))[:2] == b"\xac\x02"
