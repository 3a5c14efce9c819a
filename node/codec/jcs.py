"""Canonical JSON (RFC 8785): one byte form per value, so that a signature over it can be checked again.

Members are sorted by the UTF-16 code units of their names, numbers have the shortest form that ECMAScript prints, and
strings escape what they must and no more. Numbers beyond the exact range of a double are refused: two programs would
print them differently.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final, TypeAlias

from node.errors import CodecError

Json: TypeAlias = bool | int | float | str | Sequence["Json"] | Mapping[str, "Json"] | None

MAX_EXACT: Final = 2**53 - 1
"""Largest integer that a double and its neighbours hold apart."""

MAX_DEPTH: Final = 128
"""Deepest nesting; honest documents have less than ten levels, and deeper ones would exhaust the stack."""

_SHORT: Final = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
_ESCAPED: Final = re.compile(r'[\x00-\x1f"\\]')


def canonical(value: Json) -> bytes:
    """UTF-8 of the canonical form. Raises :class:`CodecError` naming what cannot be written."""
    try:
        return _write(value, 0).encode()
    except UnicodeEncodeError as error:
        raise CodecError("a text with a lone surrogate has no canonical JSON form") from error


def _write(value: Json, depth: int) -> str:
    if depth > MAX_DEPTH:
        raise CodecError(f"JSON nested deeper than {MAX_DEPTH} levels has no canonical form here")
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return _object(value, depth)
    if isinstance(value, list | tuple):
        return f"[{','.join(_write(item, depth + 1) for item in value)}]"
    raise CodecError(f"{type(value).__name__} has no JSON form")


def _object(value: Mapping[str, Json], depth: int) -> str:
    if not all(isinstance(name, str) for name in value):
        raise CodecError("names of JSON members are texts")
    names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
    members = (f"{_string(name)}:{_write(value[name], depth + 1)}" for name in names)
    return f"{{{','.join(members)}}}"


def _string(text: str) -> str:
    escaped = _ESCAPED.sub(lambda found: _SHORT.get(found[0]) or f"\\u{ord(found[0]):04x}", text)
    return f'"{escaped}"'


def _number(value: float) -> str:
    if isinstance(value, int):
        if abs(value) > MAX_EXACT:
            raise CodecError(f"integer {value} is beyond the exact range of JSON numbers; write it as a text")
        return str(value)
    if not math.isfinite(value):
        raise CodecError(f"{value} has no JSON form")
    return _shortest(value) if value else "0"


def _shortest(value: float) -> str:
    """ECMAScript's form of a finite, non-zero double: the digits of ``repr``, laid out by its rules."""
    sign = "-" if value < 0 else ""
    mantissa, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, fraction = mantissa.partition(".")
    fraction = "" if fraction == "0" else fraction
    raw = whole + fraction
    point = len(whole) + int(exponent or 0) - (len(raw) - len(raw.lstrip("0")))
    digits = raw.strip("0")
    return sign + _lay_out(digits, point)


def _lay_out(digits: str, point: int) -> str:
    """``digits`` with the decimal point behind the first ``point`` of them."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    rest = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{digits[0]}{rest}e{point - 1:+d}"
