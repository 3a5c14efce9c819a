"""Guest memory as the host sees it: copies in, copies out, every access checked against the size at that moment.

Knows nothing of an engine: it works on a byte view and a callable that gives the view anew after the guest has grown
its memory. No view leaves this class. Layouts: core 0.10.0: crates/sys/src, crates/runtime/src/logic.rs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from struct import Struct
from typing import Final, TypeAlias

from node.runtime import faults

Descriptor: TypeAlias = tuple[int, int]
"""Address and length of a Buffer, both u64."""

U64_MAX: Final = (1 << 64) - 1

BUFFER: Final = Struct("<QQ")
LOCATION: Final = Struct("<QQII")
EVENT: Final = Struct("<QQQQ")
XCALL: Final = Struct("<QQQQQQ")
VALUE_RETURN: Final = Struct("<QQQ")

SMALL: Final = 256
"""Bytes of a Buffer up to which a packer of its length copies it: half the time of a slice. Most are keys and rows."""

words: Final[Callable[[memoryview, int], Descriptor]] = BUFFER.unpack_from
"""The Buffer at a place of a view."""

TAKE: Final[Sequence[Callable[[memoryview, int], tuple[bytes]]]] = tuple(
    Struct(f"{length}s").unpack_from for length in range(SMALL + 1)
)
"""By length: the bytes at a place of a view, as a tuple of one."""

PUT: Final[Sequence[Callable[[memoryview, int, bytes], None]]] = tuple(
    Struct(f"{length}s").pack_into for length in range(SMALL + 1)
)
"""By length: write bytes of that length to a place of a view."""

put_word: Final = Struct("<Q").pack_into
"""Write a u64 to a place of a view."""

OUTSIDE: Final = (struct.error, LookupError, OverflowError)
"""What the packers, and looking one up, raise for a place outside of the view or a length above SMALL; also a row or a
register that is not known. Nothing has happened then, and the view may be old, so the checked way follows."""


class GuestMemory:
    """The exported memory of one instance. All addresses and lengths are unsigned integers; none wraps around."""

    __slots__ = ("_renew", "size", "view")

    def __init__(self, view: memoryview, renew: Callable[[], memoryview]) -> None:
        self.view = view
        self.size = len(view)
        self._renew = renew

    def require(self, end: int) -> None:
        """Raise ``invalid memory access`` unless memory reaches up to ``end``."""
        if end > self.size:
            self.view = self._renew()
            self.size = len(self.view)
            if end > self.size:
                raise faults.invalid_memory_access()

    def unpack(self, layout: Struct, pointer: int) -> tuple[int, ...]:
        """Read one descriptor struct."""
        if pointer + layout.size > self.size:
            self.require(pointer + layout.size)
        return layout.unpack_from(self.view, pointer)

    def descriptor(self, pointer: int) -> Descriptor:
        if pointer + 16 > self.size:
            self.require(pointer + 16)
        return words(self.view, pointer)

    def slice(self, address: int, length: int) -> bytes:
        end = address + length
        if end > self.size:
            self.require(end)
        return self.view[address:end].tobytes()

    def read(self, pointer: int, most: int = U64_MAX, what: str = "") -> bytes:
        """The bytes that the Buffer at ``pointer`` describes; more than ``most`` is an overflow of ``what``.

        Every storage access of a guest comes through here, so the common case leaves the checks to the packers.
        """
        view = self.view
        try:
            address, length = words(view, pointer)
            if length <= SMALL and length <= most:
                return TAKE[length](view, address)[0]
        except OUTSIDE:
            pass
        address, length = self.descriptor(pointer)
        if length > most:
            raise faults.overflow(what)
        return self.slice(address, length)

    def read_two(self, pointers: tuple[int, int], most: tuple[int, int], what: tuple[str, str]) -> tuple[bytes, bytes]:
        """As :meth:`read` for two Buffers; both lengths are checked before either is read."""
        first, second = pointers
        view = self.view
        try:
            (at, length), (other_at, other_length) = words(view, first), words(view, second)
            if length <= SMALL and other_length <= SMALL and length <= most[0] and other_length <= most[1]:
                return TAKE[length](view, at)[0], TAKE[other_length](view, other_at)[0]
        except OUTSIDE:
            pass
        return self._read_two(pointers, most, what)

    def _read_two(self, pointers: tuple[int, int], most: tuple[int, int], what: tuple[str, str]) -> tuple[bytes, bytes]:
        places = [self.descriptor(pointer) for pointer in pointers]
        for (_, length), limit, name in zip(places, most, what, strict=True):
            if length > limit:
                raise faults.overflow(name)
        (at, length), (other_at, other_length) = places
        return self.slice(at, length), self.slice(other_at, other_length)

    def read_fixed(self, pointer: int, length: int) -> bytes:
        """As :meth:`read`; a Buffer of another length is an invalid access."""
        raw = self.read(pointer)
        if len(raw) != length:
            raise faults.invalid_memory_access()
        return raw

    def text(self, address: int, length: int) -> str:
        try:
            return self.slice(address, length).decode()
        except UnicodeDecodeError as error:
            raise faults.bad_utf8() from error

    def write(self, address: int, data: bytes) -> None:
        length = len(data)
        if length <= SMALL:
            try:
                PUT[length](self.view, address, data)
            except OUTSIDE:
                pass
            else:
                return
        end = address + length
        if end > self.size:
            self.require(end)
        self.view[address:end] = data

    def write_word(self, address: int, word: int) -> None:
        """Write a u64."""
        try:
            put_word(self.view, address, word)
        except OUTSIDE:
            self.require(address + 8)
            put_word(self.view, address, word)

    def release(self) -> None:
        """Forget the view: the instance is about to be deleted and its memory with it."""
        self.view = memoryview(b"")
        self.size = 0
