"""Deltas: what one execution changed, how it is named, and how its author signs it.

A storage delta is the artifact that a guest hands over at its commit; a causal delta is the form in which a peer serves
it. The id covers parents, entity ids, data and owners, and no times.
Source: core 0.10.0: crates/storage/src/{delta,integration}.rs, crates/context/src/handlers/execute.rs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final, TypeAlias

import msgspec

from node.codec import borsh
from node.codec.borsh import Codec, variant
from node.crypto import ed25519
from node.primitives import DeltaId, EntityId, Hash, PrivateKey, PublicKey
from node.storage.action import ACTIONS, Action, Add, Compare, DeleteRef, Update, payload_for_signing, unsigned_bytes
from node.storage.entities import UNSIGNED, ChildInfo, Metadata, SignatureData, User
from node.storage.hlc import HybridTimestamp

CHILD_NAME: Final = "_"
"""The only name under which a comparison lists children."""


class ComparisonData(msgspec.Struct, frozen=True):
    """An entity's hashes and surroundings, for a comparison with another replica's."""

    id: EntityId
    full_hash: Hash
    own_hash: Hash
    children: dict[str, tuple[ChildInfo, ...]]
    ancestors: tuple[ChildInfo, ...]
    metadata: Metadata


class Comparison(msgspec.Struct, frozen=True):
    """``data`` None: the entity has none here."""

    data: bytes | None
    comparison_data: ComparisonData


@variant(0)
class Actions(msgspec.Struct, frozen=True):
    actions: tuple[Action, ...] = ()


@variant(1)
class Comparisons(msgspec.Struct, frozen=True):
    comparisons: tuple[Comparison, ...] = ()


StorageDelta: TypeAlias = Actions | Comparisons

STORAGE_DELTA: Final[Codec[StorageDelta]] = borsh.codec(StorageDelta)


class CausalDelta(msgspec.Struct, frozen=True):
    """A delta as a peer serves it on request: without events and without a kind."""

    id: DeltaId
    parents: tuple[DeltaId, ...]
    actions: tuple[Action, ...]
    hlc: HybridTimestamp
    expected_root_hash: Hash


def decode_artifact(artifact: bytes) -> StorageDelta:
    """Read an artifact; no bytes at all mean no comparisons. Raises :class:`DecodeError`."""
    return STORAGE_DELTA.decode(artifact) if artifact else Comparisons()


def encode_artifact(delta: StorageDelta) -> bytes:
    """The bytes of an artifact."""
    return STORAGE_DELTA.encode(delta)


def actions_of(artifact: bytes) -> tuple[Action, ...]:
    """The actions of an artifact, none if it holds comparisons. Raises :class:`DecodeError`."""
    delta = decode_artifact(artifact)
    return delta.actions if isinstance(delta, Actions) else ()


def artifact_from_payload(payload: bytes) -> bytes:
    """The artifact of a delta row's ``vec<Action>``, without reading it."""
    return b"\x00" + payload


def payload_of(actions: Iterable[Action]) -> bytes:
    """Borsh ``vec<Action>``: what a delta row keeps."""
    return ACTIONS.encode(tuple(actions))


def delta_id(parents: Iterable[DeltaId], actions: Iterable[Action]) -> DeltaId:
    """The id of a delta: SHA-256 over its parents in list order and its actions."""
    return DeltaId(sha256(b"".join((*parents, *map(_identity, actions)))).digest())


def _identity(action: Action) -> bytes:
    if isinstance(action, Compare):
        return action.id
    data = b"" if isinstance(action, DeleteRef) else action.data
    return action.id + data + unsigned_bytes(action.metadata.storage_type)


Sign: TypeAlias = Callable[[bytes], bytes]
"""Signs 32 bytes with the key of the executing identity."""


def sign_actions(actions: Iterable[Action], executor: PublicKey, key: PrivateKey) -> tuple[Action, ...]:
    """Sign what ``executor`` changed of its own; signatures that are there already, and foreign ones, stay."""
    return tuple(_signed(action, executor, lambda payload: ed25519.sign(key, payload)) for action in actions)


def _signed(action: Action, executor: PublicKey, sign: Sign) -> Action:
    if isinstance(action, Compare) or not awaits_signature(action.metadata, executor):
        return action
    nonce = action.deleted_at if isinstance(action, DeleteRef) else action.metadata.updated_at
    blank = with_signature(action, SignatureData(UNSIGNED, nonce))
    return with_signature(blank, SignatureData(sign(payload_for_signing(blank)), nonce))


def awaits_signature(metadata: Metadata, executor: PublicKey) -> bool:
    """Whether an entity of ``executor`` carries the placeholder that an author's node replaces."""
    kind = metadata.storage_type
    if not isinstance(kind, User) or kind.owner != executor or kind.signature_data is None:
        return False
    return kind.signature_data.signature == UNSIGNED


def with_signature(action: Add | Update | DeleteRef, data: SignatureData) -> Add | Update | DeleteRef:
    """The same action of a user-owned entity with other signature data."""
    kind = action.metadata.storage_type
    if not isinstance(kind, User):
        return action
    metadata = msgspec.structs.replace(action.metadata, storage_type=User(kind.owner, data))
    return msgspec.structs.replace(action, metadata=metadata)
