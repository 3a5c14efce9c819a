from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import HostError
from node.runtime.memory import BUFFER, SMALL, GuestMemory
from tests.node.runtime.machine import U64

SIZE = 100


def guest_memory(raw: bytearray | None = None) -> GuestMemory:
    raw = raw if raw is not None else bytearray(SIZE)
    return GuestMemory(memoryview(raw), lambda: memoryview(raw))


@given(st.integers(0, U64), st.integers(0, U64))
def test_a_slice_is_inside_memory_or_refused(address: int, length: int) -> None:
    memory = guest_memory()
    if address + length <= SIZE:
        assert memory.slice(address, length) == bytes(length)
    else:
        with pytest.raises(HostError, match="invalid memory access"):
            memory.slice(address, length)


@pytest.mark.parametrize(("address", "length", "good"), [(SIZE, 0, True), (SIZE + 1, 0, False), (SIZE - 1, 1, True)])
def test_edges(address: int, length: int, good: bool) -> None:
    memory = guest_memory()
    if good:
        memory.write(address, bytes(length))
        assert len(memory.slice(address, length)) == length
    else:
        with pytest.raises(HostError):
            memory.slice(address, length)
        with pytest.raises(HostError):
            memory.write(address, b"")


@pytest.mark.parametrize("pointer", [SIZE - 15, SIZE, U64, U64 - 15, 1 << 63])
def test_a_descriptor_must_be_inside(pointer: int) -> None:
    memory = guest_memory()
    for access in (memory.descriptor, memory.read):
        with pytest.raises(HostError, match="invalid memory access"):
            access(pointer)
    assert memory.descriptor(SIZE - 16) == (0, 0)


def test_a_descriptor_that_wraps_around_is_refused() -> None:
    raw = bytearray(SIZE)
    raw[:16] = (U64 - 3).to_bytes(8, "little") + (8).to_bytes(8, "little")
    with pytest.raises(HostError, match="invalid memory access"):
        guest_memory(raw).read(0)


LARGE = 4 * SMALL
LENGTHS = st.one_of(st.integers(0, 3), st.integers(SMALL - 2, SMALL + 2), st.integers(LARGE - 40, LARGE + 2))
PLACES = st.one_of(st.integers(0, 40), st.integers(LARGE - SMALL - 3, LARGE + 1), st.integers(U64 - 300, U64))


@given(PLACES, LENGTHS, PLACES, LENGTHS, st.sampled_from((SMALL - 1, SMALL, SMALL + 1, U64)))
def test_what_is_read_is_what_was_described(at: int, length: int, other: int, other_length: int, most: int) -> None:
    """Short Buffers take a path of their own: it gives the same bytes, and refuses the same ones."""
    raw = bytearray(n % 251 for n in range(LARGE))
    BUFFER.pack_into(raw, 0, at, length)
    BUFFER.pack_into(raw, 16, other, other_length)
    memory = guest_memory(raw)
    inside = at + length <= LARGE and other + other_length <= LARGE
    if length > most or other_length > most:
        with pytest.raises(HostError, match="overflow"):
            memory.read_two((0, 16), (most, most), ("key length", "value length"))
    elif inside:
        expected = bytes(raw[at : at + length]), bytes(raw[other : other + other_length])
        assert memory.read_two((0, 16), (most, most), ("a", "b")) == expected
        assert (memory.read(0, most), memory.read(16, most)) == expected
    else:
        with pytest.raises(HostError, match="invalid memory access"):
            memory.read_two((0, 16), (most, most), ("a", "b"))


@given(PLACES, LENGTHS)
def test_what_is_written_stays_inside(at: int, length: int) -> None:
    raw = bytearray(LARGE)
    memory = guest_memory(raw)
    if at + length <= LARGE:
        memory.write(at, b"\1" * length)
        assert raw == bytes(at) + b"\1" * length + bytes(LARGE - at - length)
    else:
        with pytest.raises(HostError, match="invalid memory access"):
            memory.write(at, b"\1" * length)
        assert not any(raw)


@pytest.mark.parametrize("address", [0, SIZE - 8, SIZE - 7, SIZE, U64 - 7, U64])
def test_a_word_is_written_inside(address: int) -> None:
    raw = bytearray(SIZE)
    if address <= SIZE - 8:
        guest_memory(raw).write_word(address, U64)
        assert raw[address : address + 8] == b"\xff" * 8
    else:
        with pytest.raises(HostError, match="invalid memory access"):
            guest_memory(raw).write_word(address, U64)
        assert not any(raw)


def test_short_accesses_see_growth() -> None:
    small, large = bytearray(SIZE), bytearray(b"x" * 2 * SIZE)
    BUFFER.pack_into(small, 0, SIZE, 4)
    BUFFER.pack_into(large, 0, SIZE, 4)
    for act in (
        lambda m: m.read(0),
        lambda m: m.write(SIZE, b"xxxx"),
        lambda m: m.write_word(SIZE + 8, 0x7878787878787878),
    ):
        memory = GuestMemory(memoryview(small), lambda: memoryview(large))
        assert act(memory) in (b"xxxx", None)
        assert memory.size == 2 * SIZE
    assert large[16:] == b"x" * (2 * SIZE - 16)


def test_growth_is_seen() -> None:
    raw = [bytearray(SIZE), bytearray(b"x" * 2 * SIZE)]
    memory = GuestMemory(memoryview(raw[0]), lambda: memoryview(raw[1]))
    assert memory.slice(0, SIZE) == bytes(SIZE)
    assert memory.slice(SIZE, SIZE) == b"x" * SIZE
    memory.write(2 * SIZE - 1, b"y")
    assert raw[1][-1:] == b"y"
    memory.release()
    assert memory.size == 0


def test_text_is_strict() -> None:
    raw = bytearray(b"ok\xff")
    memory = guest_memory(raw)
    assert memory.text(0, 2) == "ok"
    with pytest.raises(HostError, match="invalid UTF-8 string"):
        memory.text(0, 3)
