"""Randomness, time, signatures, and the HTTP function that the reference offers but keeps off.

Source: core 0.10.0: crates/runtime/src/logic/host_functions/utility.rs.
"""

from __future__ import annotations

from typing import Final

from node.runtime import faults
from node.runtime.edwards import is_point, verify
from node.runtime.logic import VMLogic

FETCH_DISABLED: Final = b"Host function 'fetch' is temporarily disabled."
FETCH_FAILED: Final = 1
TIME_LENGTH: Final = 8
SIGNATURE_LENGTH: Final = 64
KEY_LENGTH: Final = 32
U64_MAX: Final = (1 << 64) - 1


def fetch(vm: VMLogic, _url: int, _method: int, _headers: int, _body: int, register: int) -> int:
    """A guest that could reach the network would give another result on each node, so this says it is off."""
    vm.registers.set(register, FETCH_DISABLED)
    return FETCH_FAILED


def random_bytes(vm: VMLogic, target: int) -> None:
    address, length = vm.memory.descriptor(target)
    vm.memory.require(address + length)
    vm.memory.write(address, vm.call.random_bytes(length))


def time_now(vm: VMLogic, target: int) -> None:
    memory = vm.memory
    address, length = memory.descriptor(target)
    if length != TIME_LENGTH:
        raise faults.invalid_memory_access()
    memory.write_word(address, vm.call.now_ns() & U64_MAX)


def ed25519_verify(vm: VMLogic, signature: int, public_key: int, message: int) -> int:
    raw_signature = vm.memory.read_fixed(signature, SIGNATURE_LENGTH)
    raw_key = vm.memory.read_fixed(public_key, KEY_LENGTH)
    content = vm.memory.read(message)
    if not is_point(raw_key):
        raise faults.incorrect_public_key()
    return int(verify(raw_key, content, raw_signature))
