"""Signatures: what an honest signer makes is accepted, every other encoding is not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.crypto import ed25519
from node.crypto.ed25519 import ORDER
from node.errors import CryptoError, InvalidSignature
from node.primitives import PrivateKey, PublicKey

KEY = PrivateKey(b"\x01" * 32)
SIGNER = ed25519.public_key(KEY)
MESSAGE = b"message"
SIGNATURE = ed25519.sign(KEY, MESSAGE)

LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"),
    bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"),
]


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=100))
def test_what_is_signed_verifies(seed: bytes, message: bytes) -> None:
    key = PrivateKey(seed)
    ed25519.verify(ed25519.public_key(key), message, ed25519.sign(key, message))


@pytest.mark.parametrize("at", [0, 31, 32, 62])
def test_a_changed_signature_is_refused(at: int) -> None:
    changed = SIGNATURE[:at] + bytes([SIGNATURE[at] ^ 1]) + SIGNATURE[at + 1 :]
    with pytest.raises(InvalidSignature, match=f"does not verify under {SIGNER}"):
        ed25519.verify(SIGNER, MESSAGE, changed)


def test_another_message_or_signer_is_refused() -> None:
    assert not ed25519.is_valid(SIGNER, b"other", SIGNATURE)
    assert not ed25519.is_valid(ed25519.public_key(PrivateKey(b"\x02" * 32)), MESSAGE, SIGNATURE)


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    assert not ed25519.is_valid(SIGNER, MESSAGE, bytes(size))


def test_defect_a10_a_non_canonical_scalar_is_refused() -> None:
    scalar = int.from_bytes(SIGNATURE[32:], "little") + ORDER
    assert not ed25519.is_valid(SIGNER, MESSAGE, SIGNATURE[:32] + scalar.to_bytes(32, "little"))


@pytest.mark.parametrize("point", LOW_ORDER)
def test_defect_a10_a_key_of_small_order_is_refused(point: bytes) -> None:
    assert not ed25519.is_valid(PublicKey(point), MESSAGE, point + bytes(32))
    with pytest.raises(CryptoError, match="low order"):
        ed25519.check_point(PublicKey(point))


def test_defect_a10_a_signature_point_of_small_order_is_refused() -> None:
    assert not ed25519.is_valid(SIGNER, MESSAGE, LOW_ORDER[1] + SIGNATURE[32:])


def test_a_key_off_the_curve_is_refused() -> None:
    with pytest.raises(CryptoError, match="not a valid Edwards Y coordinate"):
        ed25519.check_point(PublicKey(b"\x02" + bytes(31)))
    ed25519.check_point(SIGNER)
