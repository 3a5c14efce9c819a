from __future__ import annotations

import pytest

from node.errors import HostError
from node.runtime.limits import MAX_REGISTER_SIZE, MAX_REGISTERS, MAX_REGISTERS_CAPACITY, REGISTER_OVERHEAD
from node.runtime.registers import Registers

REFUSED = "invalid memory access"


def test_the_number_of_registers_at_its_edge() -> None:
    registers = Registers()
    for number in range(MAX_REGISTERS):
        registers.set((1 << 64) - 1 - number, b"")
    with pytest.raises(HostError, match=REFUSED):
        registers.set(0, b"")
    registers.set((1 << 64) - 1, b"overwritten")
    assert registers.get((1 << 64) - 1) == b"overwritten"
    assert len(registers.data) == MAX_REGISTERS


def test_the_size_of_a_register_at_its_edge() -> None:
    registers = Registers()
    registers.set(0, bytes(MAX_REGISTER_SIZE))
    with pytest.raises(HostError, match=REFUSED):
        registers.set(0, bytes(MAX_REGISTER_SIZE + 1))
    assert len(registers.get(0)) == MAX_REGISTER_SIZE


def test_the_capacity_at_its_edge() -> None:
    """Ten registers of the largest size, and one that takes what is left, overhead included."""
    registers, shared = Registers(), bytes(MAX_REGISTER_SIZE)
    for number in range(10):
        registers.set(number, shared)
    left = MAX_REGISTERS_CAPACITY - registers.used - REGISTER_OVERHEAD
    with pytest.raises(HostError, match=REFUSED):
        registers.set(10, bytes(left + 1))
    registers.set(10, bytes(left))
    assert registers.used == MAX_REGISTERS_CAPACITY
    with pytest.raises(HostError, match=REFUSED):
        registers.set(11, b"")
    registers.set(0, b"")
    registers.set(11, b"room again")


def test_a_register_that_was_never_set() -> None:
    registers = Registers()
    with pytest.raises(HostError, match="invalid register id: 18446744073709551615"):
        registers.get((1 << 64) - 1)
    registers.set(5, b"")
    assert registers.get(5) == b""
