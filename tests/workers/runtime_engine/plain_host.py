"""The same host on the package's public API: slow and obvious. It exists to be compared with the raw one.

It must run alone in its process' threads: the package passes exceptions through one variable.
"""

from __future__ import annotations

from collections.abc import Callable
from ctypes import addressof, c_ubyte

from wasmtime import Engine, Func, FuncType, Instance, Linker, Memory, Module, Store, Trap, ValType

from node.errors import FunctionCallError
from node.runtime import faults
from node.runtime.call import GuestCall, Outcome
from node.runtime.config import RuntimeConfig
from node.runtime.host.table import MODULE, TABLE, HostFunction
from node.runtime.logic import VMLogic
from node.runtime.memory import GuestMemory
from workers.runtime.engine.execution import MERGE_HOOK
from workers.runtime.engine.settings import new_engine

U64 = (1 << 64) - 1


def signed(value: int, kind: str) -> int:
    bits = 64 if kind == "i64" else 32
    return value - (1 << bits) if value >> (bits - 1) else value


class PlainHost:
    """Runs calls of one module."""

    def __init__(self, bytecode: bytes) -> None:
        self.engine: Engine = new_engine(RuntimeConfig())
        self.module = Module(self.engine, bytecode)

    def run(self, call: GuestCall) -> Outcome:
        store = Store(self.engine)
        try:
            return self._run(store, call)
        finally:
            store.close()

    def _run(self, store: Store, call: GuestCall) -> Outcome:
        store.set_epoch_deadline(1_000_000)
        current: list[VMLogic] = []
        instance = self._link(store, current).instantiate(store, self.module)
        exports = instance.exports(store)
        memory = exports["memory"]
        assert isinstance(memory, Memory)

        def view() -> memoryview:
            size = memory.data_len(store)
            base = addressof(memory.data_ptr(store).contents)
            return memoryview((c_ubyte * size).from_address(base)).cast("B")

        vm = VMLogic(call, GuestMemory(view(), view))
        current.append(vm)
        return vm.finish(self._call_both(store, instance, call.method))

    def _call_both(self, store: Store, instance: Instance, name: str) -> FunctionCallError | None:
        self._call(store, instance, MERGE_HOOK)
        return self._call(store, instance, name)

    def _call(self, store: Store, instance: Instance, name: str) -> FunctionCallError | None:
        function = instance.exports(store).get(name)
        if function is None:
            return faults.method_not_found(name)
        assert isinstance(function, Func)
        try:
            function(store)
        except FunctionCallError as error:
            return error
        except Trap as trap:
            return faults.trap(trap.trap_code.name if trap.trap_code else None)
        return None

    def _link(self, store: Store, current: list[VMLogic]) -> Linker:
        linker = Linker(self.engine)
        for row in TABLE.values():
            params, results = ([getattr(ValType, k)() for k in kinds] for kinds in (row.wasm_params, row.wasm_results))
            linker.define(store, MODULE, row.name, Func(store, FuncType(params, results), bound(row, current)))
        return linker


def bound(row: HostFunction, current: list[VMLogic]) -> Callable[..., int | None]:
    def function(*arguments: int) -> int | None:
        result = row.call(current[0], *(a & U64 for a in arguments))
        return signed(result or 0, row.result) if row.result else None

    return function
