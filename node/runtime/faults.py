"""The failures of a call, made in one place so that their texts stay those that clients of the reference parse.

Functions return the exception; the caller raises it. Nothing is decided here.
Source of the texts: core 0.10.0: crates/runtime/src/errors.rs (Display).
"""

from __future__ import annotations

import json
from typing import Final

from node.errors import HostError, LinkError, MethodResolutionError, ModuleSizeLimitExceeded, WasmTrap
from node.runtime import limits

INDETERMINATE: Final = "indeterminate trap"

TRAP_TEXTS: Final[dict[str, str]] = {
    "STACK_OVERFLOW": "stack overflow",
    "MEMORY_OUT_OF_BOUNDS": "memory out of bounds",
    "TABLE_OUT_OF_BOUNDS": "memory out of bounds",
    "HEAP_MISALIGNED": "heap misaligned",
    "INDIRECT_CALL_TO_NULL": "indirect call to null",
    "BAD_SIGNATURE": "bad signature",
    "INTEGER_OVERFLOW": "illegal arithmetic operation",
    "INTEGER_DIVISION_BY_ZERO": "illegal arithmetic operation",
    "BAD_CONVERSION_TO_INTEGER": "illegal arithmetic operation",
    "UNREACHABLE": "unreachable code reached",
}
"""Engine trap code to text. A table access out of bounds reads "memory out of bounds", as in the reference."""


def quoted(name: str) -> str:
    """A name in double quotes with escapes, as the reference's debug form prints it."""
    return json.dumps(name, ensure_ascii=False)


# -- resolution and link


def empty_method_name() -> MethodResolutionError:
    return MethodResolutionError("method name is empty")


def method_name_too_long(length: int) -> MethodResolutionError:
    return MethodResolutionError(f"method name too long: {length} bytes (max: {limits.MAX_METHOD_NAME})")


def invalid_method_character(position: int, character: str) -> MethodResolutionError:
    return MethodResolutionError(f"method name contains invalid character at position {position}: '{character}'")


def method_not_found(name: str) -> MethodResolutionError:
    return MethodResolutionError(f"method {quoted(name)} not found")


def invalid_signature(name: str) -> MethodResolutionError:
    return MethodResolutionError(
        f"method {quoted(name)} has invalid signature: expected no arguments and no return value"
    )


def export_of_other_kind() -> HostError:
    return HostError("guest panicked: internal error: entered unreachable code")


def module_too_large(size: int) -> ModuleSizeLimitExceeded:
    return ModuleSizeLimitExceeded(
        f"module size limit (max_module_size) exceeded: {size} bytes > {limits.MAX_MODULE_SIZE} bytes limit"
    )


def unknown_import(module: str, name: str, expected: str) -> LinkError:
    return LinkError(
        f"link error: Error while importing {quoted(module)}.{quoted(name)}: unknown import. Expected {expected}"
    )


def incompatible_import(module: str, name: str, expected: str, received: str) -> LinkError:
    return LinkError(
        f"link error: Error while importing {quoted(module)}.{quoted(name)}: "
        f"incompatible import type. Expected {expected} but received {received}"
    )


# -- traps


def trap(code: str | None) -> WasmTrap:
    """The trap with the engine's code (upper case name), or the indeterminate one."""
    return WasmTrap(TRAP_TEXTS.get(code or "", INDETERMINATE))


class BoundReached(WasmTrap):
    """The call was stopped by a bound of this node: time or fuel. Another node may well finish it."""


def deadline(milliseconds: int) -> WasmTrap:
    return BoundReached(f"the call ran longer than {milliseconds} ms and was stopped (setting runtime.deadline_ms)")


def out_of_fuel(limit: int) -> WasmTrap:
    return BoundReached(f"the call used more than {limit} units of fuel and was stopped (setting runtime.fuel_limit)")


# -- host functions


def invalid_memory_access() -> HostError:
    return HostError("invalid memory access")


def invalid_register(register: int) -> HostError:
    return HostError(f"invalid register id: {register}")


def bad_utf8() -> HostError:
    return HostError("invalid UTF-8 string")


def overflow(what: str) -> HostError:
    """``what`` as the reference names it: ``logs``, ``log size``, ``event kind size``, ``xcalls``, ``key length`` …"""
    return HostError(f"{what} overflow")


def guest_panic(message: str, file: str, line: int, column: int) -> HostError:
    return HostError(f"guest panicked: {message} at {file}:{line}:{column}")


def host_panic(message: str) -> HostError:
    return HostError(f"host panicked: {message}")


def blobs_not_supported() -> HostError:
    return HostError("blob operations not supported (NodeClient not available)")


def invalid_blob_handle() -> HostError:
    return HostError("invalid blob handle")


def too_many_blob_handles() -> HostError:
    return HostError(f"too many blob handles (max: {limits.MAX_BLOB_HANDLES})")


def blob_write_too_large(size: int) -> HostError:
    return HostError(f"blob write too large (size: {size}, max: {limits.MAX_BLOB_CHUNK})")


def blob_buffer_too_large(size: int) -> HostError:
    return HostError(f"blob buffer too large (size: {size}, max: {limits.MAX_BLOB_CHUNK})")


def total_blob_memory(current: int) -> HostError:
    return HostError(f"total blob memory exceeded (current: {current}, max: {limits.MAX_BLOB_BYTES})")


def incorrect_public_key() -> HostError:
    return HostError("incorrect ed25519 public key")


def alias_exists(alias: str) -> HostError:
    return HostError(f"alias already exists: {alias}")


def alias_too_long(length: int) -> HostError:
    return HostError(f"alias too long: {length}")


def no_node_client() -> HostError:
    return HostError("node client is not available")


def too_much(what: str, limit: int) -> HostError:
    """One of this node's own bounds; the reference has no text for it."""
    return HostError(f"{what} exceeds the limit of {limit} for one call")
