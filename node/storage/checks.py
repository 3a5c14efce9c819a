"""Whether a remote action may be applied: its time, who may make it, what it may not touch.

Nothing is changed here, so a refused action leaves no trace. The order of the checks decides which error a peer sees.
Source: core 0.10.0: crates/storage/src/interface.rs.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, TypeAlias

from node.crypto import ed25519
from node.storage.action import Add, DeleteRef, Update, payload_for_signing
from node.storage.entities import Frozen, Metadata, StorageType, User
from node.storage.env import Env, Rules
from node.storage.faults import (
    ActionNotAllowed,
    BadSignature,
    InvalidData,
    InvalidTimestamp,
    NonceReplay,
    UnknownEntity,
)
from node.storage.hlc import DRIFT_NS
from node.storage.index import Index

Change: TypeAlias = Add | Update | DeleteRef

HASH_SIZE: Final = 32
FROZEN_LEAST: Final = 64
"""Bytes of a frozen entry without a value: its hash in front, its id behind."""


def check_action(action: Change, index: Index, env: Env, rules: Rules) -> None:
    """Raises an :class:`~node.storage.faults.ActionRefused` that says why."""
    _check_time(action, env.now_ns())
    if isinstance(action, DeleteRef):
        _check_delete(action, index)
    else:
        _check_upsert(action, index, rules)


def _check_time(action: Change, now: int) -> None:
    time = action.deleted_at if isinstance(action, DeleteRef) else action.metadata.updated_at
    if time > now + DRIFT_NS:
        raise InvalidTimestamp(time, now)


def _check_upsert(action: Add | Update, index: Index, rules: Rules) -> None:
    _check_chain(action, index)
    stored, kind = index.metadata(action.id), action.metadata.storage_type
    if stored is not None and (isinstance(action, Update) or rules.check_adds):
        _check_same_owner(stored.storage_type, kind)
    if isinstance(kind, User):
        _check_user(action, kind, stored.updated_at if stored is not None else 0)
    elif isinstance(kind, Frozen):
        _check_frozen(action, stored, rules)


def _check_chain(action: Add | Update, index: Index) -> None:
    """An entity above itself would make every walk to the root endless."""
    ids = [action.id, *(link.id for link in action.ancestors)]
    if len(set(ids)) != len(ids):
        raise InvalidData(f"entity {action.id.hex()} names an ancestor twice")
    if action.ancestors:
        index.check_acyclic(action.ancestors[0].id, action.id)


def _check_same_owner(stored: StorageType, incoming: StorageType) -> None:
    if type(stored) is not type(incoming):
        raise ActionNotAllowed("Cannot change StorageType (e.g., User->Public/User->Frozen/etc)")
    if isinstance(stored, User) and isinstance(incoming, User) and stored.owner != incoming.owner:
        raise ActionNotAllowed("Cannot change owner of User storage")


def _check_user(action: Add | Update | DeleteRef, kind: User, last: int) -> None:
    """Signed by the owner, with a nonce above the last one."""
    if kind.signature_data is None:
        raise InvalidData(f"Remote User {'delete' if isinstance(action, DeleteRef) else 'action'} must be signed")
    if kind.signature_data.nonce <= last:
        raise NonceReplay(kind.owner, kind.signature_data.nonce, last)
    if not ed25519.is_valid(kind.owner, payload_for_signing(action), kind.signature_data.signature):
        raise BadSignature


def _check_frozen(action: Add | Update, stored: Metadata | None, rules: Rules) -> None:
    if isinstance(action, Update):
        raise ActionNotAllowed("Frozen data cannot be updated")
    if len(action.data) < FROZEN_LEAST:
        raise InvalidData("Frozen data blob is too small.")
    if sha256(action.data[HASH_SIZE:-HASH_SIZE]).digest() != action.data[:HASH_SIZE]:
        raise InvalidData("Frozen data corruption: Entry key does not match hash of Entry value.")


def _check_delete(action: DeleteRef, index: Index) -> None:
    stored = index.metadata(action.id)
    if stored is None:
        raise UnknownEntity(action.id)
    owner, kind = stored.storage_type, action.metadata.storage_type
    if isinstance(owner, Frozen):
        raise ActionNotAllowed("Frozen data cannot be deleted")
    if isinstance(owner, User):
        if not isinstance(kind, User) or kind.owner != owner.owner:
            raise BadSignature
        _check_user(action, kind, stored.updated_at)
