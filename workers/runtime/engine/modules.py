"""Modules ready to run: compiled once per bytecode, kept on disk as machine code and in memory as a linked module.

Compiling costs half a second, loading a compiled one a millisecond. The key is the bytecode's hash together with the
engine's version and configuration.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from wasmtime import Engine, FuncType, GlobalType, ImportType, MemoryType, Module, TableType, WasmtimeError

from node.errors import CompilationError, LinkError
from node.primitives import Hash
from node.runtime import faults
from node.runtime.config import RuntimeConfig
from node.runtime.host.table import MODULE, TABLE
from node.runtime.limits import MAX_MODULE_SIZE
from workers.runtime.engine import capi
from workers.runtime.engine.cache import CompiledCache
from workers.runtime.engine.linker import Linker
from workers.runtime.engine.settings import fingerprint

CALLABLE: Final = "callable"
FUNCTION: Final = "function"
MEMORY: Final = "memory"
OTHER: Final = "other"


@dataclass(slots=True)
class ReadyModule:
    """A linked module. ``exports`` maps a name to callable (``() -> ()``), function, memory or other."""

    module: Module
    prepared: int
    exports: dict[str, str]

    def close(self) -> None:
        capi.instance_pre_delete(self.prepared)
        self.module.close()


class ModuleCache:
    """Gives ready modules. Belongs to the thread of its linker."""

    def __init__(self, engine: Engine, linker: Linker, directory: Path, config: RuntimeConfig) -> None:
        self._engine = engine
        self._linker = linker
        self._disk = CompiledCache(directory, config.cache_bytes)
        self._suffix = fingerprint(config)
        self._ready: OrderedDict[Hash, ReadyModule] = OrderedDict()
        self._room = config.modules_in_memory
        self.compiled = 0
        self.loaded = 0

    def get(self, name: Hash, bytecode: Callable[[], bytes]) -> ReadyModule:
        """``name`` is the SHA-256 of the bytecode, which is asked for only if no compiled form is at hand.

        Raises CompilationError, ModuleSizeLimitExceeded or LinkError.
        """
        ready = self._ready.get(name)
        if ready is None:
            ready = self._ready[name] = self._link(self._load(name, bytecode))
            self._make_room()
        else:
            self._ready.move_to_end(name)
        return ready

    def _load(self, name: Hash, bytecode: Callable[[], bytes]) -> Module:
        key = f"{name.hex()}-{self._suffix}"
        code = self._disk.get(key)
        if code is not None:
            try:
                module = Module.deserialize(self._engine, code)
            except WasmtimeError:
                self._disk.drop(key)
            else:
                self.loaded += 1
                return module
        module = compile_module(self._engine, bytecode())
        self.compiled += 1
        self._disk.put(key, bytes(module.serialize()))
        return module

    def _link(self, module: Module) -> ReadyModule:
        for wanted in module.imports:
            _check_import(wanted)
        prepared = self._linker.prepare(capi.address(module.ptr()))
        if isinstance(prepared, str):
            raise LinkError(f"link error: {prepared}")
        return ReadyModule(module, prepared, {e.name: _export_kind(e.type) for e in module.exports})

    def _make_room(self) -> None:
        while len(self._ready) > self._room:
            self._ready.popitem(last=False)[1].close()

    def warm(self) -> None:
        """Open this thread's connection to the cache, so that no call has to wait for it."""
        self._disk.get("")

    @property
    def refused(self) -> int:
        return self._disk.refused

    def close(self) -> None:
        for ready in self._ready.values():
            ready.close()
        self._ready.clear()
        self._disk.close()


def compile_module(engine: Engine, bytecode: bytes) -> Module:
    """Raises ModuleSizeLimitExceeded or CompilationError."""
    if len(bytecode) > MAX_MODULE_SIZE:
        raise faults.module_too_large(len(bytecode))
    if not bytecode.startswith(b"\0asm"):
        raise CompilationError("compilation error: Validation error: no WebAssembly module (at offset 0x0)")
    try:
        return Module(engine, bytecode)
    except WasmtimeError as error:
        raise CompilationError(f"compilation error: Validation error: {error}") from error


def _check_import(wanted: ImportType) -> None:
    row = TABLE.get(wanted.name or "") if wanted.module == MODULE else None
    received = type_text(wanted.type)
    if row is None:
        raise faults.unknown_import(wanted.module, wanted.name or "", received)
    offered = _function_text(row.wasm_params, row.wasm_results)
    if received != offered:
        raise faults.incompatible_import(wanted.module, row.name, received, offered)


def type_text(wanted: object) -> str:
    """A type as the reference's engine prints it."""
    if isinstance(wanted, FuncType):
        return _function_text(tuple(map(str, wanted.params)), tuple(map(str, wanted.results)))
    if isinstance(wanted, MemoryType):
        maximum = wanted.limits.max
        most = "None" if maximum is None else f"Some({maximum} pages)"
        return f"Memory(MemoryType {{ minimum: {wanted.limits.min} pages, maximum: {most}, shared: false }})"
    if isinstance(wanted, GlobalType):
        mutability = "Var" if wanted.mutable else "Const"
        return f"Global(GlobalType {{ ty: {str(wanted.content).upper()}, mutability: {mutability} }})"
    if isinstance(wanted, TableType):
        most = "None" if wanted.limits.max is None else f"Some({wanted.limits.max})"
        return f"Table(TableType {{ ty: FuncRef, minimum: {wanted.limits.min}, maximum: {most} }})"
    return "Tag"


def _function_text(params: tuple[str, ...], results: tuple[str, ...]) -> str:
    given, back = (", ".join(part).upper() for part in (params, results))
    return f"Function(FunctionType {{ params: [{given}], results: [{back}] }})"


def _export_kind(exported: object) -> str:
    if isinstance(exported, FuncType):
        return FUNCTION if exported.params or exported.results else CALLABLE
    return MEMORY if isinstance(exported, MemoryType) else OTHER
