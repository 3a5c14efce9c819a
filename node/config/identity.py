"""The libp2p key of a node as config.toml holds it, and the peer id that follows from it.

``keypair`` is base58 of ``08 01 12 40 | seed | public key``, the protobuf form of an Ed25519 private key. The peer id
is base58 of the identity multihash ``00 24`` over ``08 01 12 20 | public key``. Randomness comes in as an argument.
core 0.10.0: crates/config/src/lib.rs; libp2p peer-ids specification.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import base58
from nacl.bindings import crypto_sign_seed_keypair

from node.config.model import Account, Identity
from node.errors import ConfigError

__all__ = ["check_identity", "new_account", "new_identity", "peer_id_of", "seed_of"]

SEED_LENGTH: Final = 32
KEY_PREFIX: Final = b"\x08\x01\x12\x40"
PEER_PREFIX: Final = b"\x00\x24\x08\x01\x12\x20"

RandomBytes = Callable[[int], bytes]


def new_identity(random_bytes: RandomBytes) -> Identity:
    """A fresh node key."""
    seed = random_bytes(SEED_LENGTH)
    public = public_of(seed)
    return Identity(peer_id=peer_id_of(public), keypair=_text(KEY_PREFIX + seed + public))


def new_account(rpc_url: str, random_bytes: RandomBytes) -> Account:
    """A fresh key of the local NEAR signer; the implicit account is the public key in hex."""
    seed = random_bytes(SEED_LENGTH)
    public = public_of(seed)
    return Account(
        rpc_url=rpc_url,
        account_id=public.hex(),
        public_key=f"ed25519:{_text(public)}",
        secret_key=f"ed25519:{_text(seed + public)}",
    )


def public_of(seed: bytes) -> bytes:
    """The 32-byte Ed25519 public key of a seed."""
    return crypto_sign_seed_keypair(seed)[0]


def peer_id_of(public: bytes) -> str:
    """The text of the peer id of an Ed25519 public key."""
    return _text(PEER_PREFIX + public)


def seed_of(identity: Identity) -> bytes:
    """The 32-byte seed. Raises :class:`ConfigError`."""
    try:
        raw = base58.b58decode(identity.keypair)
    except ValueError as error:
        raise ConfigError(f"identity.keypair is not base58: {error}") from error
    if len(raw) != len(KEY_PREFIX) + 2 * SEED_LENGTH or not raw.startswith(KEY_PREFIX):
        raise ConfigError("identity.keypair is no Ed25519 key in its protobuf form (68 bytes that start with 08011240)")
    return raw[len(KEY_PREFIX) :][:SEED_LENGTH]


def check_identity(identity: Identity) -> None:
    """Raises :class:`ConfigError` if the parts do not belong together; the text is the reference's."""
    seed = seed_of(identity)
    public = public_of(seed)
    if _text(KEY_PREFIX + seed + public) != identity.keypair:
        raise ConfigError("identity.keypair: the public key does not belong to the private key")
    if identity.peer_id != peer_id_of(public):
        raise ConfigError(f"identity: Peer ID does not match public key; it is {peer_id_of(public)}")


def _text(raw: bytes) -> str:
    return base58.b58encode(raw).decode("ascii")
