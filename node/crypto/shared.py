"""The key that two identities share: Diffie-Hellman on the Edwards curve.

The own scalar, clamped and reduced, times the peer's public point; the compressed product is the AES key as it is. It
is not X25519 and there is no key derivation, because a 0.10.0 peer computes it so. A peer key of low order, which would
make the product known to everybody, is refused.
Source: core 0.10.0: crates/crypto/src/lib.rs.
"""

from __future__ import annotations

import hashlib
from typing import Final, final

from nacl import bindings

from node.crypto.ed25519 import ORDER, check_point
from node.errors import CryptoError
from node.primitives import PrivateKey, PublicKey

KEY: Final = 32
"""Bytes of an AES-256 key."""


@final
class SharedKey:
    """An AES-256 key. It has no text form, and equals only itself."""

    __slots__ = ("_raw",)

    def __init__(self, raw: bytes) -> None:
        if len(raw) != KEY:
            raise CryptoError(f"a shared key has {KEY} bytes, got {len(raw)}")
        self._raw = bytes(raw)

    def __repr__(self) -> str:
        return "SharedKey(…)"

    def __reduce__(self) -> str:
        raise CryptoError("a shared key is not serialised")

    def expose(self) -> bytes:
        """The raw key, for the cipher alone."""
        return self._raw


def agree(own: PrivateKey, peer: PublicKey) -> SharedKey:
    """The key between the holder of seed ``own`` and ``peer``; both sides get the same.

    Raises :class:`CryptoError` if the peer's key is no point of the main group.
    """
    check_point(peer)
    return SharedKey(bindings.crypto_scalarmult_ed25519_noclamp(_scalar(own), bytes(peer)))


def _scalar(seed: PrivateKey) -> bytes:
    """The secret scalar of a seed: lower half of SHA-512, clamped, reduced by the order of the group."""
    raw = bytearray(hashlib.sha512(bytes(seed)).digest()[:32])
    raw[0] &= 248
    raw[31] = raw[31] & 127 | 64
    return (int.from_bytes(raw, "little") % ORDER).to_bytes(32, "little")
