"""The root document and its deltas: what a guest does whose storage engine is the host's (the JavaScript SDK).

Source: core 0.10.0: crates/runtime/src/logic/host_functions/system.rs.
"""

from __future__ import annotations

from typing import Final

from node.errors import StorageError
from node.runtime import faults
from node.runtime.limits import MAX_LOGS
from node.runtime.logic import VMLogic

EMPTY: Final = 0
FLUSHED: Final = 1


def persist_root_state(vm: VMLogic, document: int, created_at: int, updated_at: int) -> None:
    content = vm.memory.read(document)
    try:
        vm.journal.persist_root(content, created_at, updated_at)
    except StorageError as error:
        raise faults.host_panic(f"persist_root_state failed: {error}") from error


def read_root_state(vm: VMLogic, register: int) -> int:
    document = vm.journal.root_document()
    if document is None:
        return 0
    vm.registers.set(register, document)
    return 1


def apply_storage_delta(vm: VMLogic, delta: int) -> None:
    content = vm.memory.read(delta)
    try:
        skipped = vm.journal.apply(content)
        vm.root_hash = vm.journal.root_hash()
    except StorageError as error:
        raise faults.host_panic(f"apply_storage_delta failed: {error}") from error
    for action, reason in skipped[: MAX_LOGS - len(vm.logs)]:
        vm.logs.append(f"left out: {type(action).__name__} of entity {action.id.hex()}: {reason}")


def flush_delta(vm: VMLogic) -> int:
    """1 when actions are pending. The artifact is made at the end of the call, of all its actions."""
    try:
        vm.root_hash = vm.journal.root_hash()
    except StorageError as error:
        raise faults.host_panic(f"failed to fetch root hash: {error}") from error
    return FLUSHED if vm.journal.flush() else EMPTY
