"""The ten columns, the form of their keys, and how to read a key back. Nothing else builds a key.

Names and bytes are the reference's, so a database of one can be taken over by the other.
Source: core 0.10.0: crates/store/src/key/**, crates/store/src/db.rs.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from node.errors import StorageError
from node.primitives import ID_LENGTH, ContextId, DeltaId, Id32, PublicKey

ALIAS_LENGTH: Final = 50
"""Longest alias in UTF-8 bytes: the key field is padded with zeros to this size."""

SCOPE_LENGTH: Final = 16
"""Bytes of a Generic row's scope; the fragment behind it has 32."""


class Column(StrEnum):
    """A column family, in the reference's order."""

    META = "Meta"
    CONFIG = "Config"
    IDENTITY = "Identity"
    STATE = "State"
    PRIVATE = "PrivateState"
    DELTA = "Delta"
    BLOBS = "Blobs"
    APPLICATION = "Application"
    ALIAS = "Alias"
    GENERIC = "Generic"


KEY_LENGTH: Final[dict[Column, int]] = {
    Column.META: 32,
    Column.CONFIG: 32,
    Column.IDENTITY: 64,
    Column.STATE: 64,
    Column.PRIVATE: 64,
    Column.DELTA: 64,
    Column.BLOBS: 32,
    Column.APPLICATION: 32,
    Column.ALIAS: 1 + ID_LENGTH + ALIAS_LENGTH,
    Column.GENERIC: SCOPE_LENGTH + ID_LENGTH,
}
"""Bytes of every key in a column."""

CONTEXT_COLUMNS: Final = (Column.META, Column.CONFIG, Column.IDENTITY, Column.STATE, Column.PRIVATE, Column.DELTA)
"""Columns whose keys begin with the context id."""


class AliasKind(NamedTuple):
    """What an alias stands for, by the first byte of its key."""

    CONTEXT: int = 1
    IDENTITY: int = 2
    APPLICATION: int = 3


ALIAS_KINDS: Final = AliasKind()


class Scope:
    """Scopes of the Generic column, 16 bytes each. The first three are the reference's."""

    SYNC_IN_PROGRESS: Final = b"sync-in-progres\0"
    SSL_CERTS: Final = b"ssl_certs:server"
    SSE_SESSIONS: Final = b"sse-sessions\0\0\0\0"
    ORIGIN: Final = b"delta-origin\0\0\0\0"
    KEPT_KEYS: Final = b"kept-keys\0\0\0\0\0\0\0"
    OUTBOX: Final = b"event-outbox\0\0\0\0"
    GOVERNANCE: Final = b"governance owed\0"
    ORIGINAL: Final = b"entry original\0\0"


def in_context(context_id: ContextId, rest: bytes) -> bytes:
    """Key of a row of one context: members, state rows, private rows, deltas."""
    return context_id + rest


def split(key: bytes) -> tuple[ContextId, bytes]:
    """The context and the rest of a 64-byte key."""
    return ContextId(key[:ID_LENGTH]), key[ID_LENGTH:]


def delta_of(key: bytes) -> DeltaId:
    return DeltaId(key[ID_LENGTH:])


def member_of(key: bytes) -> PublicKey:
    return PublicKey(key[ID_LENGTH:])


def padded(key: bytes) -> bytes | None:
    """An application's row key as 32 bytes: shorter ones end in zeros; longer ones do not exist (None)."""
    return key.ljust(ID_LENGTH, b"\0") if len(key) <= ID_LENGTH else None


def alias_key(kind: int, scope: ContextId, name: str) -> bytes:
    """Raises :class:`StorageError` for a name that is empty, too long, or holds a zero byte (which would end it)."""
    raw = name.encode()
    if not 0 < len(raw) <= ALIAS_LENGTH or b"\0" in raw:
        raise StorageError(f"alias {name!r} must have 1 to {ALIAS_LENGTH} bytes and no zero byte")
    return bytes([kind]) + scope + raw.ljust(ALIAS_LENGTH, b"\0")


def alias_of(key: bytes) -> tuple[int, ContextId, str]:
    """Kind, scope and name of an alias key."""
    name = key[1 + ID_LENGTH :].split(b"\0", 1)[0]
    return key[0], ContextId(key[1 : 1 + ID_LENGTH]), name.decode(errors="replace")


def generic_key(scope: bytes, fragment: bytes = bytes(ID_LENGTH)) -> bytes:
    """Raises :class:`StorageError` when a part has the wrong length."""
    if len(scope) != SCOPE_LENGTH or len(fragment) != ID_LENGTH:
        raise StorageError(
            f"a Generic key needs {SCOPE_LENGTH} + {ID_LENGTH} bytes, got {len(scope)} + {len(fragment)}"
        )
    return scope + Id32(fragment)


def successor(prefix: bytes) -> bytes | None:
    """The first key behind every key that starts with ``prefix``; None when there is none."""
    stripped = prefix.rstrip(b"\xff")
    return stripped[:-1] + bytes([stripped[-1] + 1]) if stripped else None
