"""A merod home comes in, goes out, and comes in again."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from node.codec import borsh
from node.context.owner.import_home import OURS, export_home, import_home
from node.context.owner.owner import ContextOwner
from node.context.owner.rows import ContextRows
from node.errors import StoreUnusable
from node.primitives import ZERO_CONTEXT, ZERO_ROOT, ApplicationId, BlobId, DeltaId, Hash
from node.store.base import Batch
from node.store.columns import ALIAS_KINDS, Column, Scope, alias_key, generic_key, in_context
from node.store.foreign import ForeignReader
from node.store.memory import MemoryStore
from node.store.shards import SHARDS, Shards
from node.store.values import AliasTarget, ContextIdentity, ContextMeta
from tests.node.context.owner.world import CONTEXT, Node, key_pair, made


def memory_shards() -> Shards:
    return Shards(range(SHARDS), lambda number: MemoryStore())


def merod_home(node: Node, home: Path, **meta: object) -> None:
    """What a merod would have of a node's context, with node-wide rows of each kind and two blob files."""
    batch = Batch()
    for column in (Column.META, Column.CONFIG, Column.IDENTITY, Column.STATE, Column.DELTA):
        for key, value in node.store.scan(column, CONTEXT):
            batch.put(column, key, value)
    if meta:
        changed = replace(node.owner.state.meta, **meta)  # type: ignore[arg-type]
        batch.put(Column.META, bytes(CONTEXT), borsh.encode(changed))
    public, private = key_pair(9)
    batch.put(Column.IDENTITY, in_context(ZERO_CONTEXT, public), borsh.encode(ContextIdentity(private, None)))
    batch.put(Column.APPLICATION, b"\xa1" * 32, b"application")
    batch.put(Column.BLOBS, b"\xb1" * 32, b"blob")
    batch.put(Column.ALIAS, alias_key(ALIAS_KINDS.IDENTITY, CONTEXT, "me"), borsh.encode(AliasTarget(Hash(public))))
    batch.put(Column.ALIAS, alias_key(ALIAS_KINDS.CONTEXT, ZERO_CONTEXT, "c"), borsh.encode(AliasTarget(Hash(CONTEXT))))
    batch.put(Column.GENERIC, generic_key(Scope.SSL_CERTS), b"{}")
    shards = memory_shards()
    for (column, key), row in batch.changes.items():
        one = Batch()
        one.put(column, key, row or b"")
        target = shards.store(0) if column in (Column.APPLICATION, Column.BLOBS, Column.GENERIC) else shards.of(CONTEXT)
        target.commit(one)
    (home / "blobs").mkdir(parents=True)
    for name in (BlobId(b"\1" * 32), BlobId(b"\2" * 32)):
        (home / "blobs" / str(name)).write_bytes(b"chunk")
    export_home(shards, home / "none", home / "data", home / "none")


def opened(node: Node, shards: Shards) -> ContextOwner:
    return ContextOwner(CONTEXT, shards.of(CONTEXT), node.host, node.clock())


def test_everything_is_taken_over(alice: Node, tmp_path: Path) -> None:
    made(alice.call("set", {"a": "1"}))
    merod_home(alice, tmp_path)
    shards = memory_shards()
    report = import_home(tmp_path / "data", tmp_path / "blobs", shards, tmp_path / "ours")
    assert (report.contexts, report.blobs, report.checkpoints) == (1, 2, 0)
    owner = opened(alice, shards)
    assert owner.heads().heads == alice.owner.heads().heads
    assert owner.state.meta == alice.owner.state.meta
    assert owner.execute("get", b'"a"', alice.public).returns == b'"1"'
    assert owner.execute("set", b'{"b":"2"}', alice.public).delta is not None
    assert all(store.get(Column.APPLICATION, b"\xa1" * 32) == b"application" for store in shards)
    assert shards.of(ZERO_CONTEXT).get(Column.IDENTITY, in_context(ZERO_CONTEXT, key_pair(9)[0])) is not None
    assert shards.of(CONTEXT).get(Column.ALIAS, alias_key(2, CONTEXT, "me")) is not None
    assert shards.of(ZERO_CONTEXT).get(Column.ALIAS, alias_key(1, ZERO_CONTEXT, "c")) is not None
    assert shards.of(ZERO_CONTEXT).get(Column.GENERIC, generic_key(Scope.SSL_CERTS)) == b"{}"
    assert sorted(file.name for file in (tmp_path / "ours").iterdir()) == sorted(
        [str(BlobId(b"\1" * 32)), str(BlobId(b"\2" * 32))]
    )


def test_a_second_import_is_refused(alice: Node, tmp_path: Path) -> None:
    merod_home(alice, tmp_path)
    shards = memory_shards()
    import_home(tmp_path / "data", tmp_path / "blobs", shards, tmp_path / "ours")
    with pytest.raises(StoreUnusable, match="has contexts already"):
        import_home(tmp_path / "data", tmp_path / "blobs", shards, tmp_path / "ours")


