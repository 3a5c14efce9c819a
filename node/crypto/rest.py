"""Values of a merod database that is encrypted at rest. Keys of rows are in clear, blob files are too.

A value is ``version u8, nonce 12, AES-256-GCM ciphertext and tag``, without additional data. Only read here: our own
store writes no such values.
Source: core 0.10.0: crates/store/encryption/src/key_manager.rs.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from node.crypto.seal import NONCE, TAG
from node.errors import CryptoError, SealError

HEADER: Final = 1 + NONCE
LEAST: Final = HEADER + TAG
"""Bytes of an encrypted empty value."""

MASTER: Final = 32
"""Bytes of a master key at least."""


class StorageKey:
    """The master key of a database. It has no printable form."""

    __slots__ = ("_ciphers", "_master")

    def __init__(self, master: bytes) -> None:
        """Raises :class:`CryptoError` for a key below 32 bytes."""
        if len(master) < MASTER:
            raise CryptoError(f"a storage key has at least {MASTER} bytes, got {len(master)}")
        self._master = master
        self._ciphers: dict[int, AESGCM] = {}

    @classmethod
    def parse(cls, text: str) -> StorageKey:
        """From hexadecimal text. Raises :class:`CryptoError`, which does not repeat the text."""
        try:
            return cls(bytes.fromhex(text.strip()))
        except ValueError as error:
            raise CryptoError("a storage key is written in hexadecimal digits, two for each byte") from error

    def data_key(self, version: int) -> bytes:
        """The 32-byte key of the values of one version, 1 to 255."""
        return HKDF(SHA256(), 32, f"calimero-dek-v{version}".encode(), b"encryption").derive(self._master)

    def open(self, value: bytes) -> bytes:
        """The plaintext. Raises :class:`SealError` for what this key did not encrypt."""
        if len(value) < LEAST:
            raise SealError(f"ciphertext too short: {len(value)} bytes (minimum {LEAST})")
        try:
            return self._cipher(value[0]).decrypt(value[1:HEADER], value[HEADER:], None)
        except InvalidTag as error:
            raise SealError(f"a value of {len(value)} bytes does not open with this storage key") from error

    def _cipher(self, version: int) -> AESGCM:
        if version not in self._ciphers:
            self._ciphers[version] = AESGCM(self.data_key(version))
        return self._ciphers[version]
