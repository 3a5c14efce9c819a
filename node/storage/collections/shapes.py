"""How values look inside an entity: an encoder and decoder each, and the raw bytes of keys.

Source: core 0.10.0: crates/storage/src/collections/**.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from node.codec import borsh
from node.codec.borsh import Codec, Fixed, u64
from node.errors import DecodeError
from node.primitives import EntityId, Hash, PublicKey

Value = TypeVar("Value")
Key = TypeVar("Key")
Item = TypeVar("Item")


class Shape(Protocol[Value]):
    """Writes and reads one kind of value. A :class:`~node.codec.borsh.Codec` is one."""

    def encode(self, value: Value) -> bytes: ...
    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[Value, int]: ...


class KeyShape(Shape[Key], Protocol[Key]):
    """A shape whose values name entries: ``raw`` is what goes into the entry's id."""

    def raw(self, key: Key) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Text:
    """``String``."""

    def encode(self, value: str) -> bytes:
        return _TEXT.encode(value)

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[str, int]:
        return _TEXT.decode_prefix(data, offset)

    def raw(self, key: str) -> bytes:
        return key.encode()


@dataclass(frozen=True, slots=True)
class Blob:
    """``Vec<u8>``: what JavaScript hands over."""

    def encode(self, value: bytes) -> bytes:
        return _BLOB.encode(value)

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[bytes, int]:
        return _BLOB.decode_prefix(data, offset)

    def raw(self, key: bytes) -> bytes:
        return key


@dataclass(frozen=True, slots=True)
class Raw(Generic[Item]):
    """Values whose encoding is their raw form: public keys, hashes."""

    codec: Codec[Item]

    def encode(self, value: Item) -> bytes:
        return self.codec.encode(value)

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[Item, int]:
        return self.codec.decode_prefix(data, offset)

    def raw(self, key: Item) -> bytes:
        return self.codec.encode(key)


@dataclass(frozen=True, slots=True)
class Pair(Generic[Key, Item]):
    """A key and its value: the item of a map."""

    key: KeyShape[Key]
    value: Shape[Item]

    def encode(self, value: tuple[Key, Item]) -> bytes:
        return self.key.encode(value[0]) + self.value.encode(value[1])

    def decode_prefix(self, data: bytes, offset: int = 0) -> tuple[tuple[Key, Item], int]:
        key, offset = self.key.decode_prefix(data, offset)
        value, offset = self.value.decode_prefix(data, offset)
        return (key, value), offset


_TEXT: Final[Codec[str]] = borsh.codec(str)
_BLOB: Final[Codec[bytes]] = borsh.codec(bytes)
_ID: Final[Codec[EntityId]] = borsh.codec(EntityId)

TEXT: Final = Text()
BLOB: Final = Blob()
OWNER: Final[Raw[PublicKey]] = Raw(borsh.codec(PublicKey))
DIGEST: Final[Raw[Hash]] = Raw(borsh.codec(Hash))
NUMBER: Final[Codec[int]] = borsh.codec(u64)
MAYBE_BLOB: Final[Codec[bytes | None]] = borsh.codec(bytes | None)

__all__ = [
    "BLOB", "DIGEST", "MAYBE_BLOB", "NUMBER", "OWNER", "TEXT", "Blob", "Fixed", "KeyShape", "Pair", "Raw", "Shape",
    "Text", "read_entry", "write_entry",
]  # fmt: skip


def write_entry(shape: Shape[Value], value: Value, entity: EntityId) -> bytes:
    """The data of an entry: its item, then its own id."""
    return shape.encode(value) + entity


def read_entry(shape: Shape[Value], data: bytes) -> Value:
    """The item of an entry. Raises :class:`DecodeError` also for what is left over."""
    value, at = shape.decode_prefix(data)
    _, end = _ID.decode_prefix(data, at)
    if end != len(data):
        raise DecodeError(f"{len(data) - end} bytes are left over behind the entry", offset=end, field="")
    return value
