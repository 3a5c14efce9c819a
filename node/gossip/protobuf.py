"""The part of protobuf's wire form that libp2p's messages need: varints and length-delimited fields.

Reading is strict where it matters (a varint is at most 64 bits and minimal enough to end, no length runs past the end)
and tolerant where protobuf demands it: the caller skips field numbers that it does not know.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from node.errors import DecodeError

VARINT: Final = 0
FIXED64: Final = 1
LENGTH: Final = 2
FIXED32: Final = 5

_FIXED_SIZE: Final = {FIXED64: 8, FIXED32: 4}
_MAX_VARINT_BYTES: Final = 10
_MAX_UINT64: Final = 2**64 - 1


def encode_varint(value: int) -> bytes:
    """An unsigned varint; ``value`` below 2**64."""
    if value < 0x80:
        return bytes((value,))
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def decode_varint(data: bytes | bytearray | memoryview, offset: int = 0) -> tuple[int, int] | None:
    """``(value, offset behind it)``, or None when the bytes end inside the varint.

    Raises :class:`DecodeError` for more than 64 bits.
    """
    value = shift = 0
    for index in range(offset, min(len(data), offset + _MAX_VARINT_BYTES)):
        byte = data[index]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            if value > _MAX_UINT64:
                raise DecodeError("varint of more than 64 bits", offset=offset, field="varint")
            return value, index + 1
        shift += 7
    if len(data) - offset >= _MAX_VARINT_BYTES:
        raise DecodeError("varint of more than 10 bytes", offset=offset, field="varint")
    return None


def bytes_field(number: int, value: bytes) -> bytes:
    """A length-delimited field with its tag."""
    return encode_varint(number << 3 | LENGTH) + encode_varint(len(value)) + value


def text_field(number: int, value: str) -> bytes:
    """A string field with its tag."""
    return bytes_field(number, value.encode())


def varint_field(number: int, value: int) -> bytes:
    """An integer, enum or bool field with its tag."""
    return encode_varint(number << 3 | VARINT) + encode_varint(value)


def prefixed(body: bytes) -> bytes:
    """``body`` behind its length as an unsigned varint: the frame of gossipsub, identify and Kademlia."""
    return encode_varint(len(body)) + body


def read_fields(data: bytes, what: str) -> Iterator[tuple[int, int | bytes]]:
    """``(field number, value)`` of each field in order: ``int`` for varints, ``bytes`` for all other wire types.

    Raises :class:`DecodeError` naming ``what`` for bytes that are no protobuf message.
    """
    offset = 0
    while offset < len(data):
        key, offset = _need_varint(data, offset, what)
        number, kind = key >> 3, key & 7
        if number == 0:
            raise DecodeError("field number 0", offset=offset, field=what)
        if kind == VARINT:
            value, offset = _need_varint(data, offset, what)
            yield number, value
            continue
        size, offset = _body_size(data, offset, kind, what)
        if size > len(data) - offset:
            raise DecodeError(f"field {number} of {size} bytes runs past the end", offset=offset, field=what)
        yield number, data[offset : offset + size]
        offset += size


def as_bytes(value: int | bytes, what: str) -> bytes:
    """``value`` as a length-delimited field. Raises :class:`DecodeError` for a varint."""
    if isinstance(value, int):
        raise DecodeError("a varint where bytes belong", offset=0, field=what)
    return value


def as_int(value: int | bytes, what: str) -> int:
    """``value`` as a varint field. Raises :class:`DecodeError` for bytes."""
    if isinstance(value, bytes):
        raise DecodeError("bytes where a varint belongs", offset=0, field=what)
    return value


def as_text(value: int | bytes, what: str) -> str:
    """``value`` as a string field. Raises :class:`DecodeError` for a varint or bytes that are not UTF-8."""
    raw = as_bytes(value, what)
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise DecodeError(f"text is not UTF-8: {error.reason}", offset=error.start, field=what) from error


def _need_varint(data: bytes, offset: int, what: str) -> tuple[int, int]:
    found = decode_varint(data, offset)
    if found is None:
        raise DecodeError("message ends inside a varint", offset=offset, field=what)
    return found


def _body_size(data: bytes, offset: int, kind: int, what: str) -> tuple[int, int]:
    if kind == LENGTH:
        return _need_varint(data, offset, what)
    size = _FIXED_SIZE.get(kind)
    if size is None:
        raise DecodeError(f"wire type {kind} is not in use", offset=offset, field=what)
    return size, offset
