"""Saving, deleting and applying: the rules by which an entity changes.

A local write becomes an action for the others; a remote action is checked and then resolved against what is here. By
the order of the steps, a change that is refused half-way leaves the traces that it leaves in the reference.
Source: core 0.10.0: crates/storage/src/interface.rs.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Protocol

import msgspec

from node.primitives import EntityId, Hash
from node.storage.action import Action, Add, Compare, DeleteRef, Update
from node.storage.checks import check_action
from node.storage.entities import UNSIGNED, ChildInfo, Frozen, Metadata, SignatureData, User
from node.storage.env import INTEROP, Env, Rules
from node.storage.faults import ActionNotAllowed, CannotCreateOrphan, MergeFailure, UnknownEntity
from node.storage.index import ZERO, ChildCache, Index
from node.storage.keys import entry_key
from node.storage.pending import Pending
from node.storage.rows import Rows

NO_MERGE = (
    "No merge function registered for root entity. Use #[app::state] macro or call register_crdt_merge::<YourState>()."
)


class EntityMerge(Protocol):
    """Makes one value of two, by the type in the metadata of the incoming one."""

    def __call__(self, engine: Interface, existing: bytes, incoming: bytes, metadata: Metadata) -> bytes: ...


class Interface:
    """The operations on entities of one context, for one execution."""

    def __init__(
        self, rows: Rows, env: Env, merge: EntityMerge, rules: Rules = INTEROP, cache: ChildCache | None = None
    ) -> None:
        self.rows = rows
        self.env = env
        self.rules = rules
        self.index = Index(rows, rules, cache)
        self.pending = Pending(env.clock)
        self._merge = merge
        self._merging = False

    # time

    def now(self) -> int:
        """Time of a new value in ns; zero while values are merged, so that all replicas make the same."""
        return 0 if self._merging else self.env.now_ns()

    @property
    def merging(self) -> bool:
        return self._merging

    @contextmanager
    def merge_mode(self) -> Iterator[None]:
        """Values made inside carry no time. Not nestable: an inner scope ends the outer one, as in the reference."""
        self._merging = True
        try:
            yield
        finally:
            self._merging = False

    def touched(self, metadata: Metadata) -> Metadata:
        """Metadata of an entity that is changed now."""
        if self._merging:
            return metadata
        now = self.env.now_ns()
        if self.rules.local_wins:
            now = max(now, metadata.updated_at + 1)
        return msgspec.structs.replace(metadata, updated_at=now)

    # reading

    @property
    def root_hash(self) -> Hash | None:
        """Full hash of the root entity, None without one."""
        node = self.index.get(self.env.root)
        return None if node is None else node.full_hash

    def raw(self, entity: EntityId) -> bytes | None:
        """The data of an entity, tombstone or not."""
        return self.rows.get(entry_key(entity))

    def find(self, entity: EntityId) -> bytes | None:
        """The data of a living entity. Raises :class:`UnknownEntity` for data without an index."""
        node = self.index.get(entity)
        if node is not None and node.deleted_at is not None:
            return None
        data = self.raw(entity)
        if data is not None and node is None:
            raise UnknownEntity(entity)
        return data

    # local changes

    def save_raw(self, entity: EntityId, data: bytes, metadata: Metadata) -> Hash | None:
        """Write an entity and note the action; answers its full hash, or None if a later write is here.

        Raises :class:`CannotCreateOrphan` for an entity without a place, :class:`MergeFailure` for a root document
        that nothing can merge.
        """
        node = self.index.get(entity)
        if entity != self.env.root and (node is None or node.parent_id is None):
            raise CannotCreateOrphan(entity)
        metadata = self._awaiting_signature(metadata, metadata.updated_at)
        full_hash = self._save(entity, data, metadata)
        if full_hash is None:
            return None
        kind = Add if metadata.created_at == metadata.updated_at else Update
        self.pending.push(kind(entity, data, self.index.ancestors(entity), metadata))
        return full_hash

    def add_child_to(self, parent: EntityId, entity: EntityId, data: bytes, metadata: Metadata) -> bool:
        """Put a new entity below a parent; False if a later write is here."""
        if self.rules.local_wins and not self._merging:
            metadata = self._after_delete(entity, metadata)
        self.index.add_child_to(parent, ChildInfo(entity, _hash(data), metadata))
        return self.save_raw(entity, data, metadata) is not None

    def _after_delete(self, entity: EntityId, metadata: Metadata) -> Metadata:
        """A local write over a tombstone is later than the tombstone."""
        stored = self.index.metadata(entity)
        if stored is None or stored.updated_at < metadata.updated_at:
            return metadata
        return msgspec.structs.replace(metadata, updated_at=stored.updated_at + 1)

    def remove_child_from(self, parent: EntityId, entity: EntityId) -> bool:
        """Delete an entity; False if it is not among the parent's children.

        Raises :class:`UnknownEntity`, and :class:`ActionNotAllowed` for a frozen entity.
        """
        children = self.index.children(parent)
        if children is None or entity not in children:
            return False
        stored = self.index.need(entity).metadata
        if self.rules.frozen_stays and isinstance(stored.storage_type, Frozen):
            raise ActionNotAllowed("Frozen data cannot be deleted")
        time = self._delete_time(stored)
        metadata = self._awaiting_signature(stored, time, renew=True)
        self._bury(entity, time if self.rules.one_time_per_delete else self.env.now_ns())
        self.index.detach(parent, entity)
        self.pending.push(DeleteRef(entity, time, metadata))
        return True

    def _delete_time(self, stored: Metadata) -> int:
        now = self.env.now_ns()
        return max(now, stored.updated_at + 1) if self.rules.local_wins else now

    def _bury(self, entity: EntityId, time: int) -> None:
        self.rows.remove(entry_key(entity))
        self.index.mark_deleted(entity, time)
        if self.rules.delete_subtree:
            self._bury_children(entity, time)

    def _bury_children(self, entity: EntityId, time: int) -> None:
        """Descendants go with their parent; they leave its list only with it, so no hash depends on it."""
        for child in self.index.children(entity) or ():
            node = self.index.get(child.id)
            if node is not None and node.parent_id == entity and not isinstance(node.metadata.storage_type, Frozen):
                self._bury(child.id, max(time, node.deleted_at or 0))

    def _awaiting_signature(self, metadata: Metadata, nonce: int, *, renew: bool = False) -> Metadata:
        """Own user data get a placeholder, which the node replaces before anything leaves it."""
        kind = metadata.storage_type
        if not isinstance(kind, User) or kind.owner != self.env.executor:
            return metadata
        if kind.signature_data is not None and not renew and not self.rules.fresh_signature:
            return metadata
        return msgspec.structs.replace(metadata, storage_type=User(kind.owner, SignatureData(UNSIGNED, nonce)))

    # conflict resolution

    def _save(self, entity: EntityId, data: bytes, metadata: Metadata) -> Hash | None:
        stored = self.index.metadata(entity)
        if stored is None and entity == self.env.root:
            self.index.add_root(ChildInfo(entity, ZERO, metadata))
        if stored is not None and self._loses(entity, data, metadata, stored):
            if self.rules.single_row:
                self.index.reposition(entity, metadata.created_at)
            return None
        final = data if stored is None else self._resolve(entity, data, metadata)
        self._lift(entity, metadata)
        full_hash = self.index.update_hash(entity, _hash(final), metadata.updated_at)
        self.rows.put(entry_key(entity), final)
        return full_hash

    def _loses(self, entity: EntityId, data: bytes, metadata: Metadata, stored: Metadata) -> bool:
        """Whether what is here is later."""
        if stored.updated_at != metadata.updated_at:
            return stored.updated_at > metadata.updated_at
        if self.rules.lift_tombstones and self.index.is_deleted(entity):
            return True
        existing = self.raw(entity) if self.rules.tie_by_data else None
        return existing is not None and existing > data

    def _lift(self, entity: EntityId, metadata: Metadata) -> None:
        if self.rules.lift_tombstones and self.index.is_deleted(entity):
            self.index.revive(entity, metadata)

    def _resolve(self, entity: EntityId, data: bytes, metadata: Metadata) -> bytes:
        existing = self.raw(entity)
        if existing is None:
            return data
        if entity != self.env.root:
            return self._merge(self, existing, data, metadata)
        if not self.rules.root_last_write_wins:
            raise MergeFailure(NO_MERGE)
        same_time = self.index.need(entity).metadata.updated_at == metadata.updated_at
        return max(existing, data) if same_time else data

    # remote changes

    def apply_action(self, action: Action) -> None:
        """Apply a change that another node made.

        Raises :class:`~node.storage.faults.ActionRefused` before anything is changed.
        """
        if isinstance(action, Compare):
            raise ActionNotAllowed("Compare")
        check_action(action, self.index, self.env, self.rules)
        if isinstance(action, DeleteRef):
            self._apply_delete(action.id, action.deleted_at)
        else:
            self._apply_upsert(action)

    def _apply_upsert(self, action: Add | Update) -> None:
        entity, metadata = action.id, action.metadata
        parent = self._link_ancestors(action.ancestors)
        if self.index.get(entity) is None:
            self._introduce(entity, parent, action)
        if self._save(entity, action.data, metadata) is None:
            return
        if parent is not None:
            own_hash = self.index.need(entity).own_hash
            self.index.add_child_to(parent, ChildInfo(entity, own_hash, metadata))
        self.pending.push(Compare(entity))

    def _link_ancestors(self, ancestors: tuple[ChildInfo, ...]) -> EntityId | None:
        """Make the ancestors that are missing, from the root down; answers the parent.

        One that is made this way has as own hash what the sender has as full hash: the place is kept, and the hash
        becomes right when the ancestor itself arrives.
        """
        above: EntityId | None = None
        for link in reversed(ancestors):
            if self.index.get(link.id) is None:
                if above is None:
                    self.index.add_root(link)
                else:
                    self.index.add_child_to(above, link)
            above = link.id
        return above

    def _introduce(self, entity: EntityId, parent: EntityId | None, action: Add | Update) -> None:
        if entity == self.env.root:
            self.index.add_root(ChildInfo(entity, ZERO, action.metadata))
        elif parent is not None:
            self.index.add_child_to(parent, ChildInfo(entity, _hash(action.data), action.metadata))
        else:
            raise UnknownEntity(entity)

    def _apply_delete(self, entity: EntityId, deleted_at: int) -> None:
        node = self.index.need(entity)
        if node.deleted_at is not None:
            self.index.mark_deleted(entity, deleted_at)
        elif deleted_at >= node.metadata.updated_at:
            self._bury(entity, deleted_at)
            if node.parent_id is not None:
                self.index.detach(node.parent_id, entity)

    # the end of an execution

    def flush(self) -> None:
        """Write the tree to the rows."""
        self.index.flush()

    def close(self) -> None:
        """The same, for good: long child lists go to the cache."""
        self.index.close()


def _hash(data: bytes) -> Hash:
    return Hash(sha256(data).digest())
