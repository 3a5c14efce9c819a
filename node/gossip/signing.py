"""Who published a message: ids, signatures and the rules of strict signing.

Only Ed25519 peers exist in a Calimero network, so the key is always taken from the peer id; a message whose signer has
a hashed peer id is refused.
Source: libp2p pubsub specification, "StrictSign"; message ids: core 0.10.0: crates/network/src/behaviour.rs (library
defaults of rust-libp2p's gossipsub).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey, VerifyKey

from node.errors import InvalidSignature
from node.gossip.rpc import Message, encode_message
from node.primitives import to_base58

SEQNO_LENGTH: Final = 8
SIGNATURE_LENGTH: Final = 64

_ED25519_PREFIX: Final = bytes.fromhex("002408011220")
"""Identity multihash of 36 bytes, then the protobuf of an Ed25519 key."""

_DOMAIN: Final = b"libp2p-pubsub:"

Sign = Callable[[bytes], bytes]


def peer_id_of(public_key: bytes) -> bytes:
    """The peer id, in bytes, of a 32-byte Ed25519 public key."""
    return _ED25519_PREFIX + public_key


def public_key_of(peer_id: bytes) -> bytes | None:
    """The Ed25519 public key inside a peer id; None for a hashed id."""
    if len(peer_id) == len(_ED25519_PREFIX) + 32 and peer_id.startswith(_ED25519_PREFIX):
        return peer_id[len(_ED25519_PREFIX) :]
    return None


def message_id(source: bytes, seqno: bytes) -> bytes:
    """Base58 of the signer followed by the decimal sequence number, as ASCII."""
    return f"{to_base58(source)}{int.from_bytes(seqno, 'big')}".encode()


def signer(seed: bytes) -> Sign:
    """A signing function for a 32-byte Ed25519 seed."""
    key = SigningKey(seed)
    return lambda data: key.sign(data).signature


def signed(message: Message, sign: Sign) -> Message:
    """``message`` with its signature; the key stays out because the peer id carries it."""
    signature = sign(_DOMAIN + encode_message(message, unsigned=True))
    return Message(message.source, message.data, message.seqno, message.topic, signature)


def check(message: Message) -> None:
    """Strict signing. Raises :class:`InvalidSignature` naming the rule that the message breaks."""
    key = public_key_of(message.source)
    if key is None:
        raise InvalidSignature("gossip message without an Ed25519 sender")
    if len(message.seqno) != SEQNO_LENGTH:
        raise InvalidSignature(f"gossip sequence number of {len(message.seqno)} bytes, expected {SEQNO_LENGTH}")
    if len(message.signature) != SIGNATURE_LENGTH:
        raise InvalidSignature(f"gossip signature of {len(message.signature)} bytes, expected {SIGNATURE_LENGTH}")
    try:
        VerifyKey(key).verify(_DOMAIN + encode_message(message, unsigned=True), message.signature)
    except BadSignatureError as error:
        raise InvalidSignature("gossip signature does not verify") from error
