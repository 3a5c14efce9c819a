"""Messages of the rendezvous protocol and the signed record of addresses that they carry.

Source: libp2p specs rendezvous/README.md and RFC 0002/0003 (signed envelopes, routing records); the names of domain and
payload type are those that rust-libp2p's rendezvous 0.17.0 signs with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import base58
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey

from node.errors import DecodeError, InvalidSignature
from node.gossip.protobuf import (
    as_bytes,
    as_int,
    bytes_field,
    prefixed,
    read_fields,
    text_field,
    varint_field,
)
from node.gossip.signing import Sign, peer_id_of, public_key_of
from workers.network import address

__all__ = ["ID", "MAX_SIZE", "OK", "Answer", "decode_answer", "discover", "open_record", "register", "seal_record"]

ID: Final = "/rendezvous/1.0.0"
MAX_SIZE: Final = 1024 * 1024
"""Largest answer in bytes: the most registrations that are asked for, with many addresses each."""

OK: Final = 0
_REGISTER, _REGISTERED, _DISCOVER, _DISCOVERED = 0, 1, 3, 4
_DOMAIN: Final = b"libp2p-routing-state"
_PAYLOAD_TYPE: Final = b"/libp2p/routing-state-record"
_KEY_PREFIX: Final = bytes.fromhex("08011220")
"""Protobuf of an Ed25519 public key: type 1, 32 bytes."""


# -- questions


def register(namespace: str, record: bytes, seconds: int) -> bytes:
    """Announce a sealed record for so long."""
    body = text_field(1, namespace) + bytes_field(2, record) + varint_field(3, seconds)
    return varint_field(1, _REGISTER) + bytes_field(2, body)


def discover(namespace: str, limit: int) -> bytes:
    """Ask for at most ``limit`` records."""
    return varint_field(1, _DISCOVER) + bytes_field(5, text_field(1, namespace) + varint_field(2, limit))


# -- answers


@dataclass(frozen=True, slots=True)
class Answer:
    """``seconds``: how long a registration holds. ``records``: sealed, of a discovery."""

    status: int = OK
    seconds: int = 0
    records: tuple[bytes, ...] = ()


def decode_answer(data: bytes) -> Answer:
    """Raises :class:`DecodeError`."""
    kind, bodies = 0, {4: b"", 6: b""}
    for number, value in read_fields(data, "rendezvous"):
        if number == 1:
            kind = as_int(value, "rendezvous.type")
        elif number in bodies:
            bodies[number] = as_bytes(value, "rendezvous.answer")
    if kind == _REGISTERED:
        return _registered(bodies[4])
    if kind == _DISCOVERED:
        return _discovered(bodies[6])
    raise DecodeError(f"rendezvous message of type {kind} is no answer", offset=0, field="rendezvous.type")


def _registered(body: bytes) -> Answer:
    status, seconds = OK, 0
    for number, value in read_fields(body, "registerResponse"):
        if number == 1:
            status = as_int(value, "registerResponse.status")
        elif number == 3:
            seconds = as_int(value, "registerResponse.ttl")
    return Answer(status, seconds)


def _discovered(body: bytes) -> Answer:
    status, records = OK, []
    for number, value in read_fields(body, "discoverResponse"):
        if number == 1:
            records += _field(as_bytes(value, "discoverResponse.registrations"), 2)
        elif number == 3:
            status = as_int(value, "discoverResponse.status")
    return Answer(status, 0, tuple(records))


def _field(data: bytes, wanted: int) -> list[bytes]:
    return [as_bytes(value, "field") for number, value in read_fields(data, "message") if number == wanted]


# -- records


def seal_record(public_key: bytes, sign: Sign, number: int, addresses: Iterable[str]) -> bytes:
    """The signed record of a node: where it can be dialled. ``number`` grows with every record of the node."""
    peer = peer_id_of(public_key)
    known = b"".join(bytes_field(3, bytes_field(1, address.encode(text) + _p2p(peer))) for text in addresses)
    payload = bytes_field(1, peer) + varint_field(2, number) + known
    return (
        bytes_field(1, _KEY_PREFIX + public_key)
        + bytes_field(2, _PAYLOAD_TYPE)
        + bytes_field(3, payload)
        + bytes_field(5, sign(_to_sign(payload)))
    )


def _p2p(peer: bytes) -> bytes:
    return address.P2P_PREFIX + prefixed(peer)


def _to_sign(payload: bytes) -> bytes:
    return b"".join(map(prefixed, (_DOMAIN, _PAYLOAD_TYPE, payload)))


def open_record(data: bytes) -> tuple[str, list[str]]:
    """The peer (text id) and its addresses, without its id. Raises :class:`DecodeError`, :class:`InvalidSignature`."""
    fields = {number: as_bytes(value, "envelope") for number, value in read_fields(data, "envelope")}
    key, payload, signature = (fields.get(number, b"") for number in (1, 3, 5))
    if fields.get(2) != _PAYLOAD_TYPE or not key.startswith(_KEY_PREFIX) or len(key) != len(_KEY_PREFIX) + 32:
        raise DecodeError("no routing record of an Ed25519 key", offset=0, field="envelope")
    try:
        VerifyKey(key[len(_KEY_PREFIX) :]).verify(_to_sign(payload), signature)
    except (BadSignatureError, ValueError) as error:
        raise InvalidSignature("the signature of a routing record is not its peer's") from error
    (peer, *_) = [*_field(payload, 1), b""]
    if public_key_of(peer) != key[len(_KEY_PREFIX) :]:
        raise InvalidSignature("a routing record is signed by another peer than it is about")
    known = (address.parse_bytes(raw) for entry in _field(payload, 3) for raw in _field(entry, 1))
    return base58.b58encode(peer).decode(), [text for text in known if text]
