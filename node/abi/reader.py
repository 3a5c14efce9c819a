"""A cursor over WebAssembly bytes: LEB128 numbers, names and vectors, each with a bound.

Source of the encoding: WebAssembly core specification 1.0, section 5.2.
"""

from __future__ import annotations

from typing import Final

from node.errors import DecodeError

MAX_NAME: Final = 64 * 1024
"""Bytes of a name. Real ones have tens; a longer one is damage."""

U32_BYTES: Final = 5
S64_BYTES: Final = 10


class Reader:
    """Reads ``data[offset:end]`` from front to back. Raises DecodeError that names the field and the offset."""

    __slots__ = ("_data", "end", "field", "offset")

    def __init__(self, data: bytes, offset: int, end: int, field: str) -> None:
        self._data = data
        self.offset = offset
        self.end = end
        self.field = field

    def fail(self, message: str) -> DecodeError:
        return DecodeError(message, offset=self.offset, field=self.field)

    @property
    def done(self) -> bool:
        return self.offset >= self.end

    def byte(self) -> int:
        if self.offset >= self.end:
            raise self.fail("unexpected end")
        value = self._data[self.offset]
        self.offset += 1
        return value

    def take(self, length: int) -> bytes:
        if length > self.end - self.offset:
            raise self.fail(f"{length} bytes are announced, {self.end - self.offset} are left")
        raw = self._data[self.offset : self.offset + length]
        self.offset += length
        return raw

    def u32(self) -> int:
        value = self._unsigned(U32_BYTES)
        if value >> 32:
            raise self.fail("number is larger than 32 bits")
        return value

    def _unsigned(self, most: int) -> int:
        value = 0
        for index in range(most):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value
        raise self.fail("number is too long")

    def u64(self) -> int:
        return self._unsigned(S64_BYTES)

    def signed(self) -> int:
        """A signed LEB128 number of up to 64 bits."""
        value = 0
        for index in range(S64_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * index
            if byte < 0x80:
                return value - (1 << 7 * (index + 1)) if byte & 0x40 else value
        raise self.fail("number is too long")

    def name(self) -> str:
        length = self.u32()
        if length > MAX_NAME:
            raise self.fail(f"name of {length} bytes")
        try:
            return self.take(length).decode()
        except UnicodeDecodeError as error:
            raise self.fail("name is not UTF-8") from error

    def count(self) -> int:
        """The length of a vector; each element takes at least one byte, which bounds it."""
        length = self.u32()
        if length > self.end - self.offset:
            raise self.fail(f"{length} elements are announced in {self.end - self.offset} bytes")
        return length

    def part(self, length: int, field: str) -> Reader:
        """A reader of the next ``length`` bytes, which are skipped here."""
        start = self.offset
        self.take(length)
        return Reader(self._data, start, start + length, field)
