"""Random sequences of remote actions, chosen so that they meet: few ids and times, every type, forged and repeated.

The same seed gives the same sequence; a sequence is applied here and by the reference's own crate.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import sha256
from typing import Final

from node.crypto import ed25519
from node.primitives import PrivateKey
from node.storage import crdt_type
from node.storage.action import Action, Add, Compare, DeleteRef, Update, payload_for_signing
from node.storage.crdt_type import CrdtType
from node.storage.delta import with_signature
from node.storage.entities import FROZEN, PUBLIC, UNSIGNED, ChildInfo, Metadata, SignatureData, StorageType, User
from tests.vectors.storage import ROOT, C, digest, eid, md

START: Final = Update(ROOT, bytes(C), (), md(10, 10))
KEYS: Final = (PrivateKey(b"\x11" * 32), PrivateKey(b"\x22" * 32))
ABOVE: Final = {4: (1,), 5: (4, 1), 6: (2,)}
"""Entities that lie deeper, and what lies above them."""

DATA: Final = (b"", b"a", b"bb", bytes(32), b"\x07" * 32, bytes(64))
TYPES: Final[tuple[CrdtType | None, ...]] = (
    *(None,) * 6,
    crdt_type.GCounter(),
    crdt_type.PnCounter(),
    crdt_type.Rga(),
    crdt_type.FrozenStorage(),
    crdt_type.LwwRegister("x"),
    crdt_type.UnorderedMap("a", "b"),
    crdt_type.Custom("c"),
)


def sequence(seed: int) -> Iterator[Action]:
    """Four to fourteen actions; most sequences begin with the root."""
    dice, made = random.Random(seed), list[Action]()
    if dice.random() < 0.9:
        yield START
    for _ in range(dice.randrange(4, 14)):
        again = made and dice.random() < 0.1
        action = dice.choice(made) if again else _action(dice)
        made.append(action)
        yield action


def _action(dice: random.Random) -> Action:
    number, chance = dice.randrange(1, 7), dice.random()
    if chance < 0.02:
        return Compare(eid(number))
    if chance < 0.04:
        return Update(ROOT, bytes(C), (), md(_time(dice), _time(dice)))
    metadata = _metadata(dice)
    if chance < 0.22:
        return _signed(dice, DeleteRef(eid(number), metadata.updated_at, metadata))
    kind = Add if chance < 0.6 else Update
    return _signed(dice, kind(eid(number), _data(dice, number, metadata), _chain(dice, number), metadata))


def _time(dice: random.Random) -> int:
    return dice.randrange(1, 10) * 10


def _metadata(dice: random.Random) -> Metadata:
    created = dice.randrange(1, 6) * 10
    updated = max(created, _time(dice)) if dice.random() < 0.9 else _time(dice)
    return Metadata(created, updated, _storage_type(dice, updated), dice.choice(TYPES), dice.choice([None, None, "f"]))


def _storage_type(dice: random.Random, nonce: int) -> StorageType:
    chance = dice.random()
    if chance < 0.15:
        return FROZEN
    if chance < 0.3:
        return User(ed25519.public_key(dice.choice(KEYS)), SignatureData(UNSIGNED, nonce))
    return PUBLIC


def _data(dice: random.Random, number: int, metadata: Metadata) -> bytes:
    if metadata.storage_type == FROZEN and dice.random() < 0.8:
        value = bytes([dice.randrange(3)])
        return sha256(value).digest() + value + eid(number)
    return dice.choice(DATA)


def _chain(dice: random.Random, number: int) -> tuple[ChildInfo, ...]:
    above = tuple(
        ChildInfo(eid(parent), digest(dice.randrange(9)), md(_time(dice), _time(dice)))
        for parent in ABOVE.get(number, ())
    )
    return (*above, ChildInfo(ROOT, digest(0), md(10, 10))) if dice.random() < 0.95 else above


def _signed(dice: random.Random, action: Add | Update | DeleteRef) -> Action:
    """Mostly by the owner; now and then by another, or not at all."""
    kind = action.metadata.storage_type
    if not isinstance(kind, User) or dice.random() < 0.1:
        return action
    owner = next(key for key in KEYS if ed25519.public_key(key) == kind.owner)
    key = owner if dice.random() < 0.9 else dice.choice(KEYS)
    nonce = action.deleted_at if isinstance(action, DeleteRef) else action.metadata.updated_at
    blank = with_signature(action, SignatureData(UNSIGNED, nonce))
    return with_signature(blank, SignatureData(ed25519.sign(key, payload_for_signing(blank)), nonce))
