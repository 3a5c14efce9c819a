"""Inspection of an application file: what it is, what it offers, and whether this node can run it. Runs nothing.

The functions that a host offers come in as an argument, so that the judgement and the linker use one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from node.abi.interface import Interface, try_interface
from node.abi.module import PAGE, Import, Signature, WasmModule, parse_module

HOST_MODULE: Final = "env"
SYNC_EXPORT: Final = "__calimero_sync_next"
MERGE_EXPORT: Final = "__calimero_register_merge"
JS_MARKS: Final = frozenset({"persist_root_state", "read_root_state", "flush_delta", "apply_storage_delta"})
PYTHON_SECTION: Final = "calimero_python_v1"


@dataclass(frozen=True, slots=True)
class ImportReport:
    """One import. ``problem`` None: the host offers exactly this."""

    module: str
    name: str
    signature: str
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class ModuleReport:
    """Everything known about a file. ``flavour``: rust, javascript, python, old (before September 2025) or unknown.

    ``problems`` are reasons why it does not run here, empty when it does. ``compile_ms`` is filled in by the engine.
    """

    size: int
    flavour: str
    methods: tuple[str, ...]
    signatures: tuple[str, ...]
    imports: tuple[ImportReport, ...]
    memory_pages: int
    abi: str | None
    events: tuple[str, ...]
    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    compile_ms: float | None = None

    @property
    def supported(self) -> bool:
        return not self.problems

    def with_compile_time(self, milliseconds: float) -> ModuleReport:
        return replace(self, compile_ms=milliseconds)

    def with_problem(self, problem: str) -> ModuleReport:
        return replace(self, problems=(*self.problems, problem))

    def to_json(self) -> dict[str, object]:
        """Flat JSON values for the surfaces."""
        return {
            "size": self.size,
            "flavour": self.flavour,
            "supported": self.supported,
            "methods": list(self.methods),
            "signatures": list(self.signatures),
            "imports": [
                {"name": f"{i.module}.{i.name}", "type": i.signature, "problem": i.problem} for i in self.imports
            ],
            "memoryBytes": self.memory_pages * PAGE,
            "abi": self.abi,
            "events": list(self.events),
            "problems": list(self.problems),
            "warnings": list(self.warnings),
            "compileMs": self.compile_ms,
        }


def inspect(
    raw: bytes, offered: Mapping[str, Signature], *, sidecar: bytes | None = None, max_size: int
) -> ModuleReport:
    """Judge a module against what a host offers (name to signature, in ``env``). Raises DecodeError for no module."""
    module = parse_module(raw)
    interface, damage = try_interface(module, sidecar)
    imports = tuple(_judge(i, offered) for i in module.imports)
    problems = [f"import {i.module}.{i.name}: {i.problem}" for i in imports if i.problem]
    return ModuleReport(
        size=len(raw),
        flavour=flavour(module, imports),
        methods=tuple(m.name for m in interface.methods),
        signatures=tuple(str(m) for m in interface.methods) if interface.typed else (),
        imports=imports,
        memory_pages=module.memory_pages,
        abi=interface.source,
        events=tuple(e.name for e in interface.manifest.events) if interface.manifest else (),
        problems=(*problems, *_structure(module, len(raw), max_size)),
        warnings=tuple(_warnings(module, interface, damage)),
    )


def flavour(module: WasmModule, imports: tuple[ImportReport, ...] = ()) -> str:
    """Which SDK made the module."""
    names = {i.name for i in module.imports if i.module == HOST_MODULE}
    if PYTHON_SECTION in module.customs:
        return "python"
    if names & JS_MARKS or any(name.startswith("js_") for name in names):
        return "javascript"
    if any(i.problem and "another type" in i.problem for i in imports):
        return "old"
    return "rust" if SYNC_EXPORT in module.export_names else "unknown"


def _judge(wanted: Import, offered: Mapping[str, Signature]) -> ImportReport:
    signature = str(wanted.signature) if wanted.signature is not None else wanted.kind
    return ImportReport(wanted.module, wanted.name, signature, _import_problem(wanted, offered))


def _import_problem(wanted: Import, offered: Mapping[str, Signature]) -> str | None:
    if wanted.module != HOST_MODULE:
        hint = "; build the app so that WASI is stubbed out" if wanted.module.startswith("wasi") else ""
        return f"only module {HOST_MODULE!r} is offered{hint}"
    have = offered.get(wanted.name)
    if have is None:
        return "no such host function"
    return None if have == wanted.signature else f"the host function has another type: {have}"


def _structure(module: WasmModule, size: int, max_size: int) -> list[str]:
    problems = []
    if size > max_size:
        problems.append(f"the file has {size} bytes, at most {max_size} are accepted")
    if not any(e.name == "memory" and e.kind == "memory" for e in module.exports):
        problems.append("no memory is exported under the name 'memory'")
    if not module.methods:
        problems.append("no export of type () -> () can be called as a method")
    return problems


def _warnings(module: WasmModule, interface: Interface, damage: str | None) -> list[str]:
    warnings = []
    if damage:
        warnings.append(f"the ABI manifest is damaged: {damage}")
    if "init" not in module.methods:
        warnings.append("no export 'init': no context can be created with it")
    if SYNC_EXPORT not in module.export_names:
        warnings.append(f"no export {SYNC_EXPORT!r}: changes of other members cannot be applied")
    if not interface.typed:
        warnings.append("no ABI manifest: arguments cannot be checked or completed")
    return warnings
