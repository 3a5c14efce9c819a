"""Values recorded from core 0.10.0's storage crate, and what is needed to state them.

``S`` bytes 00..1f, ``C`` the context, ``X`` the executor, ``T`` a timestamp; ``md`` makes public metadata.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Final

from node.primitives import ContextId, EntityId, Hash, PublicKey
from node.storage.action import Add, Compare, DeleteRef, Update
from node.storage.entities import PUBLIC, ChildInfo, Metadata, SignatureData, StorageType, User
from node.storage.hlc import HybridTimestamp

S: Final = EntityId(bytes(range(32)))
C: Final = ContextId(b"\xc1" * 32)
ROOT: Final = EntityId(C)
X: Final = PublicKey(b"\xe1" * 32)
T: Final = HybridTimestamp(0x6655443322110007, int.from_bytes(bytes(range(16)), "little"))


def eid(number: int) -> EntityId:
    """An id of one repeated byte."""
    return EntityId(bytes([number]) * 32)


def digest(number: int) -> Hash:
    return Hash(bytes([number]) * 32)


def md(created: int, updated: int, kind: StorageType = PUBLIC) -> Metadata:
    return Metadata(created, updated, kind)


def text(pattern: str) -> bytes:
    """Bytes of a hexadecimal text in which ``[nn×k]`` repeats a byte."""
    out, rest = b"", pattern.replace(" ", "")
    while rest:
        if rest[0] == "[":
            inner, rest = rest[1:].split("]", 1)
            byte, times = inner.split("×")
            out += bytes.fromhex(byte) * int(times)
        else:
            plain = rest.split("[", 1)[0]
            out, rest = out + bytes.fromhex(plain), rest[len(plain) :]
    return out


def state_digest(rows: Mapping[bytes, bytes]) -> str:
    """SHA-256 over key, length and value of all rows in ascending key order."""
    hasher = sha256()
    for key in sorted(rows):
        hasher.update(key + len(rows[key]).to_bytes(4, "little") + rows[key])
    return hasher.hexdigest()


A1: Final = Add(eid(1), b"\xaa\xbb", (ChildInfo(eid(2), digest(3), md(4, 5)),), md(6, 7))
A2: Final = Compare(eid(1))
A3: Final = DeleteRef(eid(1), 8, md(6, 7))
A4: Final = Update(eid(1), b"\xaa\xbb", (), md(6, 7))
SIGNED: Final = User(PublicKey(b"\x07" * 32), SignatureData(b"\x08" * 64, 9))
