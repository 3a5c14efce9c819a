from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from node.runtime.edwards import PRIME, is_point, verify

ORDER = 2**252 + 27742317777372353535851937790883648493


@given(st.binary(min_size=32, max_size=32), st.binary(max_size=50))
def test_honest_signatures(seed: bytes, message: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = key.public_key().public_bytes_raw(), key.sign(message)
    assert is_point(public)
    assert verify(public, message, signature)
    assert not verify(public, message + b"x", signature)
    raised = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    assert not verify(public, message, signature[:32] + raised)


@pytest.mark.parametrize("y", [2, 7, 8, PRIME + 2])
def test_bytes_that_are_no_point(y: int) -> None:
    assert not is_point(y.to_bytes(32, "little"))


@pytest.mark.parametrize("y", [0, 1, 3, 4, PRIME - 1, PRIME, PRIME + 1, 1 | 1 << 255])
def test_points(y: int) -> None:
    """Small orders and values above the prime count as points, as in the reference's non-strict check."""
    assert is_point(y.to_bytes(32, "little"))
