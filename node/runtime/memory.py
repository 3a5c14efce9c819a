"""Guest memory as the host sees it: copies in, copies out, every access checked against the size at that moment.

Knows nothing of an engine: it works on a byte view and a callable that gives the view anew after the guest has grown
its memory. No view leaves this class. Layouts: core 0.10.0: crates/sys/src, crates/runtime/src/logic.rs.
"""

from __future__ import annotations

from collections.abc import Callable
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

_words: Final[Callable[[memoryview, int], Descriptor]] = BUFFER.unpack_from


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
        return _words(self.view, pointer)

    def slice(self, address: int, length: int) -> bytes:
        end = address + length
        if end > self.size:
            self.require(end)
        return self.view[address:end].tobytes()

    def read(self, pointer: int, most: int = U64_MAX, what: str = "") -> bytes:
        """The bytes that the Buffer at ``pointer`` describes; more than ``most`` is an overflow of ``what``.

        Written out instead of composed, as :meth:`read_two` is: every storage access of a guest comes through here.
        """
        if pointer + 16 > self.size:
            self.require(pointer + 16)
        address, length = _words(self.view, pointer)
        if length > most:
            raise faults.overflow(what)
        end = address + length
        if end > self.size:
            self.require(end)
        return self.view[address:end].tobytes()

    def read_two(self, pointers: tuple[int, int], most: tuple[int, int], what: tuple[str, str]) -> tuple[bytes, bytes]:
        """As :meth:`read` for two Buffers; both lengths are checked before either is read."""
        first, second = pointers
        if first + 16 > self.size or second + 16 > self.size:
            self.require(first + 16)
            self.require(second + 16)
        (at, length), (other_at, other_length) = _words(self.view, first), _words(self.view, second)
        if length > most[0]:
            raise faults.overflow(what[0])
        if other_length > most[1]:
            raise faults.overflow(what[1])
        end, other_end = at + length, other_at + other_length
        if end > self.size or other_end > self.size:
            self.require(max(end, other_end))
        view = self.view
        return view[at:end].tobytes(), view[other_at:other_end].tobytes()

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
        end = address + len(data)
        if end > self.size:
            self.require(end)
        self.view[address:end] = data

    def release(self) -> None:
        """Forget the view: the instance is about to be deleted and its memory with it."""
        self.view = memoryview(b"")
        self.size = 0
