"""JSON exactly as the reference's parser and writer treat it, and its error texts.

The bytes of call arguments reach the guest and may end up in shared state, so their form is a matter of consensus:
compact, key order kept, numbers as serde_json prints them. Nothing here knows a route or a request.
core 0.10.0 builds serde_json with ``preserve_order``; ids: crates/primitives/src/hash.rs.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, Final, TypeVar

import base58
import msgspec

from node.api.errors import BadRequest
from node.primitives import ID_LENGTH, MAX_ID_TEXT, Id32

__all__ = ["MAX_DEPTH", "canonical", "check_depth", "decode", "describe", "id_error", "parse", "parse_id"]

MAX_DEPTH: Final = 127
"""Levels of nesting; the reference's parser refuses the 128th, and a small stack must hold here as well."""

MIN_INT: Final = -(1 << 63)
MAX_INT: Final = (1 << 64) - 1
"""Integers beyond these are floats for the reference."""

I = TypeVar("I", bound=Id32)  # noqa: E741 - an id

_STRING: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"', re.DOTALL)
_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))
_STEP: Final = {0x5B: 1, 0x7B: 1, 0x5D: -1, 0x7D: -1}
_ODD_NUMBER: Final = re.compile(rb"-0(?![.0-9eE])|[0-9]{19,}")
"""What serde_json reads as another type than msgspec: minus zero, and integers that may not fit 64 bits."""


def parse(raw: bytes) -> Any:
    """A JSON value with whole numbers as they are, however large, for fields whose type is known.

    Raises :class:`BadRequest` with the parser's complaint.
    """
    check_depth(raw)
    try:
        return msgspec.json.decode(raw)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise BadRequest(_syntax(error)) from error


def decode(raw: bytes) -> Any:
    """A JSON value as serde_json holds one of any type. Raises :class:`BadRequest`."""
    value = parse(raw)
    if _ODD_NUMBER.search(raw) is None:
        return value
    try:
        return json.loads(raw, parse_int=_integer)
    except ValueError as error:
        raise BadRequest(_syntax(error)) from error


def canonical(raw: bytes) -> bytes:
    """The bytes that serde_json writes after it has read ``raw``. Raises :class:`BadRequest`."""
    return msgspec.json.encode(decode(raw))


def check_depth(raw: bytes) -> None:
    """Refuse deep nesting before a parser descends into it."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    brackets = _STRING.sub(b"", raw).translate(None, _BRACKETS)
    if max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise BadRequest("recursion limit exceeded")


def _integer(text: str) -> int | float:
    if text == "-0":
        return -0.0
    if len(text) <= 20 and MIN_INT <= (value := int(text)) <= MAX_INT:
        return value
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("number out of range")
    return number


def _syntax(error: Exception) -> str:
    return str(error).replace("JSON is malformed: ", "").replace("Number out of range", "number out of range")


# -- ids


def parse_id(kind: type[I], text: str) -> I:
    """An id from base58. Raises :class:`BadRequest` with the reference's text."""
    try:
        return kind.parse(text)
    except ValueError as error:
        raise BadRequest(id_error(text)) from error


def id_error(text: str) -> str:
    """Why a text is no base58 of 32 bytes, in the reference's words."""
    number, too_small = 0, "buffer provided to decode base58 encoded string into was too small"
    if len(text) > MAX_ID_TEXT:
        return too_small
    for position, character in enumerate(text):
        if not character.isascii():
            return f"provided string contained non-ascii character starting at byte {position}"
        digit = base58.BITCOIN_ALPHABET.find(character.encode())
        if digit < 0:
            return f"provided string contained invalid character {_quoted(character)} at byte {position}"
        number = number * 58 + digit
        if number >> (ID_LENGTH * 8):
            return too_small
    return f"invalid length {len(text)}, expected a base58 encoded hash"


def _quoted(character: str) -> str:
    return {"'": r"'\''", "\n": r"'\n'", "\t": r"'\t'", "\r": r"'\r'", "\\": r"'\\'"}.get(character, f"'{character}'")


# -- texts of wrong shapes

_KINDS: Final[dict[str, str]] = {
    "str": "string", "int": "integer", "float": "floating point", "bool": "boolean", "null": "null",
    "array": "sequence", "object": "map",
}  # fmt: skip
_WANTED: Final[dict[str, str]] = {
    "str": "a string", "int": "an integer", "array": "a sequence", "object": "a map", "bool": "a boolean",
}  # fmt: skip
_MISSING: Final = re.compile(r"Object missing required field `(\w+)`")
_WRONG: Final = re.compile(r"Expected `([^`]+)`, got `([^`]+)`")
_VARIANT: Final = re.compile(r"Invalid enum value '(.*)'$", re.DOTALL)
_PLACE: Final = re.compile(r" - at `\$(.*)`$")


def describe(error: msgspec.ValidationError) -> str:
    """msgspec's complaint about a shape in the form ``path: message`` of the reference."""
    text = str(error)
    place = _PLACE.search(text)
    path = place[1].lstrip(".") if place else ""
    message = _message(_PLACE.sub("", text))
    return f"{path}: {message}" if path else message


def _message(text: str) -> str:
    if (found := _MISSING.match(text)) is not None:
        return f"missing field `{found[1]}`"
    if (found := _VARIANT.match(text)) is not None:
        return f"unknown variant `{found[1]}`"
    if (found := _WRONG.match(text)) is not None:
        wanted = found[1].split(" | ")[0]
        return f"invalid type: {_KINDS.get(found[2], found[2])}, expected {_WANTED.get(wanted, wanted)}"
    return text
