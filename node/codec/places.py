"""Generated source with a memory: every line knows which field it reads, so a failure names field and offset.

The fast path pays nothing for it. When a generated function raises, the traceback says which line did, and the table
of that function says what the line was reading. Only this module looks at tracebacks.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType, FunctionType, TracebackType
from typing import Final

from node.errors import CalimeroError, CodecError, DecodeError

INDENT: Final = "    "


class Refusal(Exception):
    """A generated check failed; turned into a :class:`DecodeError` or :class:`CodecError` before anyone sees it."""


DECODE_CAUGHT: Final = (Refusal, CalimeroError, struct.error, IndexError, ValueError)
"""What generated code and the constructors that it calls raise on foreign bytes."""

ENCODE_CAUGHT: Final = (*DECODE_CAUGHT, TypeError, AttributeError, OverflowError)
"""A value of ours may also be of the wrong type, or an integer too wide."""


@dataclass(frozen=True, slots=True)
class Place:
    """What a line handles: a dotted path with ``{i1}`` for loop counters, and where it begins.

    ``back`` bytes before the reading position is where the field starts. ``run`` lists (path, size) of the fields that
    one unpack reads.
    """

    path: str = ""
    back: int = 0
    run: tuple[tuple[str, int], ...] = ()


_TABLES: Final[dict[CodeType, dict[int, Place]]] = {}


@dataclass
class Source:
    """Lines of one generated function and the objects that they name."""

    lines: list[str] = field(default_factory=list)
    places: dict[int, Place] = field(default_factory=dict)
    names: dict[str, object] = field(default_factory=dict)
    depth: int = 0
    _serial: int = 0

    def line(self, text: str, place: Place | None = None) -> None:
        self.lines.append(INDENT * self.depth + text)
        if place is not None:
            self.places[len(self.lines)] = place

    def fresh(self, prefix: str) -> str:
        """A variable name that is used nowhere else in the function."""
        self._serial += 1
        return f"{prefix}{self._serial}"

    def bind(self, value: object, prefix: str) -> str:
        """A global name for ``value``."""
        name = self.fresh(prefix)
        self.names[name] = value
        return name

    def build(self, name: str) -> Callable[..., object]:
        """Compile the lines, which define one function ``name``."""
        scope = dict(self.names)
        exec(compile("\n".join(self.lines), f"<borsh {name}>", "exec"), scope)  # noqa: S102  # our own source
        function = scope[name]
        assert isinstance(function, FunctionType)
        _TABLES[function.__code__] = self.places
        return function


def _steps(trace: TracebackType | None) -> Iterator[tuple[FrameType, Place]]:
    """The generated lines that a traceback went through, outermost first."""
    while trace is not None:
        places = _TABLES.get(trace.tb_frame.f_code)
        if places is not None:
            yield trace.tb_frame, places.get(trace.tb_lineno, Place())
        trace = trace.tb_next


def decode_error(error: Exception) -> DecodeError:
    """What was wrong with foreign bytes, in the terms of their description."""
    steps = list(_steps(error.__traceback__))
    frame, place = steps[-1]
    offset, size = int(frame.f_locals["o"]) - place.back, len(frame.f_locals["d"])
    paths, message = [_resolve(place.path, frame) for frame, place in steps], str(error)
    for path, width in place.run if isinstance(error, struct.error | IndexError) else ():
        if offset + width > size:
            paths[-1] = _resolve(path, frame)
            message = f"{width} bytes are needed, {size - offset} are left"
            break
        offset += width
    return DecodeError(message, offset=offset, field=join(*paths))


def encode_error(error: Exception, name: str) -> CodecError:
    """Which field of a value of ours could not be written."""
    paths = [_resolve(place.path, frame) for frame, place in _steps(error.__traceback__)]
    return CodecError(f"{name} cannot be written: {error} (field {join(*paths) or '<root>'})")


def join(*parts: str) -> str:
    """A dotted path; an index is joined without a dot."""
    whole = ""
    for part in parts:
        whole += f".{part}" if whole and part and not part.startswith("[") else part
    return whole


def _resolve(path: str, frame: FrameType) -> str:
    return path.format_map(frame.f_locals) if "{" in path else path
