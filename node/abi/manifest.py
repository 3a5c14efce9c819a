"""The ABI manifest (``wasm-abi/1``) as types: methods, parameters, events and named types of an application.

Unknown keys are ignored, since newer SDKs add some; a known key of the wrong form is refused with its path.
Source: core 0.10.0: crates/wasm-abi/src/schema.rs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, TypeAlias

from node.errors import DecodeError

SCHEMA: Final = "wasm-abi/1"
MAX_DEPTH: Final = 64
"""Nesting of a type. Real ones reach five."""

MAX_MANIFEST: Final = 4 << 20
"""Bytes of manifest text; the largest known one has 60 KB."""

SCALARS: Final = frozenset({"bool", "i32", "i64", "u32", "u64", "f32", "f64", "string", "unit"})

Json: TypeAlias = dict[str, object]


@dataclass(frozen=True, slots=True)
class TypeRef:
    """A use of a type. ``kind`` is a scalar, bytes, list, map, record or ref; the other fields belong to some kinds.

    ``name`` is the target of a ref, ``size`` that of bytes, ``item`` of a list, ``key`` and ``value`` of a map,
    ``fields`` of a record. ``crdt`` and ``inner`` tell a collection from its plain form.
    """

    kind: str
    name: str = ""
    size: int | None = None
    encoding: str | None = None
    item: TypeRef | None = None
    key: TypeRef | None = None
    value: TypeRef | None = None
    fields: tuple[Parameter, ...] = ()
    crdt: str | None = None
    inner: TypeRef | None = None

    def __str__(self) -> str:
        return _shown(self)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method or a field of a record."""

    name: str
    type: TypeRef
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Method:
    """``returns`` None: nothing. ``str()`` gives ``set(key: string, value: string)``."""

    name: str
    params: tuple[Parameter, ...] = ()
    returns: TypeRef | None = None
    returns_nullable: bool = False

    def __str__(self) -> str:
        params = ", ".join(f"{p.name}{'?' if p.nullable else ''}: {p.type}" for p in self.params)
        result = f" -> {self.returns}{'?' if self.returns_nullable else ''}" if self.returns else ""
        return f"{self.name}({params}){result}"


@dataclass(frozen=True, slots=True)
class Event:
    name: str
    payload: TypeRef | None = None


@dataclass(frozen=True, slots=True)
class Variant:
    name: str
    payload: TypeRef | None = None


@dataclass(frozen=True, slots=True)
class TypeDef:
    """A named type: record (``fields``), variant (``variants``), bytes or alias (``target``)."""

    kind: str
    fields: tuple[Parameter, ...] = ()
    variants: tuple[Variant, ...] = ()
    target: TypeRef | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """The interface of one application."""

    methods: tuple[Method, ...]
    events: tuple[Event, ...] = ()
    types: dict[str, TypeDef] | None = None
    state_root: str | None = None
    schema_version: str = SCHEMA

    def method(self, name: str) -> Method | None:
        return next((m for m in self.methods if m.name == name), None)

    def named(self, name: str) -> TypeDef | None:
        return (self.types or {}).get(name)


def parse_manifest(raw: bytes) -> Manifest:
    """Read manifest JSON. Raises DecodeError with the path of the wrong field."""
    if len(raw) > MAX_MANIFEST:
        raise DecodeError(f"manifest of {len(raw)} bytes", offset=0, field="")
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DecodeError(f"manifest is not JSON: {error}", offset=0, field="") from error
    root = _object(document, "")
    return Manifest(
        methods=tuple(_method(row, path) for row, path in _rows(root, "methods", "")),
        events=tuple(Event(*_named_payload(row, path)) for row, path in _rows(root, "events", "")),
        types={name: _typedef(row, f"types.{name}") for name, row in _object(root.get("types") or {}, "types").items()},
        state_root=_optional_text(root, "state_root", ""),
        schema_version=_optional_text(root, "schema_version", "") or SCHEMA,
    )


def _bad(message: str, path: str) -> DecodeError:
    return DecodeError(message, offset=0, field=path)


