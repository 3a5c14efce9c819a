"""Borsh: values to bytes and back, from type descriptions.

A type is described by annotations: ``u8`` … ``i128``, ``bool``, ``f64``, ``bytes``, ``str``, ids, ``Fixed`` bytes,
``list``, ``tuple``, ``dict``, optionals, dataclasses, and unions of classes marked by :func:`variant`. Functions are
generated once per type and kept.

Decoding is strict: lengths are checked against the bytes that are left before anything is built, tags, bools and UTF-8
are checked, map keys ascend, nothing may be left over. Whatever is wrong is a :class:`~node.errors.DecodeError`, and
accepted bytes encode to themselves. A value that cannot be written is a :class:`~node.errors.CodecError`.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Generic, TypeAlias, TypeVar, overload

from node.codec.places import DECODE_CAUGHT, ENCODE_CAUGHT, decode_error, encode_error
from node.codec.reading import reader
from node.codec.schema import Fixed, Int, Max, describe, variant
from node.codec.writing import writer
from node.errors import DecodeError

__all__ = [
    "MAX_INPUT", "Codec", "Decoder", "Fixed", "Max", "codec", "decode", "encode", "f64",
    "i8", "i16", "i32", "i64", "i128", "u8", "u16", "u32", "u64", "u128", "variant",
]  # fmt: skip

MAX_INPUT: Final = 64 << 20
"""Most bytes of one value. The largest honest ones are rows of 10 MiB; a frame carries 8 MiB."""

u8: TypeAlias = Annotated[int, Int(1)]
u16: TypeAlias = Annotated[int, Int(2)]
u32: TypeAlias = Annotated[int, Int(4)]
u64: TypeAlias = Annotated[int, Int(8)]
u128: TypeAlias = Annotated[int, Int(16)]
i8: TypeAlias = Annotated[int, Int(1, signed=True)]
i16: TypeAlias = Annotated[int, Int(2, signed=True)]
i32: TypeAlias = Annotated[int, Int(4, signed=True)]
i64: TypeAlias = Annotated[int, Int(8, signed=True)]
i128: TypeAlias = Annotated[int, Int(16, signed=True)]
f64: TypeAlias = float

Value = TypeVar("Value")


class Codec(Generic[Value]):
    """Encoder and decoder of one type; get it from :func:`codec`."""

    __slots__ = ("_name", "_read", "_write")

    def __init__(self, kind: object) -> None:
        node = describe(kind)
        self._name = getattr(kind, "__name__", str(kind))
        self._read = reader(node)
        self._write = writer(node)

    def encode(self, value: Value) -> bytes:
        """Raises :class:`CodecError` naming the field that does not fit."""
        pieces: list[bytes] = []
        try:
            self._write(value, pieces.append)
        except ENCODE_CAUGHT as error:
            raise encode_error(error, self._name) from error
        return b"".join(pieces)

    def decode(self, data: bytes) -> Value:
        """Read the whole of ``data``. Raises :class:`DecodeError`."""
        value, end = self.decode_prefix(data)
        if end == len(data):
            return value
        raise DecodeError(f"{len(data) - end} bytes are left over", offset=end, field="")

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[Value, int]:
        """Read a value at ``offset``; answers it and the offset behind it. Raises :class:`DecodeError`."""
        if len(data) > MAX_INPUT:
            raise DecodeError(f"{len(data)} bytes are above the limit {MAX_INPUT}", offset=0, field="")
        try:
            return self._read(data, offset)  # type: ignore[return-value]  # generated for this type
        except DECODE_CAUGHT as error:
            raise decode_error(error) from error


_KEPT: Final[dict[object, Codec[Any]]] = {}


@overload
def codec(kind: type[Value]) -> Codec[Value]: ...
@overload
def codec(kind: object) -> Codec[Any]: ...
def codec(kind: object) -> Codec[Any]:
    """The codec of a type. A union or a list is no ``type``: annotate the constant that keeps its codec."""
    known = _KEPT.get(kind)
    return known or _KEPT.setdefault(kind, Codec(kind))


def encode(value: object) -> bytes:
    """Bytes of a value of a described class. Raises :class:`CodecError`."""
    return codec(type(value)).encode(value)


def decode(kind: type[Value], data: bytes) -> Value:
    """Read the whole of ``data`` as ``kind``. Raises :class:`DecodeError` with offset and dotted field."""
    return codec(kind).decode(data)


class Decoder:
    """Reads one value after the other from the same bytes."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset = offset

    def take(self, kind: Codec[Value] | type[Value]) -> Value:
        """The next value. Raises :class:`DecodeError`."""
        using = kind if isinstance(kind, Codec) else codec(kind)
        value, self.offset = using.decode_prefix(self.data, self.offset)
        return value

    @property
    def left(self) -> int:
        """Bytes that are not read yet."""
        return len(self.data) - self.offset

    def finish(self) -> None:
        """Raises :class:`DecodeError` if bytes are left over."""
        if self.left:
            raise DecodeError(f"{self.left} bytes are left over", offset=self.offset, field="")
