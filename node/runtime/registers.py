"""Registers: the host's side of every answer that is longer than an integer.

A map of one execution from any u64 to bytes. A failed write changes nothing.
Source: core 0.10.0: crates/runtime/src/logic/registers.rs.
"""

from __future__ import annotations

from typing import Final

from node.runtime import faults
from node.runtime.limits import MAX_REGISTER_SIZE, MAX_REGISTERS, MAX_REGISTERS_CAPACITY, REGISTER_OVERHEAD

SMALL: Final = MAX_REGISTERS_CAPACITY // MAX_REGISTERS - REGISTER_OVERHEAD
"""Registers of this size, as many as there may be, stay within the capacity."""


class Registers:
    """``data`` maps register id to content. ``quick`` is the same mapping as long as all registers have been small, and
    an empty one afterwards: what it has may be set to anything up to SMALL at once."""

    __slots__ = ("data", "quick")

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {}
        self.quick = self.data

    def set(self, register: int, content: bytes) -> None:
        """Raises HostError (invalid memory access) beyond a limit.

        As long as every register is small, no number of them reaches the capacity, and nothing is summed up.
        """
        data = self.quick
        if len(content) <= SMALL and (register in data or (len(data) < MAX_REGISTERS and data is self.data)):
            data[register] = content
        else:
            self._set_checked(register, content)

    @property
    def used(self) -> int:
        """Bytes that count towards the capacity."""
        return sum(len(content) + REGISTER_OVERHEAD for content in self.data.values())

    def _set_checked(self, register: int, content: bytes) -> None:
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
        if size > SMALL:
            self.quick = {}

    def get(self, register: int) -> bytes:
        try:
            return self.data[register]
        except KeyError:
            raise faults.invalid_register(register) from None
