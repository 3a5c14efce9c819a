"""LZ4 block format with a 4-byte little-endian size in front, as snapshot pages travel.

Any valid block may be sent, and state rows are mostly hashes, so :func:`compress` writes literals only: no library and
next to no time. :func:`decompress` reads whatever a peer wrote, within a limit that is checked before anything is
allocated. Source of the format: lz4_flex ``compress_prepend_size``; LZ4 block format description 1.6.
"""

from __future__ import annotations

from typing import Final

from node.errors import DecodeError

_MIN_MATCH: Final = 4
_MORE: Final = 15
"""A length nibble with this value continues in the following bytes."""


def compress(data: bytes) -> bytes:
    """A block that holds ``data`` as one run of literals."""
    size = len(data)
    head = size.to_bytes(4, "little")
    if size < _MORE:
        return head + bytes([size << 4]) + data
    full, rest = divmod(size - _MORE, 255)
    return b"".join((head, b"\xf0", b"\xff" * full, bytes([rest]), data))


def decompress(block: bytes, limit: int) -> bytes:
    """The content of a block. Raises :class:`DecodeError` when it is damaged or longer than ``limit`` bytes."""
    if len(block) < 4:
        raise _damaged("the size is missing", 0)
    size = int.from_bytes(block[:4], "little")
    if size > limit:
        raise _damaged(f"{size} bytes are announced, at most {limit} are allowed", 0)
    out, position = bytearray(), 4
    while position < len(block):
        position = _sequence(block, position, out, size)
    if len(out) != size:
        raise _damaged(f"{size} bytes are announced, {len(out)} came out", 0)
    return bytes(out)


def _sequence(block: bytes, position: int, out: bytearray, size: int) -> int:
    """One run of literals and the copy that follows it, unless the block ends; returns the place behind it."""
    token = block[position]
    literals, position = _length(block, position + 1, token >> 4)
    if position + literals > len(block) or len(out) + literals > size:
        raise _damaged("literals run past the end", position)
    out += block[position : position + literals]
    position += literals
    if position == len(block):
        return position
    if position + 2 > len(block):
        raise _damaged("an offset is cut", position)
    offset = block[position] | block[position + 1] << 8
    length, after = _length(block, position + 2, token & _MORE)
    _copy(out, offset, length + _MIN_MATCH, size, position)
    return after


def _copy(out: bytearray, offset: int, length: int, size: int, position: int) -> None:
    if not 0 < offset <= len(out) or len(out) + length > size:
        raise _damaged(f"a copy of {length} bytes from {offset} back leaves the data", position)
    start = len(out) - offset
    if offset >= length:
        out += out[start : start + length]
        return
    pattern = bytes(out[start:])  # the copy overlaps itself: the last bytes repeat
    out += (pattern * (length // offset + 1))[:length]


def _length(block: bytes, position: int, nibble: int) -> tuple[int, int]:
    if nibble < _MORE:
        return nibble, position
    length = nibble
    while True:
        if position >= len(block):
            raise _damaged("a length is cut", position)
        length += block[position]
        position += 1
        if block[position - 1] != 255:
            return length, position


def _damaged(reason: str, offset: int) -> DecodeError:
    return DecodeError(f"damaged LZ4 block: {reason}", offset=offset, field="page")