def test_heads_without_a_row_become_checkpoints(alice: Node, tmp_path: Path) -> None:
    """A migration in the reference leaves the root hash as the only head."""
    made(alice.call("set", {"a": "1"}))
    ghost = DeltaId(alice.root)
    merod_home(alice, tmp_path, dag_heads=(ghost, DeltaId(bytes(32))))
    shards = memory_shards()
    assert import_home(tmp_path / "data", tmp_path / "blobs", shards, tmp_path / "ours").checkpoints == 1
    owner = opened(alice, shards)
    assert set(owner.heads().heads) == {ghost, *alice.owner.heads().heads}
    assert owner.delta(ghost) is None
    owner.execute("set", b'{"b":"2"}', alice.public)
    assert len(owner.heads().heads) == 1


def test_rows_that_a_rebroadcast_reset_count_by_their_place(alice: Node, tmp_path: Path) -> None:
    """The reference marks an applied row as not applied again when its events arrive twice."""
    first, second = made(alice.call("set", {"a": "1"})), made(alice.call("set", {"a": "2"}))
    rows, batch = ContextRows(alice.store, CONTEXT), Batch()
    for delta in (first, second):
        rows.put_delta(batch, delta, applied=False)
    waiting = replace(second, id=DeltaId(b"\5" * 32), parents=(DeltaId(b"\6" * 32),))
    rows.put_delta(batch, waiting, applied=False)
    batch.put(Column.META, bytes(CONTEXT), borsh.encode(replace(alice.owner.state.meta, dag_heads=(second.id,))))
    alice.store.commit(batch)
    # export leaves rows out that wait, so the home is written by hand
    options = Options(raw_mode=True)
    options.create_if_missing(create_if_missing=True)
    options.create_missing_column_families(create_missing_cfs=True)
    database = Rdict(str(tmp_path / "data"), options, column_families={str(c): Options(raw_mode=True) for c in Column})
    for column in (Column.META, Column.CONFIG, Column.IDENTITY, Column.STATE, Column.DELTA):
        family = database.get_column_family(column)
        for key, value in alice.store.scan(column, CONTEXT):
            family[key] = value
        family.close()
    database.close()
    del database, family
    shards = memory_shards()
    import_home(tmp_path / "data", tmp_path / "none", shards, tmp_path / "ours")
    owner = opened(alice, shards)
    assert owner.heads().heads == (second.id,)
    assert [w.id for w in owner.pending()] == [waiting.id]


def test_a_lost_root_is_found_in_the_state(alice: Node, tmp_path: Path) -> None:
    """Defect Y12 of the reference: state without a root, which can never sync again. This guest has no index row."""
    merod_home(alice, tmp_path, root_hash=ZERO_ROOT)
    shards = memory_shards()
    import_home(tmp_path / "data", tmp_path / "blobs", shards, tmp_path / "ours")
    assert opened(alice, shards).state.meta.root_hash == ZERO_ROOT


def test_a_running_or_foreign_source_is_refused(alice: Node, tmp_path: Path) -> None:
    with pytest.raises(StoreUnusable, match="no database"):
        ForeignReader(tmp_path)
    Rdict(str(tmp_path / "other"), Options(raw_mode=True)).close()
    with pytest.raises(StoreUnusable, match=r"no database of merod 0\.10\.0"):
        ForeignReader(tmp_path / "other")
    merod_home(alice, tmp_path / "home")
    code = "import fcntl, sys; f = open(sys.argv[1], 'r+b'); fcntl.lockf(f, fcntl.LOCK_EX); print(); input()"
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "home" / "data" / "LOCK")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with holder:
        assert holder.stdout is not None
        holder.stdout.readline()
        with pytest.raises(StoreUnusable, match="is in use: stop that merod first"):
            ForeignReader(tmp_path / "home" / "data")
        holder.communicate(b"\n")
    ForeignReader(tmp_path / "home" / "data").close()


def test_an_unreadable_meta_row_names_the_context(alice: Node, tmp_path: Path) -> None:
    batch = Batch()
    batch.put(Column.META, bytes(CONTEXT), b"sealed")
    alice.store.commit(batch)
    (tmp_path / "h").mkdir()
    merod_home(alice, tmp_path / "h")
    with pytest.raises(StoreUnusable, match="encrypted at rest"):
        import_home(tmp_path / "h" / "data", tmp_path / "none", memory_shards(), tmp_path / "ours")


def test_an_export_leaves_our_own_rows_out(alice: Node, bob: Node, tmp_path: Path) -> None:
    first, second = made(alice.call("set", {"a": "1"})), made(alice.call("set", {"a": "2"}))
    bob.give(second, alice)
    shards = Shards(range(1), lambda number: bob.store)
    export_home(shards, tmp_path / "none", tmp_path / "out", tmp_path / "blobs")
    reader = ForeignReader(tmp_path / "out")
    assert list(reader.scan(Column.GENERIC)) == []
    assert reader.get(Column.DELTA, in_context(CONTEXT, second.id)) is None
    meta = borsh.decode(ContextMeta, reader.get(Column.META, CONTEXT) or b"")
    assert (meta.root_hash, meta.application_id) == (bob.root, ApplicationId(b"\xa1" * 32))
    reader.close()
    with pytest.raises(StoreUnusable, match="is not empty"):
        export_home(shards, tmp_path / "none", tmp_path / "out", tmp_path / "blobs")
    assert first.id != second.id


def test_every_scope_of_ours_is_left_out_of_an_export() -> None:
    scopes = {value for value in vars(Scope).values() if isinstance(value, bytes)}
    assert scopes - {Scope.SSL_CERTS, Scope.SSE_SESSIONS} == OURS
