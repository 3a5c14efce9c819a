"""Serving and installing states at their limits; the way over a real module is tested with the worker."""

from __future__ import annotations

import pytest

from node.codec import borsh
from node.context.owner import snapshot as module
from node.context.owner.snapshot import MAX_OPEN, page
from node.errors import NotFound, StateInconsistency, StorageError
from node.primitives import EntityId, Hash
from node.storage.keys import entry_key, index_key
from node.store.base import Batch
from node.store.columns import Column
from tests.node.context.owner.test_verify import digest, index
from tests.node.context.owner.world import CONTEXT, Node, made

ROOT = EntityId(CONTEXT)
TREE = index(ROOT, b"root", None)
ROWS = [(index_key(ROOT), borsh.encode(TREE)), (entry_key(ROOT), b"root")]


def test_the_view_is_pinned(alice: Node) -> None:
    handle, found = alice.owner.snapshots.open()
    before = list(alice.owner.state.rows.state_rows())
    made(alice.call("set", {"a": "1"}))
    assert alice.owner.snapshots.read(handle, None, 1 << 20) == (before, None)
    assert (found.rows, found.root) == (len(before), alice.owner.delta(found.heads[0]).expected_root_hash)  # type: ignore[union-attr]
    alice.owner.snapshots.close(handle)
    alice.owner.snapshots.close(handle)
    with pytest.raises(NotFound):
        alice.owner.snapshots.read(handle, None, 1)


def test_views_are_bounded_and_the_idle_one_goes(alice: Node) -> None:
    handles = [alice.owner.snapshots.open()[0] for _ in range(MAX_OPEN)]
    alice.owner.snapshots.read(handles[0], None, 1)
    alice.owner.snapshots.open()
    alice.owner.snapshots.read(handles[0], None, 1)
    with pytest.raises(NotFound):
        alice.owner.snapshots.read(handles[1], None, 1)
    alice.owner.close()
    with pytest.raises(NotFound):
        alice.owner.snapshots.read(handles[0], None, 1)


def test_pages_by_bytes_and_by_rows(alice: Node) -> None:
    batch = Batch()
    for n in range(5):
        batch.put(Column.STATE, CONTEXT + bytes([n]) * 32, b"v" * 64)
    alice.store.commit(batch)
    rows = alice.owner.state.rows
    assert [key[0] for key, _ in page(rows, None, 200)[0]] == [0, 1]
    assert [key[0] for key, _ in page(rows, None, 199)[0]] == [0]
    assert [key[0] for key, _ in page(rows, None, 1)[0]] == [0], "a row that is larger has a page of its own"
    assert page(rows, None, 10_000, 3)[1] == bytes([2]) * 32
    assert page(rows, b"\xff" * 32, 100) == ([], None)


def test_an_install_is_bounded(alice: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_INSTALL", 100)
    carol = Node(3)
    carol.join(alice)
    carol.owner.installer.begin(alice.root, [])
    carol.owner.installer.put([(b"k" * 32, b"v" * 68)])
    with pytest.raises(StorageError, match="it cannot be installed in one piece"):
        carol.owner.installer.put([(b"l" * 32, b"v" * 68)])
    with pytest.raises(StateInconsistency, match="no snapshot is being installed"):
        carol.owner.finish_install()


def test_what_waited_and_is_covered_is_not_executed_and_its_handlers_run(alice: Node) -> None:
    first = made(alice.call("notify", {"value": "x", "handlers": ["count"]}))
    second = made(alice.call("set", {"b": "1"}))
    carol = Node(3)
    carol.join(alice)
    carol.give(first, alice)
    carol.give(second, alice)
    rest = Batch()
    rest.put(Column.STATE, CONTEXT + b"old".ljust(32, b"\0"), b"left from an earlier try")
    carol.store.commit(rest)
    carol.owner.installer.begin(TREE.full_hash, [second.id])
    carol.owner.installer.put(ROWS)
    view = carol.owner.finish_install()
    assert (view.root, view.heads, view.pending) == (TREE.full_hash, (second.id,), 0)
    assert dict(carol.owner.state.rows.state_rows()) == dict(ROWS)
    assert carol.owner.state.counts["applied"] == 0
    assert carol.owner.outbox.pending == 1
    assert carol.owner.delta(second.id) == second
    carol.restart()
    assert carol.owner.heads() == view
    assert carol.owner.outbox.pending == 1
    assert carol.owner.state.dag.covers(first.parents[0])


def test_only_the_boundary_becomes_a_checkpoint(alice: Node) -> None:
    carol = Node(3)
    carol.join(alice)
    ghost = alice.owner.heads().heads
    carol.owner.installer.begin(TREE.full_hash, ghost)
    carol.owner.installer.put(ROWS)
    carol.owner.finish_install()
    assert carol.owner.heads().heads == ghost
    assert carol.owner.delta(ghost[0]) is None
    assert [delta.id for delta in carol.owner.past.window(None, 10)[0]] == list(ghost)
    assert carol.owner.state.time.latest == 1
    assert Hash(digest(b"root")) == TREE.own_hash
