"""Judging an application file with the engine at hand: the pure report, and how long compiling takes here.

``python -m workers.runtime.engine.inspection FILE`` writes the report as JSON, for surfaces that may load no engine.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from wasmtime import Engine, Func, FuncType, Instance, Linker, Memory, Module, Store, Trap, ValType, WasmtimeError

from node.abi.interface import ABI_LENGTH, ABI_POINTER, exported_abi, has_abi_exports
from node.abi.manifest import MAX_MANIFEST
from node.abi.module import Signature, parse_module
from node.abi.report import ModuleReport, inspect
from node.context.bundle import is_bundle, read_bundle
from node.errors import CalimeroError, FunctionCallError
from node.runtime.config import RuntimeConfig
from node.runtime.host.table import MODULE, TABLE
from node.runtime.limits import MAX_MODULE_SIZE, WASM_PAGE
from workers.runtime.engine.modules import compile_module
from workers.runtime.engine.settings import new_engine

OFFERED: Final = {row.name: Signature(row.wasm_params, row.wasm_results) for row in TABLE.values()}
"""What this node's host offers, as the pure report wants it."""

ABI_FUEL: Final = 1_000_000
"""Instructions that asking a module for its manifest may take; a getter takes two."""


def inspect_module(raw: bytes, *, sidecar: bytes | None = None) -> ModuleReport:
    """Judge a module and compile it once. Raises DecodeError for bytes that are no module."""
    told = running_abi(raw)
    report = inspect(raw, OFFERED, sidecar=told or sidecar, max_size=MAX_MODULE_SIZE)
    if told and report.abi == "sidecar":
        report = replace(report, abi="export")
    started = time.perf_counter()
    try:
        compile_module(new_engine(RuntimeConfig()), raw).close()
    except FunctionCallError as error:
        return report.with_problem(str(error))
    return report.with_compile_time((time.perf_counter() - started) * 1000)


def running_abi(raw: bytes) -> bytes | None:
    """Ask a module for its manifest by running its getters, for one that computes where it is.

    None without such exports, or if they fail: they get no host functions and little fuel. Nothing else is run.
    """
    module = parse_module(raw)
    if not has_abi_exports(module) or exported_abi(module) is not None:
        return None
    engine = new_engine(RuntimeConfig(fuel_limit=ABI_FUEL))
    try:
        return _ask(engine, Module(engine, raw))
    except (WasmtimeError, Trap):
        return None


def _ask(engine: Engine, module: Module) -> bytes | None:
    store = Store(engine)
    store.set_limits(memory_size=1024 * WASM_PAGE)
    store.set_fuel(ABI_FUEL)
    store.set_epoch_deadline(1 << 40)
    try:
        instance = _bare_linker(engine).instantiate(store, module)
        return _read(store, instance)
    finally:
        store.close()


def _read(store: Store, instance: Instance) -> bytes | None:
    exports = instance.exports(store)
    memory, pointer, length = (exports.get(name) for name in ("memory", ABI_POINTER, ABI_LENGTH))
    if not isinstance(memory, Memory) or not isinstance(pointer, Func) or not isinstance(length, Func):
        return None
    address, size = pointer(store), length(store)
    if not isinstance(address, int) or not isinstance(size, int) or not 0 < size <= MAX_MANIFEST:
        return None
    address &= 0xFFFFFFFF
    raw = bytes(memory.read(store, address, address + size))
    return raw if len(raw) == size else None


def _bare_linker(engine: Engine) -> Linker:
    """All imports are there so that the module links; each of them traps."""
    linker = Linker(engine)
    for row in TABLE.values():
        params, results = ([_type(kind) for kind in kinds] for kinds in (row.wasm_params, row.wasm_results))
        linker.define_func(MODULE, row.name, FuncType(params, results), _refuse)
    return linker


def _type(kind: str) -> ValType:
    return ValType.i32() if kind == "i32" else ValType.i64()


def _refuse(*_arguments: object) -> None:
    raise Trap("no host functions while the manifest is read")


@dataclass(frozen=True, slots=True)
class Inspection:
    """A file and what was found, or why it cannot be told."""

    path: Path
    report: ModuleReport | None
    problem: str | None = None

    def to_json(self) -> dict[str, object]:
        body: dict[str, object] = (
            self.report.to_json() if self.report else {"supported": False, "problems": [self.problem]}
        )
        return {"file": str(self.path), **body}


def inspect_file(path: Path) -> Inspection:
    """Inspect a ``.wasm`` file, or the module of a bundle.

    The manifest of a module that holds none is the bundle's, or ``NAME.abi.json`` or ``abi.json`` beside the file.
    """
    try:
        content = path.read_bytes()
        if not is_bundle(content):
            return Inspection(path, inspect_module(content, sidecar=_sidecar(path)))
        bundle = read_bundle(content)
        return Inspection(path, inspect_module(bundle.module, sidecar=bundle.abi))
    except (OSError, CalimeroError) as error:
        return Inspection(path, None, str(error))


def _sidecar(path: Path) -> bytes | None:
    for candidate in (path.with_suffix(".abi.json"), path.with_name("abi.json")):
        if candidate.is_file():
            return candidate.read_bytes()
    return None


def main(arguments: list[str]) -> int:
    """Exit code 0 if every file runs here, else 1."""
    found = [inspect_file(Path(argument)) for argument in arguments]
    for inspection in found:
        sys.stdout.write(json.dumps(inspection.to_json(), ensure_ascii=False) + "\n")
    return 0 if all(i.report is not None and i.report.supported for i in found) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
