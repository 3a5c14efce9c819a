"""The part of wasmtime's C API that a call goes through, with plain integers instead of typed pointers.

The package's own classes cost 15 to 30 µs a host call; these prototypes cost 0.3. Bound to the wasmtime version that
pyproject.toml pins: a missing symbol fails here, at import. Pointers are ``int`` or None; whoever makes one deletes it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from ctypes import POINTER, c_char_p, c_int64, c_size_t, c_uint8, c_uint32, c_uint64, c_void_p
from typing import Any, Final, cast

from wasmtime import _ffi as ffi

CALLBACK: Final = ctypes.CFUNCTYPE(c_size_t, c_void_p, c_void_p, c_size_t, c_size_t)
"""env, caller, address of the 16-byte argument slots, their number; gives 0 or a trap, which wasmtime then owns."""

EXTERN_FUNC: Final = 0
EXTERN_MEMORY: Final = 3


class Instance(ctypes.Structure):
    _fields_ = (("store_id", c_uint64), ("private", c_size_t))


class Func(ctypes.Structure):
    _fields_ = (("store_id", c_uint64), ("private", c_void_p))


def _function(name: str, result: Any, *arguments: Any) -> Callable[..., int]:
    """A second, own prototype of an exported function; the package's stays as it is."""
    prototype: Any = ffi.dll[name]
    prototype.restype = result
    prototype.argtypes = list(arguments)
    return cast("Callable[..., int]", prototype)


store_new: Final = _function("wasmtime_store_new", c_void_p, c_void_p, c_void_p, c_void_p)
store_context: Final = _function("wasmtime_store_context", c_void_p, c_void_p)
store_delete: Final = _function("wasmtime_store_delete", None, c_void_p)
store_limiter: Final = _function("wasmtime_store_limiter", None, c_void_p, *([c_int64] * 5))
set_epoch_deadline: Final = _function("wasmtime_context_set_epoch_deadline", None, c_void_p, c_uint64)
set_fuel: Final = _function("wasmtime_context_set_fuel", c_void_p, c_void_p, c_uint64)
get_fuel: Final = _function("wasmtime_context_get_fuel", c_void_p, c_void_p, POINTER(c_uint64))
increment_epoch: Final = _function("wasmtime_engine_increment_epoch", None, c_void_p)

instantiate: Final = _function(
    "wasmtime_instance_pre_instantiate", c_void_p, c_void_p, c_void_p, POINTER(Instance), POINTER(c_void_p)
)
instance_pre_delete: Final = _function("wasmtime_instance_pre_delete", None, c_void_p)
export_get: Final = _function(
    "wasmtime_instance_export_get", ctypes.c_bool, c_void_p, POINTER(Instance), c_char_p, c_size_t, c_void_p
)
func_call: Final = _function(
    "wasmtime_func_call_unchecked", c_void_p, c_void_p, c_void_p, c_void_p, c_size_t, POINTER(c_void_p)
)
memory_data: Final = _function("wasmtime_memory_data", c_void_p, c_void_p, c_void_p)
memory_data_size: Final = _function("wasmtime_memory_data_size", c_size_t, c_void_p, c_void_p)

trap_new: Final = _function("wasmtime_trap_new", c_void_p, c_char_p, c_size_t)
trap_delete: Final = _function("wasm_trap_delete", None, c_void_p)
trap_code: Final = _function("wasmtime_trap_code", ctypes.c_bool, c_void_p, POINTER(c_uint8))
error_delete: Final = _function("wasmtime_error_delete", None, c_void_p)
error_message: Final = _function("wasmtime_error_message", None, c_void_p, POINTER(ffi.wasm_byte_vec_t))

linker_define: Final = _function(
    "wasmtime_linker_define_func_unchecked",
    c_void_p, c_void_p, c_char_p, c_size_t, c_char_p, c_size_t, c_void_p, CALLBACK, c_void_p, c_void_p,
)  # fmt: skip
linker_instantiate_pre: Final = _function(
    "wasmtime_linker_instantiate_pre", c_void_p, c_void_p, c_void_p, POINTER(c_void_p)
)
linker_new: Final = _function("wasmtime_linker_new", c_void_p, c_void_p)
linker_delete: Final = _function("wasmtime_linker_delete", None, c_void_p)

memory_reservation: Final = _function("wasmtime_config_memory_reservation_set", None, c_void_p, c_uint64)
memory_guard_size: Final = _function("wasmtime_config_memory_guard_size_set", None, c_void_p, c_uint64)

pool_new: Final = _function("wasmtime_pooling_allocation_config_new", c_void_p)
pool_delete: Final = _function("wasmtime_pooling_allocation_config_delete", None, c_void_p)
pool_use: Final = _function("wasmtime_pooling_allocation_strategy_set", None, c_void_p, c_void_p)


def pool_set(pool: int, setting: str, value: int) -> None:
    """One number of the pooling allocator, by the last part of its function's name."""
    kind = c_uint32 if setting.startswith("total_") or setting.endswith("_per_module") else c_size_t
    _function(f"wasmtime_pooling_allocation_config_{setting}_set", None, c_void_p, kind)(pool, value)


def address(managed: object) -> int:
    """The raw pointer inside one of the package's typed pointers."""
    return ctypes.cast(managed, c_void_p).value or 0  # type: ignore[arg-type]  # a ctypes pointer


def take_error(error: int) -> str:
    """The text of an error, which is deleted."""
    message = ffi.wasm_byte_vec_t()
    error_message(error, ctypes.byref(message))
    text = ffi.to_bytes(message).decode(errors="replace")
    ffi.wasm_byte_vec_delete(ctypes.byref(message))
    error_delete(error)
    return text


def take_trap_code(trap: int) -> int | None:
    """The code of a trap, which is deleted; None for one that a host function made."""
    code = c_uint8()
    known = trap_code(trap, ctypes.byref(code))
    trap_delete(trap)
    return code.value if known else None
