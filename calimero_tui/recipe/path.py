"""Paths into JSON values: ``a.b[0]``. In templates ``[name]`` takes the key from a variable. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SEGMENT: Final = re.compile(r"\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(-?\d+)\]|\[([A-Za-z_][A-Za-z0-9_-]*)\]")


@dataclass(frozen=True, slots=True)
class Variable:
    """A segment whose key or index is the value of a variable."""

    name: str


Segment = str | int | Variable


class NoValue(LookupError):
    """The path leads nowhere; the text says where it ends."""


def parse(text: str) -> tuple[Segment, ...]:
    """The segments of a path; an empty one is the whole value. Raises ``ValueError``."""
    segments: list[Segment] = []
    at = 0
    while at < len(text):
        found = _SEGMENT.match(text, at)
        if found is None or (text[at] != "." and found[1] and at > 0) or (at == 0 and text[0] == "."):
            raise ValueError(f"{text!r} is no path like a.b[0]")
        segments.append(found[1] or (int(found[2]) if found[2] else Variable(found[3])))
        at = found.end()
    return tuple(segments)


def get(value: Any, segments: tuple[Segment, ...], scope: Mapping[str, Any] | None = None) -> Any:
    """Follow a path. Raises :class:`NoValue`."""
    walked = ""
    for segment in segments:
        key = (scope or {})[segment.name] if isinstance(segment, Variable) else segment
        value = _step(value, key, walked)
        walked += f"[{key}]" if isinstance(key, int) else f".{key}"
    return value


def _step(value: Any, key: Any, walked: str) -> Any:
    place = walked.lstrip(".") or "the value"
    if isinstance(value, Mapping):
        if key in value:
            return value[key]
        raise NoValue(f"{place} has no {key!r}; it has: {', '.join(map(str, value)) or 'nothing'}")
    if isinstance(value, list) and isinstance(key, int):
        if -len(value) <= key < len(value):
            return value[key]
        raise NoValue(f"{place} has {len(value)} items, no item {key}")
    raise NoValue(f"{place} is {_kind(value)}, so it has no {key!r}")


def _kind(value: Any) -> str:
    names = {type(None): "null", bool: "true or false", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "a number")
