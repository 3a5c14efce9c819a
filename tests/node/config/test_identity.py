"""The node key and the peer id that follows from it."""

from __future__ import annotations

import base58
import pytest
from libp2p.crypto.ed25519 import create_new_key_pair
from libp2p.peer.id import ID

from node.config.identity import check_identity, new_account, new_identity, peer_id_of, public_of, seed_of
from node.config.model import Identity
from node.errors import ConfigError

SEED = bytes(range(32))


def test_it_is_libp2ps_own_form() -> None:
    identity = new_identity(lambda n: SEED[:n])
    pair = create_new_key_pair(SEED)
    assert identity.peer_id == ID.from_pubkey(pair.public_key).to_base58()
    assert identity.peer_id.startswith("12D3KooW")
    raw = base58.b58decode(identity.keypair)
    assert raw == bytes.fromhex("08011240") + SEED + pair.public_key.to_bytes()
    assert len(raw) == 68
    assert seed_of(identity) == SEED
    check_identity(identity)


def test_parts_that_do_not_belong_together() -> None:
    good, other = new_identity(lambda n: SEED[:n]), new_identity(bytes)
    with pytest.raises(ConfigError, match="Peer ID does not match public key"):
        check_identity(Identity(peer_id=other.peer_id, keypair=good.keypair))
    mixed = base58.b58encode(bytes.fromhex("08011240") + SEED + public_of(bytes(32))).decode()
    with pytest.raises(ConfigError, match="does not belong to the private key"):
        check_identity(Identity(peer_id=peer_id_of(public_of(bytes(32))), keypair=mixed))


@pytest.mark.parametrize("keypair", ["", "0OIl", "abc", base58.b58encode(bytes(68)).decode()])
def test_what_is_no_key(keypair: str) -> None:
    with pytest.raises(ConfigError, match=r"identity\.keypair is no"):
        seed_of(Identity(peer_id="x", keypair=keypair))


def test_secrets_do_not_show() -> None:
    identity = new_identity(bytes)
    account = new_account("http://x", bytes)
    assert identity.keypair not in repr(identity)
    assert account.secret_key not in repr(account)
    assert account.account_id == public_of(bytes(32)).hex()
    assert account.public_key.startswith("ed25519:")
