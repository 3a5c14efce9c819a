"""identify 1.0.0: who the peer is, what it speaks and where it listens.

Source: libp2p specs identify/README.md; strings as core 0.10.0: crates/network/src/behaviour.rs announces them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.errors import DecodeError
from node.gossip.protobuf import as_bytes, as_text, bytes_field, read_fields, text_field
from node.gossip.signing import public_key_of
from workers.network import address

__all__ = ["ID", "MAX_SIZE", "PUSH", "IdentifyInfo", "decode", "encode"]

ID: Final = "/ipfs/id/1.0.0"
PUSH: Final = "/ipfs/id/push/1.0.0"
PROTOCOL_VERSION: Final = "/calimero-network/0.0.0"
"""What a node built from the 0.10.0 tag announces; nothing compares it."""

MAX_SIZE: Final = 64 * 1024
MAX_ITEMS: Final = 128
"""Addresses or protocols that are taken from one message."""

_KEY_PREFIX: Final = bytes.fromhex("08011220")


@dataclass(frozen=True, slots=True)
class IdentifyInfo:
    """The parts of the message that are used. Addresses are texts without a peer id."""

    agent: str = ""
    protocol_version: str = PROTOCOL_VERSION
    protocols: tuple[str, ...] = ()
    listen: tuple[str, ...] = ()
    observed: str = ""


def encode(info: IdentifyInfo, peer_id: bytes) -> bytes:
    """The message of the node with this peer id (bytes)."""
    key = public_key_of(peer_id)
    assert key is not None, "own keys are Ed25519"
    parts = [bytes_field(1, _KEY_PREFIX + key)]
    parts += [bytes_field(2, address.encode(text)) for text in info.listen]
    parts += [text_field(3, protocol) for protocol in info.protocols]
    if info.observed:
        parts.append(bytes_field(4, address.encode(info.observed)))
    parts += [text_field(5, info.protocol_version), text_field(6, info.agent)]
    return b"".join(parts)


def decode(data: bytes) -> IdentifyInfo:
    """Read a message. Addresses that cannot be dialled from here are left out. Raises :class:`DecodeError`."""
    listen: list[str] = []
    protocols: list[str] = []
    texts = {5: "", 6: ""}
    observed = ""
    for number, value in read_fields(data, "identify"):
        if number == 2:
            listen += [text for text in (address.parse_bytes(as_bytes(value, "identify.listen")),) if text]
        elif number == 3:
            protocols.append(as_text(value, "identify.protocols"))
        elif number == 4:
            observed = address.parse_bytes(as_bytes(value, "identify.observed")) or ""
        elif number in texts:
            texts[number] = as_text(value, "identify")[:256]
        if len(listen) > MAX_ITEMS or len(protocols) > MAX_ITEMS:
            raise DecodeError(f"more than {MAX_ITEMS} addresses or protocols", offset=0, field="identify")
    return IdentifyInfo(texts[6], texts[5], tuple(protocols), tuple(listen), observed)
