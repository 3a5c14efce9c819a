"""Rows of the synchronised and of the private column.

The guest's key is padded with zeros to 32 bytes. A longer one names no row: it reads as absent and writes nothing,
as in the reference. Source: core 0.10.0: .../host_functions/storage.rs, crates/context/src/handlers/execute/storage.rs.
"""

from __future__ import annotations

from node.runtime import faults
from node.runtime.limits import MAX_STORAGE_KEY, MAX_STORAGE_VALUE, STATE_KEY_LENGTH
from node.runtime.logic import VMLogic
from node.runtime.memory import Descriptor
from node.runtime.overlay import Overlay


def storage_read(vm: VMLogic, key: int, register: int) -> int:
    return _read(vm, vm.state, _row_key(vm, vm.memory.descriptor(key)), register)


def storage_write(vm: VMLogic, key: int, value: int, register: int) -> int:
    key_at, value_at = vm.memory.descriptor(key), vm.memory.descriptor(value)
    row_key = _row_key(vm, key_at, value_at)
    content = vm.memory.slice(*value_at)
    if row_key is None:
        return 0
    old = vm.state.read(row_key)
    vm.state.write(row_key, content)
    return _answer(vm, register, old)


def storage_remove(vm: VMLogic, key: int, register: int) -> int:
    return _remove(vm, vm.state, _row_key(vm, vm.memory.descriptor(key)), register)


def private_storage_read(vm: VMLogic, key: int, register: int) -> int:
    return _read(vm, vm.private, _row_key(vm, vm.memory.descriptor(key)), register)


def private_storage_write(vm: VMLogic, key: int, value: int) -> int:
    """1 also for a key that names no row: only a missing column answers 0."""
    key_at, value_at = vm.memory.descriptor(key), vm.memory.descriptor(value)
    row_key = _row_key(vm, key_at, value_at)
    content = vm.memory.slice(*value_at)
    if vm.private is None:
        return 0
    if row_key is not None:
        vm.private.write(row_key, content)
    return 1


def private_storage_remove(vm: VMLogic, key: int, register: int) -> int:
    return _remove(vm, vm.private, _row_key(vm, vm.memory.descriptor(key)), register)


def _row_key(vm: VMLogic, key: Descriptor, value: Descriptor = (0, 0)) -> bytes | None:
    """Check the sizes (before memory is touched) and give the row key, or None for a key that names no row."""
    address, length = key
    if length > MAX_STORAGE_KEY:
        raise faults.overflow("key length")
    if value[1] > MAX_STORAGE_VALUE:
        raise faults.overflow("value length")
    raw = vm.memory.slice(address, length)
    if length == STATE_KEY_LENGTH:
        return raw
    return raw.ljust(STATE_KEY_LENGTH, b"\0") if length < STATE_KEY_LENGTH else None


def _read(vm: VMLogic, column: Overlay | None, key: bytes | None, register: int) -> int:
    if column is None or key is None:
        return 0
    return _answer(vm, register, column.read(key))


def _remove(vm: VMLogic, column: Overlay | None, key: bytes | None, register: int) -> int:
    if column is None or key is None:
        return 0
    old = column.read(key)
    if old is not None:
        column.write(key, None)
    return _answer(vm, register, old)


def _answer(vm: VMLogic, register: int, value: bytes | None) -> int:
    if value is None:
        return 0
    vm.registers.set(register, value)
    return 1
