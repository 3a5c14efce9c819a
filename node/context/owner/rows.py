"""The rows of one context: what is read, and how a change of each kind is put into a batch. Commits nothing itself."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

from node.codec import borsh
from node.dag.delta import ZERO_HLC, CausalDelta, Kind, Link
from node.errors import StorageError
from node.primitives import GENESIS, ContextId, DeltaId, EntityId, Hash, PublicKey
from node.store.base import Batch, View
from node.store.columns import CONTEXT_COLUMNS, Column, Scope, delta_of, generic_key, in_context, member_of
from node.store.values import (
    ContextConfig,
    ContextDagDelta,
    ContextIdentity,
    ContextMeta,
    DeltaOrigin,
    KeptIdentity,
    Original,
    OutboxEntry,
    delta_row,
)

HALF = 16
"""Bytes of each of the two digests in the key of an original: context first, then entity."""

NO_ACTIONS = bytes(4)
"""Borsh of an empty action list."""


class ContextRows:
    """Reads the rows of ``context_id`` from ``view`` and writes them into batches."""

    def __init__(self, view: View, context_id: ContextId) -> None:
        self.view = view
        self.context_id = context_id

    # one row each

    def meta(self) -> ContextMeta | None:
        raw = self.view.get(Column.META, self.context_id)
        return None if raw is None else borsh.decode(ContextMeta, raw)

    def config(self) -> ContextConfig | None:
        raw = self.view.get(Column.CONFIG, self.context_id)
        return None if raw is None else borsh.decode(ContextConfig, raw)

    def put_meta(self, batch: Batch, meta: ContextMeta) -> None:
        batch.put(Column.META, bytes(self.context_id), borsh.encode(meta))

    def put_config(self, batch: Batch, config: ContextConfig) -> None:
        batch.put(Column.CONFIG, bytes(self.context_id), borsh.encode(config))

    # members

    def members(self) -> dict[PublicKey, ContextIdentity]:
        """All members in ascending key order."""
        rows = self.view.scan(Column.IDENTITY, self.context_id)
        return {member_of(key): borsh.decode(ContextIdentity, raw) for key, raw in rows}

    def put_member(self, batch: Batch, member: PublicKey, identity: ContextIdentity) -> None:
        batch.put(Column.IDENTITY, in_context(self.context_id, member), borsh.encode(identity))

    def drop_member(self, batch: Batch, member: PublicKey) -> None:
        batch.delete(Column.IDENTITY, in_context(self.context_id, member))

    def kept(self, member: PublicKey) -> ContextIdentity | None:
        """The secrets of an own identity that a member list once left out."""
        raw = self.view.get(Column.GENERIC, self._kept_key(member))
        return None if raw is None else borsh.decode(KeptIdentity, raw).identity

    def keep(self, batch: Batch, member: PublicKey, identity: ContextIdentity) -> None:
        batch.put(Column.GENERIC, self._kept_key(member), borsh.encode(KeptIdentity(self.context_id, member, identity)))

    def unkeep(self, batch: Batch, member: PublicKey) -> None:
        batch.delete(Column.GENERIC, self._kept_key(member))

    def _kept_key(self, member: PublicKey) -> bytes:
        return generic_key(Scope.KEPT_KEYS, self._digest(member))

    # state

    def state(self, key: bytes) -> bytes | None:
        return self.view.get(Column.STATE, self.context_id + key)

    def private(self, key: bytes) -> bytes | None:
        return self.view.get(Column.PRIVATE, self.context_id + key)

    def state_rows(self, after: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """State rows in key order without the context id, those behind ``after`` only."""
        start = self.context_id if after is None else self.context_id + after + b"\0"
        return ((key[32:], value) for key, value in self.view.scan(Column.STATE, self.context_id, start))

    def put_rows(self, batch: Batch, column: Column, writes: dict[bytes, bytes | None]) -> None:
        for key, value in writes.items():
            batch.changes[column, self.context_id + key] = value

    # deltas

    def delta(self, delta_id: DeltaId) -> ContextDagDelta | None:
        raw = self.view.get(Column.DELTA, in_context(self.context_id, delta_id))
        return None if raw is None else borsh.decode(ContextDagDelta, raw)

    def put_delta(self, batch: Batch, delta: CausalDelta, *, applied: bool) -> None:
        """The events rest in the origin row: the reference reads events of a delta row as handlers still to run."""
        row = delta_row(delta.id, delta.parents, delta.payload, delta.hlc, delta.expected_root_hash, applied=applied)
        batch.put(Column.DELTA, in_context(self.context_id, delta.id), borsh.encode(row))

    def drop_delta(self, batch: Batch, delta_id: DeltaId) -> None:
        batch.delete(Column.DELTA, in_context(self.context_id, delta_id))
        batch.delete(Column.GENERIC, self._origin_key(delta_id))

    def links(self) -> Iterator[tuple[Link, bool, bool]]:
        """Every delta row as (ancestry, applied, checkpoint), read without building its actions."""
        rows = self.view.scan(Column.DELTA, self.context_id)
        return (_peek(delta_of(key), raw) for key, raw in rows)

    def origin(self, delta_id: DeltaId) -> DeltaOrigin | None:
        raw = self.view.get(Column.GENERIC, self._origin_key(delta_id))
        return None if raw is None else borsh.decode(DeltaOrigin, raw)

    def put_origin(self, batch: Batch, origin: DeltaOrigin) -> None:
        batch.put(Column.GENERIC, self._origin_key(origin.delta_id), borsh.encode(origin))

    def causal(self, delta_id: DeltaId) -> CausalDelta | None:
        """A delta with its events, as it can be served or applied."""
        row = self.delta(delta_id)
        if row is None:
            return None
        origin = self.origin(delta_id)
        events = row.events if origin is None else origin.events
        kind = Kind.CHECKPOINT if _is_checkpoint(row.parents, row.actions, row.hlc) else Kind.REGULAR
        return CausalDelta(row.delta_id, row.parents, row.actions, row.hlc, row.expected_root_hash, events, kind)

    def _origin_key(self, delta_id: DeltaId) -> bytes:
        return generic_key(Scope.ORIGIN, self._digest(delta_id))

    # outbox

    def outbox_key(self, delta_id: DeltaId) -> bytes:
        return generic_key(Scope.OUTBOX, self._digest(delta_id))

    def put_outbox(self, batch: Batch, entry: OutboxEntry) -> None:
        batch.put(Column.GENERIC, self.outbox_key(entry.delta_id), borsh.encode(entry))

    def drop_outbox(self, batch: Batch, delta_id: DeltaId) -> None:
        batch.delete(Column.GENERIC, self.outbox_key(delta_id))

    def outbox(self) -> list[OutboxEntry]:
        """What is owed for this context. Reads the outbox of the whole shard: done once, when the context is loaded."""
        rows = self.view.scan(Column.GENERIC, Scope.OUTBOX)
        entries = [borsh.decode(OutboxEntry, raw) for _, raw in rows]
        return [entry for entry in entries if entry.context_id == self.context_id]

    # originals

    def has_original(self, entity: EntityId) -> bool:
        return self.view.get(Column.GENERIC, self._original_key(entity)) is not None

    def put_original(self, batch: Batch, original: Original) -> None:
        batch.put(Column.GENERIC, self._original_key(original.entity), borsh.encode(original))

    def originals(self) -> Iterator[Original]:
        rows = self.view.scan(Column.GENERIC, self._originals())
        return (borsh.decode(Original, raw) for _, raw in rows)

    def _originals(self) -> bytes:
        """Where the originals of this context lie, side by side."""
        return Scope.ORIGINAL + self._digest(b"")[:HALF]

    def _original_key(self, entity: EntityId) -> bytes:
        return generic_key(Scope.ORIGINAL, self._digest(b"")[:HALF] + self._digest(entity)[:HALF])

    # everything

    def drop_all(self, batch: Batch) -> None:
        """Every row of the context."""
        for link, _, _ in self.links():
            batch.delete(Column.GENERIC, self._origin_key(link.id))
            self.drop_outbox(batch, link.id)
        batch.delete(Column.GENERIC, generic_key(Scope.SYNC_IN_PROGRESS, self.context_id))
        batch.delete_all(Column.GENERIC, (key for key, _ in self.view.scan(Column.GENERIC, self._originals())))
        for column in CONTEXT_COLUMNS:
            batch.delete_all(column, (key for key, _ in self.view.scan(column, self.context_id)))

    def _digest(self, part: bytes) -> bytes:
        return hashlib.sha256(self.context_id + part).digest()


def context_ids(view: View) -> list[ContextId]:
    """Every context that has a Meta row."""
    return [ContextId(key) for key, _ in view.scan(Column.META)]


def _peek(delta_id: DeltaId, raw: bytes) -> tuple[Link, bool, bool]:
    try:
        (count,) = struct.unpack_from("<I", raw, 32)
        parents = tuple(DeltaId(raw[at : at + 32]) for at in range(36, 36 + 32 * count, 32))
        place = 36 + 32 * count
        (size,) = struct.unpack_from("<I", raw, place)
        hlc_at = place + 4 + size
        applied = raw[hlc_at + 24]
    except (struct.error, IndexError, ValueError) as error:
        raise StorageError(f"the row of delta {delta_id} is damaged: {error}") from error
    short = size == len(NO_ACTIONS)
    checkpoint = short and _is_checkpoint(parents, raw[place + 4 : hlc_at], raw[hlc_at : hlc_at + 24])
    return Link(delta_id, parents), bool(applied), checkpoint


def _is_checkpoint(parents: tuple[DeltaId, ...], actions: bytes, hlc: bytes) -> bool:
    return parents == (GENESIS,) and actions == NO_ACTIONS and hlc == ZERO_HLC


def root_of(meta: ContextMeta | None) -> Hash:
    return Hash.zero() if meta is None else meta.root_hash
