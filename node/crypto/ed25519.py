"""Ed25519: public keys, signatures, strict verification.

Strict means: a non-canonical ``S``, a public key or ``R`` of small order, and a non-canonical point encoding are
refused. An honest signer makes none of them, so both this node and the reference accept whatever one of them signs.
Source of the uses: core 0.10.0: crates/primitives/src/identity.rs.
"""

from __future__ import annotations

from typing import Final

from nacl import bindings, exceptions

from node.errors import CryptoError, InvalidSignature
from node.primitives import Id32, PrivateKey, PublicKey

SIGNATURE: Final = 64
"""Bytes of a signature: point ``R``, then the scalar ``S``, little-endian."""

ORDER: Final = 2**252 + 27742317777372353535851937790883648493
"""Order of the group that honest points lie in."""


def public_key(key: PrivateKey) -> PublicKey:
    """The public key of a 32-byte seed."""
    return PublicKey(bindings.crypto_sign_seed_keypair(bytes(key))[0])


def sign(key: PrivateKey, message: bytes) -> bytes:
    """The 64-byte signature of ``message`` under a 32-byte seed."""
    _, secret = bindings.crypto_sign_seed_keypair(bytes(key))
    return bindings.crypto_sign(message, secret)[:SIGNATURE]


def check_point(key: Id32) -> None:
    """Refuse bytes that are no public key of an honest signer.

    Raises :class:`CryptoError` for a value off the curve, a non-canonical encoding, or a point outside the main group.
    """
    if not bindings.crypto_core_ed25519_is_valid_point(bytes(key)):
        raise CryptoError(f"invalid public key {key}: not a valid Edwards Y coordinate, or a point of low order")


def is_valid(signer: Id32, message: bytes, signature: bytes) -> bool:
    """Whether ``signature`` covers ``message`` under the key ``signer``."""
    if len(signature) != SIGNATURE or int.from_bytes(signature[32:], "little") >= ORDER:
        return False
    try:
        bindings.crypto_sign_open(signature + message, bytes(signer))
    except exceptions.BadSignatureError:
        return False
    return True


def verify(signer: PublicKey, message: bytes, signature: bytes) -> None:
    """Raises :class:`InvalidSignature` unless ``signature`` covers ``message``."""
    if not is_valid(signer, message, signature):
        raise InvalidSignature(f"the signature does not verify under {signer}")
