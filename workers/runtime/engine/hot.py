"""The host functions that guests call most, each whole in one frame.

Nine in ten host calls of an application are one of these, with a short key and value, a row that is known and a
register that was set before. That case is done here on the spot. Anything else, every refusal included, is left to the
checked callback, which starts from the beginning: nothing is changed here before all of it is in order. No rule is
decided here; the rules are those of the table's function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from node.runtime.host.utility import TIME_LENGTH, U64_MAX
from node.runtime.memory import PUT, TAKE, put_word, words
from node.runtime.registers import SMALL

if TYPE_CHECKING:
    from workers.runtime.engine.linker import Callback, Switchboard


def read_register(checked: Callback, board: Switchboard) -> Callback:
    views = board.views

    def callback(env: int | None, caller: int | None, address: int, count: int) -> int:
        try:
            slots, vm = views[address], board.vm
            content = vm.registers.data[slots[0]]
            view = vm.memory.view
            place, length = words(view, slots[2])
            if length == len(content):
                PUT[length](view, place, content)
                slots[0] = 1
                return 0
        except BaseException:  # noqa: BLE001  # nothing may leave a callback; the checked one reports it
            return checked(env, caller, address, count)
        return checked(env, caller, address, count)

    return callback


def storage_read(checked: Callback, board: Switchboard) -> Callback:
    views = board.views

    def callback(env: int | None, caller: int | None, address: int, count: int) -> int:
        try:
            slots, vm = views[address], board.vm
            view = vm.memory.view
            place, length = words(view, slots[0])
            value = vm.state.known[TAKE[length](view, place)[0]][0]
            registers, register = vm.registers.quick, slots[2]
            if value is not None and len(value) <= SMALL and register in registers:
                registers[register] = value
                slots[0] = 1
                return 0
        except BaseException:  # noqa: BLE001  # as above: the checked one reports it
            return checked(env, caller, address, count)
        return checked(env, caller, address, count)

    return callback


def storage_write(checked: Callback, board: Switchboard) -> Callback:
    """A row that this call has written before and a value as long as that one: what is held stays as much."""
    views = board.views

    def callback(env: int | None, caller: int | None, address: int, count: int) -> int:
        try:
            slots, vm = views[address], board.vm
            view = vm.memory.view
            place, length = words(view, slots[0])
            cell = vm.state.changed[TAKE[length](view, place)[0]]
            place, length = words(view, slots[2])
            value = TAKE[length](view, place)[0]
            old, registers, register = cell[0], vm.registers.quick, slots[4]
            if old is not None and len(old) == length and register in registers:
                registers[register] = old
                cell[0] = value
                slots[0] = 1
                return 0
        except BaseException:  # noqa: BLE001  # as above: the checked one reports it
            return checked(env, caller, address, count)
        return checked(env, caller, address, count)

    return callback


def time_now(checked: Callback, board: Switchboard) -> Callback:
    """The place is tried first: the clock is read once in either case, since a reading may be recorded."""
    views = board.views

    def callback(env: int | None, caller: int | None, address: int, count: int) -> int:
        try:
            slots, vm = views[address], board.vm
            view = vm.memory.view
            place, length = words(view, slots[0])
            if length == TIME_LENGTH:
                put_word(view, place, 0)
                put_word(view, place, vm.call.now_ns() & U64_MAX)
                return 0
        except BaseException:  # noqa: BLE001  # as above: the checked one reports it
            return checked(env, caller, address, count)
        return checked(env, caller, address, count)

    return callback


HOT: Final[dict[str, Callable[[Callback, Switchboard], Callback]]] = {
    "read_register": read_register,
    "storage_read": storage_read,
    "storage_write": storage_write,
    "time_now": time_now,
}
"""By name: makes the callback from the checked one."""
