"""AES-256-GCM with nonces of its own: sealing a message, and the nonce chain of encrypted streams.

A nonce is drawn here and used once; callers never choose one. Sealed bytes are ciphertext and 16-byte tag, without
additional data.
Source: core 0.10.0: crates/crypto/src/lib.rs, crates/node/src/sync/blobs.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from node.crypto.shared import SharedKey
from node.errors import CryptoError, SealError
from node.primitives import PrivateKey

NONCE: Final = 12
"""Bytes of a nonce."""

TAG: Final = 16
"""Bytes that sealing adds."""

LAST: Final = bytes(NONCE)
"""What the last message of a chain announces: no further message follows."""

RandomBytes = Callable[[int], bytes]


def _cipher(key: SharedKey | PrivateKey) -> AESGCM:
    return AESGCM(key.expose() if isinstance(key, SharedKey) else bytes(key))


def seal(key: SharedKey | PrivateKey, plaintext: bytes, random_bytes: RandomBytes) -> tuple[bytes, bytes]:
    """Seal under a fresh nonce; answers nonce and sealed bytes. ``key`` is a shared key or a sender key."""
    nonce = random_bytes(NONCE)
    return nonce, _cipher(key).encrypt(nonce, plaintext, None)


def unseal(key: SharedKey | PrivateKey, nonce: bytes, sealed: bytes) -> bytes:
    """The plaintext. Raises :class:`SealError` if key, nonce or bytes do not belong together."""
    if len(nonce) != NONCE or len(sealed) < TAG:
        raise SealError(
            f"a seal needs a nonce of {NONCE} bytes and {TAG} bytes of tag, got {len(nonce)}, {len(sealed)}"
        )
    try:
        return _cipher(key).decrypt(nonce, sealed, None)
    except InvalidTag as error:
        raise SealError(f"{len(sealed)} sealed bytes do not open with this key") from error


class SealingChain:
    """The sender's side of an encrypted stream: each message is sealed with the nonce announced one message before."""

    def __init__(self, key: SharedKey, random_bytes: RandomBytes) -> None:
        self._key = key
        self._random = random_bytes
        self._armed: bytes | None = None
        self._next: bytes | None = None

    def announce(self, *, last: bool = False) -> bytes:
        """The ``next_nonce`` to put into the message that is built now; zeros if none follows."""
        if self._next is not None:
            raise CryptoError("a nonce was announced twice before a message was sealed")
        nonce = LAST if last else self._random(NONCE)
        if self._armed is None:
            self._armed = nonce
        else:
            self._next = nonce
        return nonce

    def seal(self, plaintext: bytes) -> bytes:
        """Seal a message that carries the nonce announced last. Raises :class:`CryptoError` if none is armed."""
        if self._armed is None or self._armed == LAST or self._next is None:
            raise CryptoError("no nonce is left to seal with; announce one for each message")
        sealed = _cipher(self._key).encrypt(self._armed, plaintext, None)
        self._armed, self._next = self._next, None
        return sealed


class OpeningChain:
    """The receiver's side: opens with the nonce that the previous message announced."""

    def __init__(self, key: SharedKey, first: bytes) -> None:
        self._key = key
        self._nonce = first

    def open(self, sealed: bytes) -> bytes:
        """The plaintext. Raises :class:`SealError`, also after the last message."""
        if self._nonce == LAST:
            raise SealError("the stream was announced as finished, but another message came")
        return unseal(self._key, self._nonce, sealed)

    def follow(self, next_nonce: bytes) -> None:
        """Take over the nonce that the opened message announced."""
        self._nonce = next_nonce
