"""Strict signing: vectors, and every rule broken once."""

from __future__ import annotations

from dataclasses import replace

import base58
import pytest

from node.errors import InvalidSignature
from node.gossip.rpc import Message
from node.gossip.signing import check, message_id, peer_id_of, public_key_of, signed, signer
from tests.node.gossip.sim import public_key

SEED = bytes([1]) * 32
PEER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"


def message() -> Message:
    source = peer_id_of(public_key(SEED))
    return signed(Message(source, b"data", (7).to_bytes(8, "big"), "topic"), signer(SEED))


def test_peer_id_of_a_known_seed() -> None:
    assert base58.b58encode(peer_id_of(public_key(SEED))).decode() == PEER
    assert public_key_of(base58.b58decode(PEER)) == public_key(SEED)


def test_hashed_peer_ids_carry_no_key() -> None:
    assert public_key_of(b"\x12\x20" + bytes(32)) is None
    assert public_key_of(b"") is None


def test_message_id_is_base58_and_decimal() -> None:
    assert message_id(base58.b58decode(PEER), (2**64 - 1).to_bytes(8, "big")) == f"{PEER}18446744073709551615".encode()


def test_signed_message_passes_without_a_key_field() -> None:
    check(message())
    assert message().key == b""
    check(replace(message(), key=b"ignored"))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"source": b"\x12\x20" + bytes(32)}, "Ed25519 sender"),
        ({"source": b""}, "Ed25519 sender"),
        ({"seqno": b"\0" * 7}, "sequence number of 7 bytes"),
        ({"signature": b""}, "signature of 0 bytes"),
        ({"signature": bytes(64)}, "does not verify"),
        ({"data": b"other"}, "does not verify"),
        ({"topic": "other"}, "does not verify"),
        ({"seqno": (8).to_bytes(8, "big")}, "does not verify"),
        ({"source": peer_id_of(public_key(bytes(32)))}, "does not verify"),
    ],
)
def test_each_rule(change: dict[str, bytes], why: str) -> None:
    with pytest.raises(InvalidSignature, match=why):
        check(replace(message(), **change))  # type: ignore[arg-type]
