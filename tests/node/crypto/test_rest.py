"""Encryption at rest as the reference has it: key derivation, layout, and what does not open."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from node.crypto.rest import LEAST, StorageKey
from node.errors import CryptoError, SealError

KEY = StorageKey(bytes(32))
NONCE = b"nonce of 12!"


def sealed(value: bytes, version: int = 1) -> bytes:
    return bytes([version]) + NONCE + AESGCM(KEY.data_key(version)).encrypt(NONCE, value, None)


def test_the_data_key_is_the_references() -> None:
    assert KEY.data_key(1).hex() == "08db85c89004892df0313650f06be4533c34532594b5ee92f2d183439d33d35c"


@given(st.binary(max_size=100), st.integers(1, 255))
def test_a_value_opens_with_the_key_of_its_version(value: bytes, version: int) -> None:
    assert KEY.open(sealed(value, version)) == value


@pytest.mark.parametrize("place", [0, 1, 13, 20, -1])
def test_a_changed_value_does_not_open(place: int) -> None:
    value = bytearray(sealed(b"some value"))
    value[place] ^= 1
    with pytest.raises(SealError, match="does not open with this storage key"):
        KEY.open(bytes(value))


def test_a_short_value_is_told_with_the_least_size() -> None:
    assert len(sealed(b"")) == LEAST
    with pytest.raises(SealError, match=r"ciphertext too short: 28 bytes \(minimum 29\)"):
        KEY.open(bytes(LEAST - 1))


def test_a_bad_key_is_refused_and_never_shown() -> None:
    assert StorageKey.parse(" " + "00" * 32 + "\n").data_key(1) == KEY.data_key(1)
    with pytest.raises(CryptoError, match="at least 32 bytes, got 31"):
        StorageKey(bytes(31))
    with pytest.raises(CryptoError) as refused:
        StorageKey.parse("secret")
    assert "secret" not in str(refused.value)
    assert "00" not in repr(KEY)
