"""Control, registers, identity, input and output. Source: core 0.10.0: .../logic/host_functions/system.rs."""

from __future__ import annotations

from typing import Final, NoReturn

from node.runtime import faults
from node.runtime.limits import MAX_LOG_SIZE, MAX_LOGS, MAX_RETURN
from node.runtime.logic import VMLogic
from node.runtime.memory import LOCATION, VALUE_RETURN

ABSENT: Final = (1 << 64) - 1
"""Length of a register that was never set."""

TAG_OK: Final = 0
TAG_ERR: Final = 1


def panic(vm: VMLogic, location: int) -> NoReturn:
    address, length, line, column = vm.memory.unpack(LOCATION, location)
    raise faults.guest_panic("explicit panic", vm.memory.text(address, length), line, column)


def panic_utf8(vm: VMLogic, message: int, location: int) -> NoReturn:
    text = vm.memory.descriptor(message)
    address, length, line, column = vm.memory.unpack(LOCATION, location)
    raise faults.guest_panic(vm.memory.text(*text), vm.memory.text(address, length), line, column)


def register_len(vm: VMLogic, register: int) -> int:
    content = vm.registers.data.get(register)
    return ABSENT if content is None else len(content)


def read_register(vm: VMLogic, register: int, target: int) -> int:
    memory = vm.memory
    address, length = memory.descriptor(target)
    content = vm.registers.data.get(register)
    if content is None:
        raise faults.invalid_register(register)
    if len(content) != length:
        return 0
    memory.write(address, content)
    return 1


def context_id(vm: VMLogic, register: int) -> None:
    vm.registers.set(register, vm.call.context_id)


def executor_id(vm: VMLogic, register: int) -> None:
    vm.registers.set(register, vm.call.executor)


def input(vm: VMLogic, register: int) -> None:  # noqa: A001  # the ABI's name
    vm.registers.set(register, vm.call.args)


def value_return(vm: VMLogic, value: int) -> None:
    tag, address, length = vm.memory.unpack(VALUE_RETURN, value)
    if tag not in (TAG_OK, TAG_ERR):
        raise faults.invalid_memory_access()
    if length > MAX_RETURN:
        raise faults.too_much("bytes of the return value", MAX_RETURN)
    vm.returned = (tag == TAG_OK, vm.memory.slice(address, length))


def log_utf8(vm: VMLogic, message: int) -> None:
    address, length = vm.memory.descriptor(message)
    _append_log(vm, vm.memory.text(address, length), length)


def js_std_d_print(vm: VMLogic, _context: int, address: int, length: int) -> int:
    """The pointer is raw, not that of a descriptor; invalid UTF-8 is replaced, and the length counts afterwards."""
    text = vm.memory.slice(address, length).decode(errors="replace")
    _append_log(vm, text, len(text.encode()))
    return 0


def _append_log(vm: VMLogic, text: str, size: int) -> None:
    if len(vm.logs) >= MAX_LOGS:
        raise faults.overflow("logs")
    if size > MAX_LOG_SIZE:
        raise faults.overflow("log size")
    vm.logs.append(text)
