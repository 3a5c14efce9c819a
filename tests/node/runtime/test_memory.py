from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import HostError
from node.runtime.memory import GuestMemory
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
