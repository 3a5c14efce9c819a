"""Settings of the node as the network worker reads them."""

from __future__ import annotations

import base58
import pytest
from nacl.signing import SigningKey

from node.errors import ConfigError
from workers.network.config import _dialable, seed_of


def test_the_stored_keypair_gives_its_seed() -> None:
    seed = bytes(range(32))
    raw = bytes.fromhex("08011240") + seed + bytes(SigningKey(seed).verify_key)
    assert seed_of(base58.b58encode(raw).decode()) == seed


@pytest.mark.parametrize("text", ["", "0OIl", base58.b58encode(bytes(68)).decode()])
def test_other_keys_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="Ed25519 key in base58"):
        seed_of(text)


def test_quic_addresses_are_left_out_and_nonsense_is_an_error() -> None:
    assert _dialable(["/ip4/0.0.0.0/tcp/2428", "/ip4/0.0.0.0/udp/2428/quic-v1"]) == ("/ip4/0.0.0.0/tcp/2428",)
    with pytest.raises(ConfigError):
        _dialable(["localhost:2428"])
