"""Rows of the synchronised and of the private column.

The guest's key is padded with zeros to 32 bytes. A longer one names no row: it reads as absent and writes nothing,
as in the reference. Source: core 0.10.0: .../host_functions/storage.rs, crates/context/src/handlers/execute/storage.rs.
"""

from __future__ import annotations

from typing import Final

from node.runtime.limits import MAX_STORAGE_KEY, MAX_STORAGE_VALUE, STATE_KEY_LENGTH
from node.runtime.logic import VMLogic
from node.runtime.overlay import Overlay

KEY: Final = "key length"
WRITE_LIMITS: Final = (MAX_STORAGE_KEY, MAX_STORAGE_VALUE)
WRITE_NAMES: Final = (KEY, "value length")


def storage_read(vm: VMLogic, key: int, register: int) -> int:
    return _answer(vm, register, _read_padded(vm.state, vm.memory.read(key, MAX_STORAGE_KEY, KEY)))


def storage_write(vm: VMLogic, key: int, value: int, register: int) -> int:
    raw, content = vm.memory.read_two((key, value), WRITE_LIMITS, WRITE_NAMES)
    row_key = _padded(raw)
    return _answer(vm, register, vm.state.swap(row_key, content)) if row_key is not None else 0


def storage_remove(vm: VMLogic, key: int, register: int) -> int:
    return _remove(vm, vm.state, key, register)


def private_storage_read(vm: VMLogic, key: int, register: int) -> int:
    raw = vm.memory.read(key, MAX_STORAGE_KEY, KEY)
    return _answer(vm, register, _read_padded(vm.private, raw) if vm.private is not None else None)


def private_storage_write(vm: VMLogic, key: int, value: int) -> int:
    """1 also for a key that names no row: only a missing column answers 0."""
    raw, content = vm.memory.read_two((key, value), WRITE_LIMITS, WRITE_NAMES)
    row_key = _padded(raw)
    if vm.private is None:
        return 0
    if row_key is not None:
        vm.private.write(row_key, content)
    return 1


def private_storage_remove(vm: VMLogic, key: int, register: int) -> int:
    return _remove(vm, vm.private, key, register)


def _padded(raw: bytes) -> bytes | None:
    """The row key, or None for a key that is too long to name a row."""
    return raw.ljust(STATE_KEY_LENGTH, b"\0") if len(raw) <= STATE_KEY_LENGTH else None


def _read_padded(column: Overlay, raw: bytes) -> bytes | None:
    key = _padded(raw)
    return column.read(key) if key is not None else None


def _remove(vm: VMLogic, column: Overlay | None, pointer: int, register: int) -> int:
    key = _padded(vm.memory.read(pointer, MAX_STORAGE_KEY, KEY))
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
