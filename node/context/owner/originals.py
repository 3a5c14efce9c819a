"""What a snapshot brought of entries that were written since, so that the state at every later delta can be rebuilt.

The original of an entry is kept in the batch of the first delta that writes it; what nobody wrote is still what it was.
A context whose history begins here has no originals and pays nothing.
"""

from __future__ import annotations

from collections.abc import Iterator

from node.codec import borsh
from node.context.owner.content import changes_of
from node.context.owner.rows import ContextRows
from node.dag.history import Version
from node.errors import DecodeError
from node.primitives import DeltaId, EntityId
from node.storage.entities import EntityIndex
from node.storage.keys import entry_key, index_key, root_id
from node.store.base import Batch
from node.store.values import Original


def keep(rows: ContextRows, batch: Batch, payload: bytes) -> None:
    """Add to ``batch`` the entries that ``payload`` writes for the first time, as the store still has them."""
    for entity in dict.fromkeys(change.entity for change in changes_of(payload)):
        if not rows.has_original(entity):
            rows.put_original(batch, _original(rows, entity))


def brought(rows: ContextRows, written: set[EntityId], by: DeltaId) -> dict[EntityId, Version]:
    """The entries of the snapshot, named as those of delta ``by``; ``written``: entries of the deltas known here."""
    kept = {
        original.entity: Version(original.data, original.at_ns, by)
        for original in rows.originals()
        if original.data is not None
    }
    for index in _tree(rows):
        data = rows.state(entry_key(index.id))
        if data is not None and index.id not in written and index.deleted_at is None:
            kept[index.id] = Version(data, index.metadata.updated_at, by)
    return kept


def index_of(rows: ContextRows, entity: EntityId) -> EntityIndex | None:
    """The index row of an entry; None if there is none or an application wrote something else in its place."""
    raw = rows.state(index_key(entity))
    try:
        return None if raw is None else borsh.decode(EntityIndex, raw)
    except DecodeError:
        return None


def _original(rows: ContextRows, entity: EntityId) -> Original:
    index = index_of(rows, entity)
    if index is None or index.deleted_at is not None:
        return Original(entity, None, 0)
    return Original(entity, rows.state(entry_key(entity)), index.metadata.updated_at)


def _tree(rows: ContextRows) -> Iterator[EntityIndex]:
    """Every entity that hangs below the root, once."""
    queue = [root_id(rows.context_id)]
    seen = set(queue)
    while queue:
        index = index_of(rows, queue.pop())
        if index is None:
            continue
        yield index
        fresh = {child.id for child in index.children or ()} - seen
        seen |= fresh
        queue.extend(fresh)
