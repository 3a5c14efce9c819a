"""Kademlia's messages and distances; no I/O.

Source: libp2p specs kad-dht/README.md; protocol id and limits: core 0.10.0: crates/network/src/behaviour.rs with the
defaults of rust-libp2p's kad 0.48.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from node.errors import DecodeError
from node.gossip.protobuf import as_bytes, as_int, bytes_field, read_fields, varint_field
from node.gossip.signing import public_key_of
from node.primitives import to_base58
from workers.network import address

__all__ = ["ID", "MAX_MESSAGE", "Kind", "Message", "PeerHint", "Record", "decode", "distance", "encode"]

ID: Final = "/calimero/kad/1.0.0"
MAX_MESSAGE: Final = 16 * 1024
"""The reference's packet limit in bytes."""
MAX_HINTS: Final = 64
"""Peers taken from one answer; an honest one has at most 20."""


class Kind(IntEnum):
    """The message types that are in use."""

    PUT_VALUE = 0
    GET_VALUE = 1
    FIND_NODE = 4
    PING = 5


@dataclass(frozen=True, slots=True)
class Record:
    key: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class PeerHint:
    """A peer that may know more: id in text, addresses without it."""

    peer: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    """A request or its answer; both have the same form."""

    kind: Kind
    key: bytes = b""
    record: Record | None = None
    closer: tuple[PeerHint, ...] = ()


def distance(key: bytes, peer_id: bytes) -> int:
    """XOR of the SHA-256 digests: how near a peer (id in bytes) is to a key."""
    return int.from_bytes(hashlib.sha256(key).digest()) ^ int.from_bytes(hashlib.sha256(peer_id).digest())


def encode(message: Message, ids: dict[str, bytes]) -> bytes:
    """The bytes of a message; ``ids`` has the id in bytes of every peer in it."""
    parts = [varint_field(1, message.kind), bytes_field(2, message.key)]
    if message.record is not None:
        parts.append(bytes_field(3, bytes_field(1, message.record.key) + bytes_field(2, message.record.value)))
    for hint in message.closer:
        body = bytes_field(1, ids[hint.peer]) + b"".join(bytes_field(2, address.encode(a)) for a in hint.addresses)
        parts.append(bytes_field(8, body))
    return b"".join(parts)


def decode(data: bytes) -> Message:
    """Read a message. Raises :class:`DecodeError`; peers that cannot be dialled from here are left out."""
    kind, key, record, closer = 0, b"", None, []
    for number, value in read_fields(data, "kad"):
        if number == 1:
            kind = as_int(value, "kad.type")
        elif number == 2:
            key = as_bytes(value, "kad.key")
        elif number == 3:
            record = _decode_record(as_bytes(value, "kad.record"))
        elif number == 8:
            closer += _decode_hint(as_bytes(value, "kad.closer"))
    if kind not in Kind.__members__.values():
        raise DecodeError(f"message type {kind} is not in use", offset=0, field="kad.type")
    return Message(Kind(kind), key, record, tuple(closer[:MAX_HINTS]))


def _decode_record(data: bytes) -> Record:
    parts = {1: b"", 2: b""}
    for number, value in read_fields(data, "kad.record"):
        if number in parts:
            parts[number] = as_bytes(value, "kad.record")
    return Record(parts[1], parts[2])


def _decode_hint(data: bytes) -> list[PeerHint]:
    peer, found = b"", []
    for number, value in read_fields(data, "kad.peer"):
        if number == 1:
            peer = as_bytes(value, "kad.peer.id")
        elif number == 2:
            text = address.parse_bytes(as_bytes(value, "kad.peer.addrs"))
            found += [text] if text else []
    return [PeerHint(to_base58(peer), tuple(found))] if public_key_of(peer) is not None else []
