"""Ids, keys and hashes as distinct types.

Every id is 32 raw bytes in memory and base58 (Bitcoin alphabet, no checksum) in text. A value is checked once, when
it is made; after that it is trusted. The types are ``bytes`` subclasses, so they hash and compare at the speed of bytes
and go into keys and Borsh without conversion.
Source of the forms: core 0.10.0: crates/primitives/src/{hash,identity,context}.rs.
"""

from __future__ import annotations

from enum import StrEnum
from functools import lru_cache
from typing import Final, Self, final

import base58

from node.errors import InvalidId

ID_LENGTH: Final = 32
MAX_ID_TEXT: Final = 45
"""Longest accepted text of an id, in characters; the reference refuses anything longer before decoding."""


class Id32(bytes):
    """Thirty-two bytes with a base58 text form; the base of all ids.

    Raises :class:`InvalidId` when the length is not 32.
    """

    __slots__ = ()

    def __new__(cls, raw: bytes) -> Self:
        if len(raw) != ID_LENGTH:
            raise InvalidId(f"{cls.__name__} needs {ID_LENGTH} bytes, got {len(raw)}")
        return super().__new__(cls, raw)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read the base58 text form. Raises :class:`InvalidId` naming the type and what is wrong."""
        if len(text) > MAX_ID_TEXT:
            raise InvalidId(f"{cls.__name__} text has {len(text)} characters, at most {MAX_ID_TEXT} are allowed")
        try:
            raw = base58.b58decode(text)
        except ValueError as error:
            raise InvalidId(f"{cls.__name__} {text!r} is not base58: {error}") from error
        if len(raw) != ID_LENGTH:
            raise InvalidId(f"{cls.__name__} {text!r} decodes to {len(raw)} bytes, expected {ID_LENGTH}")
        return cls(raw)

    @classmethod
    def zero(cls) -> Self:
        """The id of 32 zero bytes (genesis parent, uninitialised root, scope of node-wide rows)."""
        return cls(bytes(ID_LENGTH))

    @property
    def is_zero(self) -> bool:
        return not any(self)

    def __str__(self) -> str:
        return to_base58(bytes(self))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self})"


@lru_cache(maxsize=8192)
def to_base58(raw: bytes) -> str:
    """Base58 text of any bytes; remembered, because the same few ids are printed again and again."""
    return base58.b58encode(raw).decode("ascii")


class Hash(Id32):
    """A SHA-256 digest: root hash, Merkle hash."""


class ContextId(Id32):
    """One running application: the Ed25519 public key of the context secret."""


class ApplicationId(Id32):
    """An installed application; derived from its blob, size, source and metadata, or from package and signer."""


class BlobId(Id32):
    """A stored blob: SHA-256 over its chunk ids."""


class DeltaId(Id32):
    """A causal delta: SHA-256 over its parents and actions."""


class PublicKey(Id32):
    """An Ed25519 public key: a context identity."""


class EntityId(Id32):
    """An entity in a context's CRDT storage."""


@final
class PrivateKey(Id32):
    """A 32-byte Ed25519 seed or sender key. Never printed: both text forms are masked."""

    def __str__(self) -> str:
        return "PrivateKey(…)"

    __repr__ = __str__

    def reveal(self) -> str:
        """The base58 text, for the one place that hands a key to its owner."""
        return to_base58(bytes(self))


class Capability(StrEnum):
    """What a member may do at the registry; the strings are the wire form, in the reference's order."""

    MANAGE_APPLICATION = "ManageApplication"
    MANAGE_MEMBERS = "ManageMembers"
    PROXY = "Proxy"


CAPABILITIES: Final[tuple[str, ...]] = tuple(Capability)

GENESIS: Final = DeltaId.zero()
"""Parent of the first delta of a context."""

ZERO_CONTEXT: Final = ContextId.zero()
"""Scope of rows that belong to the whole node: applications, blobs, aliases, identity pool."""

ZERO_ROOT: Final = Hash.zero()
"""Root hash of a context that has no state yet."""