def _object(value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise _bad("an object is expected", path)
    return value


def _rows(parent: Json, key: str, path: str) -> list[tuple[Json, str]]:
    rows = parent.get(key)
    if rows is None:
        return []
    where = f"{path}.{key}" if path else key
    if not isinstance(rows, list):
        raise _bad("a list is expected", where)
    return [(_object(row, f"{where}[{index}]"), f"{where}[{index}]") for index, row in enumerate(rows)]


def _text(row: Json, key: str, path: str) -> str:
    value = row.get(key)
    if not isinstance(value, str):
        raise _bad("a text is expected", f"{path}.{key}" if path else key)
    return value


def _optional_text(row: Json, key: str, path: str) -> str | None:
    return None if row.get(key) is None else _text(row, key, path)


def _method(row: Json, path: str) -> Method:
    returns = row.get("returns")
    result = None if returns is None else _type(returns, f"{path}.returns", 0)
    return Method(
        name=_text(row, "name", path),
        params=_parameters(row, "params", path, 0),
        returns=None if result is None or result.kind == "unit" else result,
        returns_nullable=row.get("returns_nullable") is True,
    )


def _parameters(row: Json, key: str, path: str, depth: int) -> tuple[Parameter, ...]:
    return tuple(
        Parameter(_text(p, "name", where), _type(p.get("type"), f"{where}.type", depth + 1), p.get("nullable") is True)
        for p, where in _rows(row, key, path)
    )


def _named_payload(row: Json, path: str) -> tuple[str, TypeRef | None]:
    payload = row.get("payload")
    return _text(row, "name", path), None if payload is None else _type(payload, f"{path}.payload", 0)


def _typedef(value: object, path: str) -> TypeDef:
    row = _object(value, path)
    kind = _text(row, "kind", path)
    if kind == "record":
        return TypeDef(kind, fields=_parameters(row, "fields", path, 0))
    if kind == "variant":
        return TypeDef(
            kind, variants=tuple(Variant(*_named_payload(v, where)) for v, where in _rows(row, "variants", path))
        )
    if kind == "alias":
        return TypeDef(kind, target=_type(row.get("target"), f"{path}.target", 0))
    return TypeDef("alias", target=_type(row, path, 0))


def _type(value: object, path: str, depth: int) -> TypeRef:
    if depth > MAX_DEPTH:
        raise _bad(f"types are nested deeper than {MAX_DEPTH}", path)
    if isinstance(value, str):
        value = {"kind": value}
    row = _object(value, path)
    if "$ref" in row:
        return TypeRef("ref", name=_text(row, "$ref", path))
    kind = _text(row, "kind", path)
    if kind in SCALARS:
        return TypeRef(kind)
    read = _COMPOUND.get(kind)
    if read is None:
        raise _bad(f"unknown kind of type {kind!r}", path)
    return read(row, path, depth)


def _bytes(row: Json, path: str, _depth: int) -> TypeRef:
    size = row.get("size")
    if size is not None and (not isinstance(size, int) or isinstance(size, bool) or size < 0):
        raise _bad("a number of bytes is expected", f"{path}.size")
    return TypeRef("bytes", size=size, encoding=_optional_text(row, "encoding", path))


def _list(row: Json, path: str, depth: int) -> TypeRef:
    item = _type(row.get("items"), f"{path}.items", depth + 1)
    return TypeRef("list", item=item, crdt=_optional_text(row, "crdt_type", path), inner=_inner(row, path, depth))


def _map(row: Json, path: str, depth: int) -> TypeRef:
    key, value = (_type(row.get(part), f"{path}.{part}", depth + 1) for part in ("key", "value"))
    crdt = _optional_text(row, "crdt_type", path)
    return TypeRef("map", key=key, value=value, crdt=crdt, inner=_inner(row, path, depth))


def _record(row: Json, path: str, depth: int) -> TypeRef:
    fields = _parameters(row, "fields", path, depth)
    return TypeRef("record", fields=fields, crdt=_optional_text(row, "crdt_type", path), inner=_inner(row, path, depth))


def _inner(row: Json, path: str, depth: int) -> TypeRef | None:
    inner = row.get("inner_type")
    return None if inner is None else _type(inner, f"{path}.inner_type", depth + 1)


_COMPOUND: Final = {"bytes": _bytes, "list": _list, "map": _map, "record": _record}


def _shown(ref: TypeRef) -> str:
    """A short text for people."""
    if ref.kind == "ref":
        return ref.name
    if ref.kind == "bytes":
        return "bytes" if ref.size is None else f"bytes[{ref.size}]"
    if ref.kind == "list":
        return f"list<{ref.item}>"
    if ref.kind == "map":
        return f"map<{ref.key}, {ref.value}>"
    if ref.kind == "record":
        return ref.crdt or f"{{{', '.join(f'{f.name}: {f.type}' for f in ref.fields)}}}"
    return ref.kind
