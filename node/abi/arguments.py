"""Arguments of a call against the manifest: every problem at once, each with the path of the wrong value.

The manifest does not say everything (how enums are tagged, whether a text is any JSON value), so what it leaves open
passes. Numbers follow the reference's parser. Source of the forms: core 0.10.0: crates/wasm-abi/src/normalize.rs.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from node.abi.manifest import Manifest, Method, Parameter, TypeRef, Variant
from node.errors import InvalidId
from node.primitives import ID_LENGTH, Id32

RANGES: Final = {
    "i32": (-(1 << 31), (1 << 31) - 1),
    "u32": (0, (1 << 32) - 1),
    "i64": (-(1 << 63), (1 << 63) - 1),
    "u64": (0, (1 << 64) - 1),
}
WIDE: Final = frozenset({"i64", "u64"})
MAX_ALIASES: Final = 32
"""Names followed before a chain of aliases counts as a circle."""


@dataclass(frozen=True, slots=True)
class Problem:
    """``path`` as ``user.tags[2]`` (empty: all arguments). ``fatal`` False: the call will run all the same."""

    path: str
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def encode_arguments(arguments: object) -> bytes:
    """JSON bytes as applications need them: raw UTF-8, never ASCII escapes, which borrowed texts refuse."""
    return json.dumps(arguments, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def check_arguments(
    manifest: Manifest, method: Method, arguments: object, *, javascript: bool = False
) -> list[Problem]:
    """Problems of ``arguments`` (parsed JSON: an object by name, or a list in order). Empty: the call is well formed.

    ``javascript``: the application is built with the JavaScript SDK, which also takes 64-bit numbers as texts.
    """
    check = _Check(manifest, javascript)
    if isinstance(arguments, list):
        return list(_by_order(check, method, arguments))
    if isinstance(arguments, dict):
        return list(check.fields(method.params, arguments, "", "argument"))
    if not method.params and arguments is None:
        return []
    return [Problem("", f"{method.name} takes an object of its arguments: {method}")]


def template(manifest: Manifest, method: Method) -> dict[str, object]:
    """An object with a placeholder of the right form for each parameter, for completion."""
    return {p.name: None if p.nullable else placeholder(manifest, p.type) for p in method.params}


def placeholder(manifest: Manifest, ref: TypeRef, depth: int = 0) -> object:
    """A value of the type: zero, empty, or the first variant."""
    if ref.kind == "ref":
        return _named_placeholder(manifest, ref.name, depth)
    if ref.kind == "record":
        return {f.name: None if f.nullable else placeholder(manifest, f.type, depth + 1) for f in ref.fields}
    simple: dict[str, object] = {"string": "", "bool": False, "unit": None, "f32": 0.0, "f64": 0.0, "map": {}}
    if ref.kind in simple:
        return simple[ref.kind]
    return [] if ref.kind in ("list", "bytes") else 0


def _named_placeholder(manifest: Manifest, name: str, depth: int) -> object:
    definition = manifest.named(name)
    if definition is None or depth > MAX_ALIASES:
        return None
    if definition.kind == "alias" and definition.target is not None:
        return placeholder(manifest, definition.target, depth + 1)
    if definition.kind == "record":
        return placeholder(manifest, TypeRef("record", fields=definition.fields), depth + 1)
    return _variant_placeholder(manifest, definition.variants, depth)


def _variant_placeholder(manifest: Manifest, variants: tuple[Variant, ...], depth: int) -> object:
    if not variants:
        return None
    first = variants[0]
    return first.name if first.payload is None else {first.name: placeholder(manifest, first.payload, depth + 1)}


def _by_order(check: _Check, method: Method, arguments: list[object]) -> Iterator[Problem]:
    if len(arguments) != len(method.params):
        yield Problem("", f"{method.name} takes {len(method.params)} arguments, {len(arguments)} are given: {method}")
        return
    for parameter, value in zip(method.params, arguments, strict=True):
        yield from check.parameter(parameter, value, parameter.name)


class _Check:
    """The walk through a value; yields problems."""

    def __init__(self, manifest: Manifest, javascript: bool) -> None:
        self._manifest = manifest
        self._javascript = javascript

    def fields(
        self, fields: tuple[Parameter, ...], value: dict[str, object], path: str, what: str
    ) -> Iterator[Problem]:
        known = {f.name: f for f in fields}
        for field in fields:
            where = f"{path}.{field.name}" if path else field.name
            if field.name in value:
                yield from self.parameter(field, value[field.name], where)
            elif not field.nullable:
                yield Problem(where, f"missing {what} of type {field.type}")
        for name in value:
            if name not in known:
                yield Problem(f"{path}.{name}" if path else name, _unknown(what, name, list(known)), fatal=False)

    def parameter(self, parameter: Parameter, value: object, path: str) -> Iterator[Problem]:
        if value is None and parameter.nullable:
            return
        yield from self.value(parameter.type, value, path)

    def value(self, ref: TypeRef, value: object, path: str, hops: int = 0) -> Iterator[Problem]:
        if ref.kind == "ref":
            yield from self._named(ref, value, path, hops)
        elif ref.kind == "record" and ref.crdt is not None:
            return
        else:
            yield from _CHECKS[ref.kind](self, ref, value, path)

    def _named(self, ref: TypeRef, value: object, path: str, hops: int) -> Iterator[Problem]:
        definition = self._manifest.named(ref.name)
        if definition is None or hops > MAX_ALIASES:
            return
        if definition.kind == "alias" and definition.target is not None:
            yield from self.value(definition.target, value, path, hops + 1)
        elif definition.kind == "record":
            yield from self.value(TypeRef("record", fields=definition.fields), value, path)
        elif definition.kind == "variant":
            yield from self._variant(ref.name, definition.variants, value, path)

    def _variant(self, name: str, variants: tuple[Variant, ...], value: object, path: str) -> Iterator[Problem]:
        """Only the default tagging can be judged: ``"Name"`` or ``{"Name": payload}``."""
        by_name = {v.name: v for v in variants}
        if isinstance(value, str) and value not in by_name:
            yield Problem(path, f"{value!r} is no variant of {name}: {', '.join(by_name)}")
        if isinstance(value, dict) and len(value) == 1:
            tag, payload = next(iter(value.items()))
            known = by_name.get(tag)
            if known is not None and known.payload is not None:
                yield from self.value(known.payload, payload, f"{path}.{tag}")

    def bool(self, _ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if not isinstance(value, bool):
            yield _wrong("true or false", value, path)

    def string(self, _ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if not isinstance(value, str):
            yield _wrong("a text", value, path)

    def unit(self, _ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if value is not None:
            yield _wrong("null", value, path)

    def integer(self, ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        low, high = RANGES[ref.kind]
        number = self._as_integer(ref, value)
        if number is None:
            yield _wrong(f"an integer ({ref.kind})", value, path)
        elif not low <= number <= high:
            yield Problem(path, f"{number} is outside {ref.kind}: {low} to {high}")

    def _as_integer(self, ref: TypeRef, value: object) -> int | None:
        if isinstance(value, int) and not isinstance(value, bool):
            return value
        if self._javascript and ref.kind in WIDE and isinstance(value, str) and value.lstrip("-").isdecimal():
            return int(value)
        return None

    def number(self, _ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if not isinstance(value, int | float) or isinstance(value, bool):
            yield _wrong("a number", value, path)

    def bytes(self, ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if isinstance(value, str):
            yield from _text_bytes(ref, value, path)
        elif not isinstance(value, list):
            yield _wrong("a list of bytes (0 to 255)", value, path)
        else:
            yield from _list_bytes(ref, value, path)

    def list(self, ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if not isinstance(value, list):
            yield _wrong("a list", value, path)
        elif ref.item is not None:
            for index, item in enumerate(value):
                yield from self.value(ref.item, item, f"{path}[{index}]")

    def map(self, ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _wrong("an object", value, path)
        elif ref.value is not None:
            for key, item in value.items():
                yield from self.value(ref.value, item, f"{path}.{key}")

    def record(self, ref: TypeRef, value: object, path: str) -> Iterator[Problem]:
        if not isinstance(value, dict):
            yield _wrong("an object", value, path)
        else:
            yield from self.fields(ref.fields, value, path, "field")


_CHECKS: Final[dict[str, Callable[[_Check, TypeRef, object, str], Iterator[Problem]]]] = {
    "bool": _Check.bool,
    "string": _Check.string,
    "unit": _Check.unit,
    "bytes": _Check.bytes,
    "list": _Check.list,
    "map": _Check.map,
    "record": _Check.record,
    "f32": _Check.number,
    "f64": _Check.number,
    **dict.fromkeys(RANGES, _Check.integer),
}


def _text_bytes(ref: TypeRef, value: str, path: str) -> Iterator[Problem]:
    """Keys and ids are bytes of size 32 in the manifest and base58 texts on the wire."""
    if ref.encoding == "hex":
        try:
            length = len(bytes.fromhex(value))
        except ValueError:
            yield Problem(path, f"{value!r} is not hexadecimal")
            return
        if ref.size is not None and length != ref.size:
            yield Problem(path, f"{ref.size} bytes are expected, {length} are given")
    elif ref.size == ID_LENGTH:
        try:
            Id32.parse(value)
        except InvalidId as error:
            yield Problem(path, str(error))
    else:
        yield _wrong("a list of bytes (0 to 255)", value, path)


def _list_bytes(ref: TypeRef, value: list[object], path: str) -> Iterator[Problem]:
    if ref.size is not None and len(value) != ref.size:
        yield Problem(path, f"{ref.size} bytes are expected, {len(value)} are given")
    for index, item in enumerate(value):
        if not isinstance(item, int) or isinstance(item, bool) or not 0 <= item <= 255:
            yield _wrong("a byte (0 to 255)", item, f"{path}[{index}]")
            return


def _wrong(expected: str, value: object, path: str) -> Problem:
    return Problem(path, f"{expected} is expected, {_described(value)} is given")


def _described(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, str | bool | int | float):
        text = json.dumps(value, ensure_ascii=False)
        return text if len(text) <= 40 else f"{text[:39]}…"
    return "an object" if isinstance(value, dict) else "a list"


def _unknown(what: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    hint = f", did you mean {near[0]!r}?" if near else f" (known: {', '.join(known) or 'none'})"
    return f"unknown {what}{hint}"
