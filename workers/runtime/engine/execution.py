"""One execution: a fresh store and instance, the merge hook, the method, and everything deleted again.

Nothing of a guest outlives its call. The order of checks decides which error a caller sees.
Source: core 0.10.0: crates/runtime/src/lib.rs (Module::run).
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Final

from wasmtime import TrapCode

from node.errors import FunctionCallError, LinkError
from node.runtime import faults
from node.runtime.call import GuestCall, Outcome
from node.runtime.config import RuntimeConfig
from node.runtime.limits import MAX_TABLE_ELEMENTS, MAX_TABLES, WASM_PAGE
from node.runtime.logic import VMLogic
from node.runtime.memory import GuestMemory
from node.storage.index import ChildCache
from workers.runtime.engine import capi
from workers.runtime.engine.linker import DETACHED, Switchboard
from workers.runtime.engine.modules import CALLABLE, FUNCTION, MEMORY, ReadyModule

MERGE_HOOK: Final = "__calimero_register_merge"
EXTERN_BYTES: Final = 64
"""More than the largest export handle of the C API."""

EXTERN_PAYLOAD: Final = 8
"""Offset of the handle behind the one-byte kind."""

NO_FUEL_LIMIT: Final = (1 << 63) - 1
TRAP_NAMES: Final = {code.value: code.name for code in TrapCode}


@dataclass(frozen=True, slots=True)
class Bounds:
    """What each store is bounded by. ``ticks`` is the deadline in steps of the epoch ticker."""

    config: RuntimeConfig
    ticks: int

    @property
    def fuel(self) -> int:
        return self.config.fuel_limit or NO_FUEL_LIMIT


class Execution:
    """Runs one call in a ready module. Use once, in the thread of the linker."""

    __slots__ = (
        "_board",
        "_bounds",
        "_call",
        "_children",
        "_context",
        "_export",
        "_instance",
        "_memory",
        "_no_args",
        "_store",
        "_trap",
    )

    def __init__(self, call: GuestCall, board: Switchboard, bounds: Bounds, children: ChildCache | None = None) -> None:
        self._call = call
        self._children = children
        self._board = board
        self._bounds = bounds
        self._instance = capi.Instance()
        self._export = ctypes.create_string_buffer(EXTERN_BYTES)
        self._memory = ctypes.create_string_buffer(EXTERN_BYTES)
        self._no_args = ctypes.create_string_buffer(16)
        self._trap = ctypes.c_void_p()
        self._store = 0
        self._context = 0

    def run(self, engine: int, ready: ReadyModule) -> Outcome:
        self._open_store(engine)
        vm = VMLogic(self._call, GuestMemory(memoryview(b""), self._view), self._children)
        error: FunctionCallError | None = None
        try:
            self._run(ready, vm)
        except FunctionCallError as failure:
            error = failure
        finally:
            self._board.vm = DETACHED
            self._board.fault = None
            fuel = self._fuel_used()
            vm.memory.release()
            capi.store_delete(self._store)
        return vm.finish(error, fuel)

    def _open_store(self, engine: int) -> None:
        config = self._bounds.config
        self._store = capi.store_new(engine, None, None)
        self._context = capi.store_context(self._store)
        capi.store_limiter(self._store, config.memory_pages * WASM_PAGE, MAX_TABLE_ELEMENTS, 1, MAX_TABLES, 1)
        capi.set_epoch_deadline(self._context, self._bounds.ticks)
        if config.counts_fuel:
            capi.set_fuel(self._context, self._bounds.fuel)

    def _run(self, ready: ReadyModule, vm: VMLogic) -> None:
        self._instantiate(ready)
        if ready.exports.get("memory") != MEMORY:
            raise faults.method_not_found("memory")
        self._find("memory", self._memory)
        self._board.vm = vm
        self._run_merge_hook(ready)
        self._check_method(ready)
        self._invoke(self._call.method)

    def _instantiate(self, ready: ReadyModule) -> None:
        self._board.fault = None
        error = capi.instantiate(ready.prepared, self._context, ctypes.byref(self._instance), ctypes.byref(self._trap))
        if error:
            text = capi.take_error(error)
            raise self._host_fault() or LinkError(f"link error: {text}")
        if self._trap.value:
            raise self._trapped()

    def _run_merge_hook(self, ready: ReadyModule) -> None:
        """Its failure is ignored; what it logged, set or emitted stays. Running out of time or fuel is final."""
        if ready.exports.get(MERGE_HOOK) != CALLABLE:
            return
        try:
            self._invoke(MERGE_HOOK)
        except faults.BoundReached:
            raise
        except FunctionCallError:
            self._board.fault = None

    def _check_method(self, ready: ReadyModule) -> None:
        kind = ready.exports.get(self._call.method)
        if kind is None:
            raise faults.method_not_found(self._call.method)
        if kind == FUNCTION:
            raise faults.invalid_signature(self._call.method)
        if kind != CALLABLE:
            raise faults.export_of_other_kind()

    def _find(self, name: str, handle: ctypes.Array[ctypes.c_char]) -> None:
        raw = name.encode()
        if not capi.export_get(self._context, ctypes.byref(self._instance), raw, len(raw), handle):
            raise faults.method_not_found(name)

    def _invoke(self, name: str) -> None:
        self._find(name, self._export)
        function = ctypes.addressof(self._export) + EXTERN_PAYLOAD
        error = capi.func_call(self._context, function, self._no_args, 1, ctypes.byref(self._trap))
        if error:
            raise self._failed(capi.take_error(error))
        if self._trap.value:
            raise self._trapped()

    def _failed(self, text: str) -> FunctionCallError:
        return self._host_fault() or faults.host_panic(text)

    def _trapped(self) -> FunctionCallError:
        """The error behind a trap. A host function's own error explains the trap that it caused."""
        code = capi.take_trap_code(self._trap.value or 0)
        self._trap.value = None
        name = TRAP_NAMES.get(code) if code is not None else None
        if name == "INTERRUPT":
            return faults.deadline(self._bounds.config.deadline_ms)
        if name == "OUT_OF_FUEL":
            return faults.out_of_fuel(self._bounds.fuel)
        return self._host_fault() or faults.trap(name)

    def _host_fault(self) -> FunctionCallError | None:
        """What a host function raised. Anything unforeseen is this call's failure alone, as in the reference."""
        fault, self._board.fault = self._board.fault, None
        if fault is None or isinstance(fault, FunctionCallError):
            return fault
        error = faults.host_panic(f"{type(fault).__name__}: {fault}")
        error.__cause__ = fault
        return error

    def _view(self) -> memoryview:
        """The guest's memory as it is now; it does not move, so only its size can have changed."""
        memory = ctypes.addressof(self._memory) + EXTERN_PAYLOAD
        size = capi.memory_data_size(self._context, memory)
        if not size:
            return memoryview(b"")
        array = (ctypes.c_ubyte * size).from_address(capi.memory_data(self._context, memory))
        return memoryview(array).cast("B")

    def _fuel_used(self) -> int:
        if not self._bounds.config.counts_fuel:
            return 0
        left = ctypes.c_uint64()
        capi.get_fuel(self._context, ctypes.byref(left))
        return self._bounds.fuel - left.value
