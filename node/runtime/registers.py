"""Registers: the host's side of every answer that is longer than an integer.

A map of one execution from any u64 to bytes. A failed write changes nothing.
Source: core 0.10.0: crates/runtime/src/logic/registers.rs.
"""

from __future__ import annotations

from node.runtime import faults
from node.runtime.limits import MAX_REGISTER_SIZE, MAX_REGISTERS, MAX_REGISTERS_CAPACITY, REGISTER_OVERHEAD


class Registers:
    """``data`` maps register id to content; ``used`` is the sum of lengths plus the overhead of each."""

    __slots__ = ("data", "used")

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {}
        self.used = 0

    def set(self, register: int, content: bytes) -> None:
        """Raises HostError (invalid memory access) beyond a limit."""
        size = len(content)
        old = self.data.get(register)
        if old is None:
            if len(self.data) >= MAX_REGISTERS:
                raise faults.invalid_memory_access()
            used = self.used + size + REGISTER_OVERHEAD
        else:
            used = self.used + size - len(old)
        if size > MAX_REGISTER_SIZE or used > MAX_REGISTERS_CAPACITY:
            raise faults.invalid_memory_access()
        self.data[register] = content
        self.used = used

    def get(self, register: int) -> bytes:
        try:
            return self.data[register]
        except KeyError:
            raise faults.invalid_register(register) from None
