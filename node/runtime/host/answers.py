"""How the collection functions answer: a code, the value in a register, and -1 with a text there on failure.

Checks go in the order of the reference: the id's descriptor, the id's length, the other buffers, the collection itself.
Source: core 0.10.0: crates/runtime/src/logic/host_functions/js_collections.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Final, TypeAlias

from node.errors import StorageError
from node.primitives import ID_LENGTH, EntityId
from node.runtime.logic import VMLogic

FAILED: Final = (1 << 32) - 1
"""-1 as an i32."""

ABSENT: Final = 0
PRESENT: Final = 1
ERROR_REGISTER: Final = 0
"""Where a function without a register of its own puts the text."""

Body: TypeAlias = Callable[..., int]
"""A host function: the VMLogic and integers."""


class WrongLength(StorageError):
    """An id or hash of another length than 32 bytes."""


def fails_into_register(body: Body) -> Body:
    """For functions whose last argument is the register."""

    @wraps(body)
    def function(vm: VMLogic, *arguments: int) -> int:
        try:
            return body(vm, *arguments)
        except StorageError as error:
            return _failed(vm, arguments[-1], error)

    return function


def fails(body: Body) -> Body:
    """For functions without a register."""

    @wraps(body)
    def function(vm: VMLogic, *arguments: int) -> int:
        try:
            return body(vm, *arguments)
        except StorageError as error:
            return _failed(vm, ERROR_REGISTER, error)

    return function


def _failed(vm: VMLogic, register: int, error: StorageError) -> int:
    vm.registers.set(register, str(error).encode())
    return FAILED


def collection_id(vm: VMLogic, pointer: int) -> EntityId:
    """The id of a collection. The text of a wrong length says ``mapId`` for every kind."""
    raw = vm.memory.read(pointer)
    if len(raw) != ID_LENGTH:
        raise WrongLength(f"mapId must be exactly 32 bytes (received {len(raw)})")
    return EntityId(raw)


def fixed(vm: VMLogic, pointer: int, what: str) -> bytes:
    """Another argument of 32 bytes."""
    raw = vm.memory.read(pointer)
    if len(raw) != ID_LENGTH:
        raise WrongLength(f"{what} must be exactly 32 bytes")
    return raw


def optional(vm: VMLogic, register: int, value: bytes | None) -> int:
    """1 and the value, or 0 and an empty register."""
    vm.registers.set(register, value or b"")
    return ABSENT if value is None else PRESENT


def value(vm: VMLogic, register: int, content: bytes) -> int:
    vm.registers.set(register, content)
    return PRESENT


def number(vm: VMLogic, register: int, count: int) -> int:
    """A u64 in eight bytes."""
    return value(vm, register, count.to_bytes(8, "little"))


def created(vm: VMLogic, register: int, collection: EntityId) -> int:
    """0 and the id of a new collection."""
    vm.registers.set(register, collection)
    return ABSENT


def sized(content: bytes) -> bytes:
    """A length (u32) and the bytes."""
    return len(content).to_bytes(4, "little") + content
