"""Shared keys: both sides agree, weak keys of a peer are refused, nothing prints a key."""

from __future__ import annotations

import copy
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.crypto.ed25519 import public_key
from node.crypto.shared import SharedKey, agree
from node.errors import CryptoError
from node.primitives import PrivateKey, PublicKey
from tests.node.crypto.test_ed25519 import LOW_ORDER

OWN = PrivateKey(b"\x01" * 32)
SEEDS = st.binary(min_size=32, max_size=32)


@settings(max_examples=30)
@given(SEEDS, SEEDS)
def test_both_sides_agree(left: bytes, right: bytes) -> None:
    one, two = PrivateKey(left), PrivateKey(right)
    assert agree(one, public_key(two)).expose() == agree(two, public_key(one)).expose()


@pytest.mark.parametrize("point", LOW_ORDER)
def test_defect_a8_a_peer_key_of_low_order_is_refused(point: bytes) -> None:
    with pytest.raises(CryptoError, match="not a valid Edwards Y coordinate"):
        agree(OWN, PublicKey(point))


def test_defect_a8_a_shared_key_has_no_printable_form_and_no_copy() -> None:
    key = SharedKey(b"k" * 32)
    assert "6b" not in repr(key)
    assert "k" * 4 not in f"{key!s} {key!r}"
    for use in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(CryptoError, match="not serialised"):
            use(key)


def test_a_seed_has_no_printable_form() -> None:
    assert f"{OWN} {OWN!r}" == "PrivateKey(…) PrivateKey(…)"


def test_a_key_of_another_length_is_refused() -> None:
    with pytest.raises(CryptoError, match="has 32 bytes, got 31"):
        SharedKey(bytes(31))
