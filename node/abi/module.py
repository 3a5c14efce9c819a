"""A WebAssembly file as data: imports, exports, memory, custom sections, constants. Pure, no engine, nothing is run.

Understands as much as Calimero applications contain (the MVP plus reference types); it does not validate code.
Source: WebAssembly core specification 1.0, section 5.5.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal

from node.abi.reader import Reader
from node.errors import DecodeError

MAGIC: Final = b"\0asm\1\0\0\0"
PAGE: Final = 64 * 1024

VALUE_TYPES: Final = {
    0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128", 0x70: "funcref", 0x6F: "externref",
}  # fmt: skip

Kind = Literal["function", "table", "memory", "global", "tag"]
KINDS: Final[tuple[Kind, ...]] = ("function", "table", "memory", "global", "tag")

I32_CONST: Final = 0x41
I64_CONST: Final = 0x42
END: Final = 0x0B


@dataclass(frozen=True, slots=True)
class Signature:
    """A function type; ``str()`` gives ``(i64, i64) -> i32``."""

    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"({', '.join(self.params)}) -> {', '.join(self.results) or '()'}"


METHOD: Final = Signature()


@dataclass(frozen=True, slots=True)
class Import:
    """``signature`` is None for anything but a function."""

    module: str
    name: str
    kind: Kind
    signature: Signature | None = None


@dataclass(frozen=True, slots=True)
class Export:
    name: str
    kind: Kind
    index: int
    signature: Signature | None = None

    @property
    def is_method(self) -> bool:
        return self.signature == METHOD


@dataclass(frozen=True, slots=True)
class Data:
    """An active data segment: where it is put in memory, and its bytes."""

    offset: int
    content: bytes


@dataclass
class WasmModule:
    """The parts of a module that say what it is. ``size`` is in bytes, ``memory_pages`` the initial size."""

    size: int
    types: list[Signature] = field(default_factory=list)
    imports: list[Import] = field(default_factory=list)
    functions: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    data: list[Data] = field(default_factory=list)
    customs: dict[str, bytes] = field(default_factory=dict)
    memory_pages: int = 0
    memory_maximum: int | None = None
    has_start: bool = False

    @property
    def methods(self) -> list[str]:
        """Names of the exports that can be called, in the file's order; the SDK's own (``_…``) are left out."""
        return [e.name for e in self.exports if e.is_method and not e.name.startswith("_")]

    @cached_property
    def export_names(self) -> frozenset[str]:
        return frozenset(e.name for e in self.exports)

    def export(self, name: str) -> Export | None:
        return next((e for e in self.exports if e.name == name), None)

    def constant(self, name: str) -> int | None:
        """What an exported function without parameters gives, if its body is one integer constant."""
        export = self.export(name)
        if export is None or export.signature is None or export.signature.params:
            return None
        imported = sum(1 for i in self.imports if i.kind == "function")
        index = export.index - imported
        return _constant(self.bodies[index]) if 0 <= index < len(self.bodies) else None

    def initial_bytes(self, address: int, length: int) -> bytes | None:
        """A range of memory as the data segments fill it, if one of them holds it whole."""
        for segment in reversed(self.data):
            start = address - segment.offset
            if start >= 0 and start + length <= len(segment.content):
                return segment.content[start : start + length]
        return None


def parse_module(raw: bytes) -> WasmModule:
    """Read a module. Raises DecodeError that names the section."""
    if not raw.startswith(MAGIC):
        raise DecodeError("no WebAssembly module of version 1", offset=0, field="magic")
    module = WasmModule(len(raw))
    cursor = Reader(raw, len(MAGIC), len(raw), "section")
    while not cursor.done:
        _read_section(module, cursor)
    _resolve_exports(module)
    return module


def _read_section(module: WasmModule, cursor: Reader) -> None:
    tag = cursor.byte()
    section = cursor.part(cursor.u32(), f"section {tag}")
    read = _SECTIONS.get(tag)
    if read is not None:
        read(module, section)


def _custom(module: WasmModule, section: Reader) -> None:
    name = section.name()
    module.customs.setdefault(name, section.take(section.end - section.offset))


def _types(module: WasmModule, section: Reader) -> None:
    for _ in range(section.count()):
        if section.byte() != 0x60:
            raise section.fail("only function types are known")
        params, results = (tuple(_value_type(section) for _ in range(section.count())) for _ in range(2))
        module.types.append(Signature(params, results))


def _value_type(section: Reader) -> str:
    tag = section.byte()
    if tag not in VALUE_TYPES:
        raise section.fail(f"unknown value type 0x{tag:02x}")
    return VALUE_TYPES[tag]


def _imports(module: WasmModule, section: Reader) -> None:
    for _ in range(section.count()):
        source, name = section.name(), section.name()
        kind = _kind(section)
        module.imports.append(Import(source, name, kind, _import_type(module, section, kind)))


def _kind(section: Reader) -> Kind:
    tag = section.byte()
    if tag >= len(KINDS):
        raise section.fail(f"unknown kind {tag}")
    return KINDS[tag]


def _import_type(module: WasmModule, section: Reader, kind: Kind) -> Signature | None:
    if kind == "function":
        return _type_at(module, section, section.u32())
    if kind == "tag":
        section.byte()
        section.u32()
    else:
        _skip_type(section, kind)
    return None


def _skip_type(section: Reader, kind: Kind) -> None:
    if kind == "memory":
        _limits(section)
        return
    _value_type(section)
    if kind == "table":
        _limits(section)
    else:
        section.byte()


def _limits(section: Reader) -> tuple[int, int | None]:
    """Initial size and maximum; bit 0 of the flags announces a maximum."""
    flags = section.byte()
    least = section.u64()
    return least, section.u64() if flags & 1 else None


def _type_at(module: WasmModule, section: Reader, index: int) -> Signature:
    if index >= len(module.types):
        raise section.fail(f"type {index} does not exist")
    return module.types[index]


def _functions(module: WasmModule, section: Reader) -> None:
    module.functions = [section.u32() for _ in range(section.count())]


def _memories(module: WasmModule, section: Reader) -> None:
    for _ in range(section.count()):
        module.memory_pages, module.memory_maximum = _limits(section)


def _exports(module: WasmModule, section: Reader) -> None:
    for _ in range(section.count()):
        module.exports.append(Export(section.name(), _kind(section), section.u32()))


def _start(module: WasmModule, _section: Reader) -> None:
    module.has_start = True


def _code(module: WasmModule, section: Reader) -> None:
    module.bodies = [section.take(section.u32()) for _ in range(section.count())]


def _data(module: WasmModule, section: Reader) -> None:
    for _ in range(section.count()):
        flag = section.u32()
        if flag == 2:
            section.u32()
        offset = _offset(section) if flag != 1 else None
        content = section.take(section.u32())
        if offset is not None:
            module.data.append(Data(offset, content))


def _offset(section: Reader) -> int | None:
    """A constant address; None for one that depends on a global."""
    if section.byte() == I32_CONST:
        value: int | None = section.signed() & 0xFFFFFFFF
    else:
        section.u32()
        value = None
    if section.byte() != END:
        raise section.fail("only a constant address is known")
    return value


_SECTIONS: Final[dict[int, Callable[[WasmModule, Reader], None]]] = {
    0: _custom, 1: _types, 2: _imports, 3: _functions, 5: _memories, 7: _exports, 8: _start, 10: _code, 11: _data,
}  # fmt: skip


def _resolve_exports(module: WasmModule) -> None:
    imported = [i.signature for i in module.imports if i.kind == "function"]
    own = [module.types[i] if i < len(module.types) else None for i in module.functions]
    signatures = imported + own
    module.exports = [_with_signature(e, signatures) for e in module.exports]


def _with_signature(export: Export, signatures: list[Signature | None]) -> Export:
    if export.kind != "function":
        return export
    if export.index >= len(signatures):
        raise DecodeError(f"export {export.name!r} names function {export.index}", offset=0, field="exports")
    return Export(export.name, export.kind, export.index, signatures[export.index])


def _constant(body: bytes) -> int | None:
    """The value of a function body that is a single integer constant, as an unsigned 32-bit number."""
    reader = Reader(body, 0, len(body), "code")
    try:
        locals_count = reader.u32()
        if locals_count or reader.byte() not in (I32_CONST, I64_CONST):
            return None
        value = reader.signed() & 0xFFFFFFFF
        return value if reader.byte() == END and reader.done else None
    except DecodeError:
        return None
