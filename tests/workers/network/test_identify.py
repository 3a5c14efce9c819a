"""identify: round trip, and foreign bytes."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError
from node.gossip.protobuf import bytes_field, text_field
from workers.network.identify import MAX_ITEMS, IdentifyInfo, decode, encode
from workers.network.secure import Identity


def test_round_trip() -> None:
    info = IdentifyInfo(
        "agent/1", "/calimero-network/0.0.0", ("/a/1", "/b/2"), ("/ip4/10.0.0.1/tcp/5",), "/ip6/::1/tcp/6"
    )
    assert decode(encode(info, Identity(bytes(32)).peer_id)) == info


def test_addresses_that_cannot_be_dialled_are_left_out() -> None:
    assert decode(bytes_field(2, bytes.fromhex("047f0000019102097ccd03"))).listen == ()


def test_items_are_bounded() -> None:
    decode(text_field(3, "/p") * MAX_ITEMS)
    with pytest.raises(DecodeError, match="more than 128"):
        decode(text_field(3, "/p") * (MAX_ITEMS + 1))


@given(st.binary(max_size=100))
def test_random_bytes_raise_nothing_but_decode_errors(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode(data)
