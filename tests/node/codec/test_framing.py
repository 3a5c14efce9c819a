"""Length frames: any cut of the stream gives the same frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.codec.framing import MAX_FRAME, FrameReader, frame
from node.errors import CodecError, DecodeError


def test_the_prefix_is_big_endian() -> None:
    assert frame(b"ab") == b"\x00\x00\x00\x02ab"
    assert frame(b"") == bytes(4)
    assert frame(bytes(78))[:4].hex() == "0000004e"


@given(st.lists(st.binary(max_size=40), max_size=5), st.data())
def test_any_cut_gives_the_same_frames(payloads: list[bytes], data: st.DataObject) -> None:
    stream, reader, found = b"".join(map(frame, payloads)), FrameReader(), list[bytes]()
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        found += reader.feed(stream[:size])
        stream = stream[size:]
    reader.finish()
    assert found == payloads


def test_byte_by_byte() -> None:
    reader = FrameReader()
    found = [frames for byte in frame(b"xyz") if (frames := reader.feed(bytes([byte])))]
    assert found == [[b"xyz"]]


def test_the_limit_is_inclusive_and_judged_by_the_length_alone() -> None:
    reader = FrameReader(limit=3)
    assert reader.feed(frame(b"abc")) == [b"abc"]
    with pytest.raises(DecodeError, match="frame of 4 bytes is above the limit 3") as caught:
        reader.feed(b"\x00\x00\x00\x04")
    assert (caught.value.offset, caught.value.field) == (7, "length")


def test_too_large_a_payload_is_not_sent() -> None:
    assert len(frame(bytes(MAX_FRAME))) == MAX_FRAME + 4
    with pytest.raises(CodecError, match="cannot be sent"):
        frame(bytes(MAX_FRAME + 1))


def test_a_stream_that_ends_inside_a_frame() -> None:
    reader = FrameReader()
    reader.feed(frame(b"a") + b"\x00\x00")
    with pytest.raises(DecodeError, match="ended 2 bytes into a frame") as caught:
        reader.finish()
    assert caught.value.offset == 5
