"""The short ways of the hot host functions against the table's own functions, on equal machines."""

from __future__ import annotations

import ctypes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import FunctionCallError
from node.runtime import registers as registers_module
from node.runtime.host.table import TABLE
from node.runtime.memory import SMALL
from tests.node.runtime.machine import U64, Machine
from workers.runtime.engine import capi
from workers.runtime.engine.hot import HOT
from workers.runtime.engine.linker import Switchboard, callback_of

SIZE = 2048
BUFFERS = 6
KEYS = (b"k" * 32, b"l" * 32, b"short", b"m" * 33)
STORED = {KEYS[0]: b"stored", KEYS[1]: bytes(300), b"short".ljust(32, b"\0"): b""}

pointers = st.one_of(st.integers(0, BUFFERS - 1).map(lambda n: 16 * n), st.sampled_from((SIZE - 16, SIZE - 8, U64)))
words = st.one_of(pointers, st.integers(0, 3), st.just(U64))
lengths = st.sampled_from((0, 5, 6, 8, 32, 33, SMALL, SMALL + 1, 300, 1 << 20, (1 << 20) + 1, U64))
places = st.one_of(st.sampled_from((200, 300, SIZE - 8, SIZE, U64)), st.integers(0, SIZE))
calls = st.tuples(st.sampled_from(sorted((*HOT, "input", "storage_remove"))), words, words, words)
aims = st.tuples(st.just("aim"), st.integers(0, BUFFERS - 1), places, lengths)


class Both:
    """The same steps on two machines: one through callbacks, one through the table."""

    def __init__(self) -> None:
        self.board = Switchboard()
        self.short, self.table = (self._machine() for _ in range(2))
        self.board.vm = self.short.vm
        self.slots = (ctypes.c_uint64 * 10)()
        self.callbacks = {name: callback_of(TABLE[name], self.board) for name in (*HOT, "input", "storage_remove")}

    def _machine(self) -> Machine:
        machine = Machine(size=SIZE, args=b"12345678", state=STORED.get)
        for number in range(BUFFERS):
            at = 200 + 40 * number
            machine.memory[16 * number : 16 * number + 16] = at.to_bytes(8, "little") + (32).to_bytes(8, "little")
            machine.memory[at : at + 33] = KEYS[number % 4].ljust(33, b"\0")
        return machine

    def aim(self, number: int, place: int, length: int) -> None:
        """Let a Buffer describe something else."""
        for machine in (self.short, self.table):
            machine.memory[16 * number : 16 * number + 16] = place.to_bytes(8, "little") + length.to_bytes(8, "little")

    def call(self, name: str, arguments: list[int]) -> tuple[object, object]:
        """What each answers: a result or a fault."""
        for position, argument in enumerate(arguments):
            self.slots[2 * position] = argument
        self.board.fault = None
        trap = self.callbacks[name](None, None, ctypes.addressof(self.slots), len(arguments))
        if trap:
            capi.trap_delete(trap)
        result = self.slots[0] if TABLE[name].result else None
        return (result, str(self.board.fault)), self._expected(name, arguments)

    def _expected(self, name: str, arguments: list[int]) -> tuple[object, str]:
        try:
            result = self.table.call(name, *arguments)
        except FunctionCallError as fault:
            return (arguments[0] if TABLE[name].result else None), str(fault)
        return (result if TABLE[name].result else None), "None"

    def assert_equal(self) -> None:
        assert self.short.memory == self.table.memory
        assert self.short.vm.registers.data == self.table.vm.registers.data
        assert list(self.short.vm.state.writes.items()) == list(self.table.vm.state.writes.items())


@given(st.lists(st.one_of(calls, calls, aims), min_size=1, max_size=40))
def test_the_short_way_is_the_same_way(steps: list[tuple[str, int, int, int]]) -> None:
    both = Both()
    for name, *rest in steps:
        if name == "aim":
            both.aim(*rest)
            continue
        mine, expected = both.call(name, rest[: len(TABLE[name].params)])
        assert mine == expected
        both.assert_equal()


def test_the_usual_case_takes_the_short_way() -> None:
    """There the function of the table is not called at all."""
    both = Both()
    for name, *arguments in (("input", 1), ("storage_write", 0, 16, 1), ("storage_read", 0, 1), ("time_now", 32)):
        both.aim(2, 400, 8)
        both.call(name, list(arguments))
    usual = {"storage_write": [0, 16, 1], "storage_read": [0, 1], "read_register": [1, 48], "time_now": [32]}
    assert set(usual) == set(HOT)

    def never(*_arguments: object) -> int:
        raise AssertionError("the checked callback was called")

    both.aim(3, 500, 32)
    for name, arguments in usual.items():
        both.callbacks[name] = HOT[name](never, both.board)
        mine, expected = both.call(name, arguments)
        assert mine == expected
    both.assert_equal()


def test_large_registers_end_the_short_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first large register on, the capacity is counted, also for a register that is set again."""
    monkeypatch.setattr(registers_module, "SMALL", 16)
    monkeypatch.setattr(registers_module, "MAX_REGISTERS_CAPACITY", 64)
    both = Both()
    both.call("storage_write", [0, 16, 1])
    for machine in (both.short, both.table):
        machine.vm.registers.set(1, b"")
        machine.vm.registers.set(2, bytes(48))
    assert both.call("storage_read", [0, 1]) == ((0, "invalid memory access"), (0, "invalid memory access"))
    both.assert_equal()
