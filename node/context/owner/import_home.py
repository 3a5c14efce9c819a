"""Take over the home of a stopped merod 0.10.0, and write one that merod can open.

Rows are copied as they are; what the reference leaves inconsistent after a crash or a migration is put right, because
here a head without a row stops a context: such a head becomes a checkpoint (its effects are in the state), and a row is
applied exactly if it was marked so or lies behind an applied one. The source is only read.
Source of the layout: core 0.10.0: crates/store/src/key/**, crates/node/src/delta_store.rs.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from node.codec import borsh
from node.context.owner.rows import ContextRows, context_ids
from node.crypto.rest import StorageKey
from node.dag.delta import Link, checkpoint
from node.dag.store import DagStore
from node.errors import DecodeError, StoreUnusable
from node.primitives import GENESIS, ContextId, DeltaId, Hash
from node.storage.entities import EntityIndex
from node.storage.keys import index_key, root_id
from node.store.base import Batch, Row, Store, View
from node.store.columns import CONTEXT_COLUMNS, Column, Scope, alias_of, in_context, split
from node.store.foreign import ForeignReader, write_foreign
from node.store.shards import Shards
from node.store.values import ContextMeta

CHUNK: Final = 1000
"""Rows of one batch while copying: an interrupted import is begun again, so a batch need not hold a whole context."""

OURS: Final = frozenset(
    {Scope.ORIGIN, Scope.KEPT_KEYS, Scope.OUTBOX, Scope.SYNC_IN_PROGRESS, Scope.GOVERNANCE, Scope.ORIGINAL}
)
"""Scopes of the Generic column that mean nothing to merod, or would make it distrust the state."""

EVERYWHERE: Final = (Column.APPLICATION, Column.BLOBS)
"""Rows of which every shard has a copy."""


@dataclass(frozen=True, slots=True)
class Imported:
    """What was taken over: contexts, rows, blob files, and heads that had no row and became checkpoints."""

    contexts: int
    rows: int
    blobs: int
    checkpoints: int


def import_home(data_dir: Path, blob_dir: Path, shards: Shards, blobs: Path, key: StorageKey | None = None) -> Imported:
    """Copy a merod home into empty shards. ``data_dir`` and ``blob_dir`` are the source's, ``blobs`` is our own.
    ``key`` opens a source that is encrypted at rest; our rows are in clear.

    Raises :class:`StoreUnusable` if the source cannot be used or the shards hold contexts already.
    """
    if any(context_ids(store) for store in shards):
        raise StoreUnusable("this node has contexts already: import into a new home")
    source = ForeignReader(data_dir, key)
    try:
        _check_readable(source)
        rows = sum(_copy(source, column, shards) for column in Column)
        ids = context_ids(source)
        checkpoints = sum(_settle(shards.of(context_id), context_id) for context_id in ids)
    finally:
        source.close()
    return Imported(len(ids), rows, _copy_files(blob_dir, blobs), checkpoints)


def _check_readable(source: View) -> None:
    for key, raw in source.scan(Column.META):
        try:
            borsh.decode(ContextMeta, raw)
        except DecodeError as error:
            raise StoreUnusable(
                f"the row of context {ContextId(key)} cannot be read: {error}. A home that is encrypted at rest "
                "needs its key: --storage-key-file"
            ) from error


def _copy(source: View, column: Column, shards: Shards) -> int:
    """Copy a column; answers the number of its rows."""
    count = 0
    for rows in _chunks(source.scan(column)):
        count += len(rows)
        batches: dict[int, tuple[Store, Batch]] = {}
        for key, value in rows:
            for store in _targets(column, key, shards):
                batches.setdefault(id(store), (store, Batch()))[1].put(column, key, value)
        for store, batch in batches.values():
            store.commit(batch)
    return count


def _chunks(rows: Iterator[Row]) -> Iterator[list[Row]]:
    chunk: list[Row] = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == CHUNK:
            yield chunk
            chunk = []
    yield chunk


def _targets(column: Column, key: bytes, shards: Shards) -> list[Store]:
    if column in EVERYWHERE:
        return list(shards)
    if column in CONTEXT_COLUMNS:
        return [shards.of(ContextId(key[:32]))]
    if column is Column.ALIAS:
        return [shards.of(alias_of(key)[1])]
    return [shards.of(ContextId(bytes(32)))]


def _settle(store: Store, context_id: ContextId) -> int:
    """Make rows, heads and root agree; answers the number of heads that became checkpoints."""
    rows, batch = ContextRows(store, context_id), Batch()
    meta = rows.meta()
    if meta is None:
        return 0
    links = {link.id: (link, applied) for link, applied, _ in rows.links()}
    done = _behind({head for head in meta.dag_heads if head in links}, links)
    for delta_id in done:
        if not links[delta_id][1]:
            _mark_applied(rows, batch, delta_id)
    lost = [head for head in meta.dag_heads if head not in links and head != GENESIS]
    for head in lost:
        rows.put_delta(batch, checkpoint(head, meta.root_hash), applied=True)
    heads = _heads([links[delta_id][0] for delta_id in done], lost)
    root = meta.root_hash if not meta.root_hash.is_zero else _root_of_state(rows)
    rows.put_meta(batch, replace(meta, dag_heads=heads, root_hash=root))
    store.commit(batch)
    return len(lost)


def _behind(heads: set[DeltaId], links: dict[DeltaId, tuple[Link, bool]]) -> set[DeltaId]:
    """Applied rows and everything behind them and behind the heads."""
    queue = [*heads, *(delta_id for delta_id, (_, applied) in links.items() if applied)]
    done: set[DeltaId] = set()
    while queue:
        delta_id = queue.pop()
        if delta_id in done or delta_id not in links:
            continue
        done.add(delta_id)
        queue.extend(links[delta_id][0].parents)
    return done


def _mark_applied(rows: ContextRows, batch: Batch, delta_id: DeltaId) -> None:
    row = rows.delta(delta_id)
    if row is not None:
        batch.put(Column.DELTA, in_context(rows.context_id, delta_id), borsh.encode(replace(row, applied=True)))


def _heads(links: list[Link], lost: list[DeltaId]) -> tuple[DeltaId, ...]:
    dag: DagStore[Link] = DagStore(_nothing)
    dag.restore([*links, *(Link(head, (GENESIS,)) for head in lost)])
    return dag.heads


def _nothing(link: Link) -> None:
    """The graph is only asked for its heads."""


def _root_of_state(rows: ContextRows) -> Hash:
    """A context with state but without a root was cut off while it received a snapshot: the state has the root."""
    raw = rows.state(index_key(root_id(rows.context_id)))
    try:
        return Hash.zero() if raw is None else borsh.decode(EntityIndex, raw).full_hash
    except DecodeError:
        return Hash.zero()


def _copy_files(source: Path, target: Path) -> int:
    """Chunk files are named by their content, so one that is there already is the same."""
    if not source.is_dir():
        return 0
    target.mkdir(parents=True, exist_ok=True, mode=0o700)
    files = [file for file in source.iterdir() if file.is_file()]
    for file in files:
        if not (target / file.name).exists():
            aside = target / f".{file.name}.import"
            shutil.copyfile(file, aside)
            aside.chmod(0o600)
            aside.replace(target / file.name)
    return len(files)


def export_home(shards: Shards, blobs: Path, data_dir: Path, blob_dir: Path) -> int:
    """Write all rows and blob files in merod's layout into empty directories; answers the number of rows.

    Raises :class:`StoreUnusable` if ``data_dir`` is not empty.
    """
    batches = list(_exported(shards))
    write_foreign(data_dir, batches)
    _copy_files(blobs, blob_dir)
    return sum(len(batch) for batch in batches)


def _exported(shards: Shards) -> Iterator[Batch]:
    for number, store in enumerate(shards):
        for column in Column:
            if number and column in EVERYWHERE:
                continue
            for rows in _chunks(_wanted(store, column)):
                batch = Batch()
                for key, value in rows:
                    batch.put(column, key, value)
                yield batch


def _wanted(store: View, column: Column) -> Iterator[Row]:
    """merod reads every delta row as applied, so those that wait here stay out; members send them again."""
    for key, value in store.scan(column):
        if column is Column.GENERIC and key[:16] in OURS:
            continue
        if column is Column.DELTA and not _is_applied(store, key):
            continue
        yield key, value


def _is_applied(store: View, key: bytes) -> bool:
    context_id, rest = split(key)
    row = ContextRows(store, context_id).delta(DeltaId(rest))
    return row is not None and row.applied
