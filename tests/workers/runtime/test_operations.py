"""The operations over a real module: two nodes, one context, messages as they cross a channel."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path

import pytest

from node.codec import borsh
from node.context.owner.tree import StateNode, actions_of
from node.errors import (
    ApplicationNotInstalled,
    ContextError,
    IndexMismatch,
    NotFound,
    StateInconsistency,
    StorageError,
    Uninitialized,
    UnknownContext,
    WorkerError,
)
from node.events import events_from_bytes
from node.primitives import ZERO_CONTEXT, BlobId, ContextId, DeltaId, Hash, PrivateKey, PublicKey
from node.runtime.call import Guest, GuestCall, Outcome
from node.storage.action import Action
from node.storage.keys import STATE_ENTRY, entry_key
from tests.workers.runtime.nodes import CONFIG, CONTEXT, Peer
from workers.blobs import write_chunk
from workers.messages import MESSAGES, Request, rows
from workers.messages import runtime as m
from workers.messages.control import Ping
from workers.messages.records import BlobRecord, DeltaRecord
from workers.runtime.engine import WasmGuest
from workers.runtime.operations import OPERATIONS


def test_every_request_of_the_table_has_a_handler() -> None:
    modules = {m.__name__, rows.__name__}
    ours = {kind for kind in MESSAGES.values() if kind.__module__ in modules and issubclass(kind, Request)}
    assert set(OPERATIONS) == ours


def test_other_requests_are_refused(alice: Peer) -> None:
    with pytest.raises(WorkerError, match="Ping is not served"):
        alice.worker.handle("test", Ping())


def test_a_call_and_what_it_tells(alice: Peer) -> None:
    alice.notes.clear()
    result = alice.run("set", key="a", value="1")
    assert result.root == alice.root
    assert alice.call("get", key="a") == "1"
    changed = [note for peer, note in alice.notes if peer == "server" and isinstance(note, m.StateChanged)]
    assert [note.root for note in changed] == [result.root]
    assert [event["kind"] for event in json.loads(changed[0].events)] == ["Inserted"]
    (delta,) = alice.deltas()
    assert (delta.author, delta.root) == (alice.public, result.root)


def test_a_snapshot_brings_the_state_and_deltas_follow(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    assert alice.give(bob, alice.deltas()).state.root == alice.root
    assert bob.call("entries") == {"a": "1"}
    bob.run("set", key="b", value="2")
    alice.run("set", key="c", value="3")
    theirs, ours = bob.deltas(), alice.deltas()
    alice.give(bob, ours)
    bob.give(alice, theirs)
    assert alice.root == bob.root
    assert alice.call("entries") == bob.call("entries") == {"a": "1", "b": "2", "c": "3"}


def test_a_restart_goes_on_where_it_was(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    first, second = alice.deltas(), []
    alice.run("set", key="a", value="2")
    second = alice.deltas()
    alice.give(bob, second)
    bob.start()
    assert bob.worker.recover() == [CONTEXT]
    assert [(p.waits_for, p.missing) for p in bob.ask(m.ListPending(CONTEXT)).pending] == [("parents", [first[0].id])]
    report = alice.give(bob, first)
    assert report.applied == [first[0].id, second[0].id]
    assert bob.call("get", key="a") == "2"


def test_handlers_run_on_the_peer_and_converge(alice: Peer, bob: Peer) -> None:
    alice.run("set_with_handler", key="a", value="1")
    alice.work()
    assert alice.call("handled") == 0
    alice.give(bob, alice.deltas())
    bob.work()
    assert bob.call("handled") == 1
    answer = bob.deltas()
    assert len(answer) == 1
    assert answer[0].author == bob.public
    bob.give(alice, answer)
    alice.work()
    assert alice.call("handled") == 1
    assert alice.root == bob.root


def test_random_histories_converge(alice: Peer, bob: Peer) -> None:
    """Entries exist before; see below for those that are made on both sides at once."""
    rng = random.Random(5)
    alice.run("set_many", entries={f"k{n}": "" for n in range(6)})
    alice.give(bob, alice.deltas())
    sent: list[tuple[Peer, list[DeltaRecord]]] = []
    for n in range(30):
        author, other = (alice, bob) if rng.random() < 0.5 else (bob, alice)
        author.run("set", key=f"k{rng.randrange(6)}", value=str(n))
        sent.append((other, author.deltas()))
        if rng.random() < 0.3:
            rng.shuffle(sent)
            while sent:
                target, deltas = sent.pop()
                (alice if target is bob else bob).give(target, deltas)
    for target, deltas in sent:
        (alice if target is bob else bob).give(target, deltas)
    assert alice.call("entries") == bob.call("entries")
    assert set(alice.ask(m.GetHeads(CONTEXT)).heads) == set(bob.ask(m.GetHeads(CONTEXT)).heads)
    assert alice.root == bob.root


def test_deltas_are_served_as_they_travel(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    (delta,) = alice.deltas()
    (raw, unknown) = alice.ask(m.GetDeltas(CONTEXT, [delta.id, DeltaId(b"\5" * 32)])).deltas
    assert unknown is None
    assert raw is not None
    assert raw[:32] == delta.id
    assert bob.ask(m.GetDeltas(CONTEXT, list(bob.ask(m.GetHeads(CONTEXT)).heads))).deltas == [None]


def test_the_history_is_listed_newest_first(alice: Peer) -> None:
    for n in range(5):
        alice.run("set", key="a", value=str(n))
    made = [delta.id for delta in alice.deltas()]
    first = alice.ask(m.ListDeltas(CONTEXT, None, 4))
    assert [d.id for d in first.deltas] == made[:0:-1]
    assert first.deltas[0].author == alice.public
    assert first.deltas[0].artifact == b""
    rest = alice.ask(m.ListDeltas(CONTEXT, first.next, 100))
    assert rest.deltas[0].id == made[0]
    assert (len(rest.deltas), rest.next) == (2, None)
    with pytest.raises(NotFound):
        alice.ask(m.ListDeltas(CONTEXT, DeltaId(b"\5" * 32), 1))


def test_the_past_can_be_read_and_compared(alice: Peer, bob: Peer) -> None:
    """Time travel, difference and blame over the entries that deltas carry."""
    alice.run("set", key="a", value="1")
    alice.give(bob, alice.deltas())
    bob.run("set", key="a", value="2")
    (second,) = bob.deltas()
    bob.give(alice, [second])
    first = alice.ask(m.ListDeltas(CONTEXT)).deltas[1].id
    (row,) = [
        row
        for row in alice.ask(m.CompareDeltas(CONTEXT, first, second.id)).entries
        if row.after is not None and b"2" in (row.after.data or b"")[:20]
    ]
    assert row.before is not None
    assert row.after is not None
    assert (row.before.author, row.after.author) == (alice.public, bob.public)
    then = {entry.entity: entry for entry in alice.ask(m.StateAt(CONTEXT, first)).entries}
    assert then[row.entity] == row.before
    writes = alice.ask(m.BlameEntry(CONTEXT, row.entity)).entries
    assert [(entry.delta_id, entry.author) for entry in writes] == [
        (second.id, bob.public),
        (first, alice.public),
    ]
    with pytest.raises(NotFound):
        alice.ask(m.StateAt(CONTEXT, DeltaId(b"\5" * 32)))


# snapshots


def test_writes_go_on_while_a_snapshot_is_served(alice: Peer, guest: WasmGuest, tmp_path: Path) -> None:
    """Defects Y13 and Y17 of the reference: a write aborts the transfer, the announced root lags the rows."""
    alice.run("set", key="a", value="1")
    carol = Peer(2, guest, tmp_path / "carol")
    carol.adopt(alice)
    handle = alice.ask(m.OpenSnapshot(CONTEXT))
    carol.ask(m.BeginInstall(CONTEXT, handle.root, handle.heads))
    after: bytes | None = None
    alice.deltas()
    count = 0
    while True:
        page = alice.ask(m.ReadSnapshot(CONTEXT, handle.handle, after, 500))
        carol.ask(m.PutSnapshotRows(CONTEXT, page.rows))
        count += len(page.rows)
        alice.run("set", key="a", value=str(count))
        after = page.next
        if after is None:
            break
    assert count == handle.rows
    waiting = alice.deltas()
    alice.give(carol, waiting)
    assert {p.waits_for for p in carol.ask(m.ListPending(CONTEXT)).pending} == {"parents"}
    carol.ask(m.FinishInstall(CONTEXT))
    carol.work()
    assert carol.root == alice.root
    assert carol.ask(m.GetHeads(CONTEXT)).heads == [waiting[-1].id]


def test_defect_y11_a_forged_snapshot_is_refused_and_nothing_changes(
    alice: Peer, guest: WasmGuest, tmp_path: Path
) -> None:
    alice.run("set", key="a", value="1")
    carol = Peer(2, guest, tmp_path / "carol")
    carol.adopt(alice)
    handle = alice.ask(m.OpenSnapshot(CONTEXT))
    rows = alice.ask(m.ReadSnapshot(CONTEXT, handle.handle, None, 1 << 20)).rows
    for forged in range(len(rows)):
        changed = list(rows)
        row = changed[forged]
        changed[forged] = m.SnapshotRow(row.key, row.value[:-1] + bytes([row.value[-1] ^ 1]))
        carol.ask(m.BeginInstall(CONTEXT, handle.root, handle.heads))
        carol.ask(m.PutSnapshotRows(CONTEXT, changed))
        try:
            carol.ask(m.FinishInstall(CONTEXT))
        except IndexMismatch:
            assert carol.root.is_zero
            assert carol.ask(m.InspectState(CONTEXT)).rows == []
            continue
        pytest.fail(f"row {forged} was forged and accepted")
    carol.ask(m.BeginInstall(CONTEXT, Hash(b"\5" * 32), handle.heads))
    carol.ask(m.PutSnapshotRows(CONTEXT, rows))
    with pytest.raises(IndexMismatch, match="announced was"):
        carol.ask(m.FinishInstall(CONTEXT))
    carol.ask(m.BeginInstall(CONTEXT, handle.root, handle.heads))
    carol.ask(m.PutSnapshotRows(CONTEXT, rows[1:]))
    with pytest.raises(IndexMismatch):
        carol.ask(m.FinishInstall(CONTEXT))


def test_an_install_has_an_order(alice: Peer, bob: Peer, guest: WasmGuest, tmp_path: Path) -> None:
    with pytest.raises(StateInconsistency, match="has state already"):
        bob.ask(m.BeginInstall(CONTEXT, alice.root, []))
    with pytest.raises(StateInconsistency, match="no snapshot is being installed"):
        bob.ask(m.PutSnapshotRows(CONTEXT, []))
    carol = Peer(2, guest, tmp_path / "carol")
    carol.adopt(alice)
    carol.ask(m.BeginInstall(CONTEXT, alice.root, []))
    with pytest.raises(StorageError, match="3 bytes, 32 are needed"):
        carol.ask(m.PutSnapshotRows(CONTEXT, [m.SnapshotRow(b"abc", b"")]))
    carol.ask(m.AbortInstall(CONTEXT))
    with pytest.raises(StateInconsistency):
        carol.ask(m.FinishInstall(CONTEXT))
    with pytest.raises(NotFound, match="no state yet"):
        carol.ask(m.OpenSnapshot(CONTEXT))


def test_old_snapshot_views_are_closed(alice: Peer) -> None:
    handles = [alice.ask(m.OpenSnapshot(CONTEXT)).handle for _ in range(5)]
    with pytest.raises(NotFound, match="closed; open a new one"):
        alice.ask(m.ReadSnapshot(CONTEXT, handles[0], None, 10))
    assert len(alice.ask(m.ReadSnapshot(CONTEXT, handles[1], None, 0)).rows) == 1


# trees


def test_the_tree_is_read_from_the_root(alice: Peer) -> None:
    alice.run("set", key="a", value="1")
    answer = alice.ask(m.GetTreeNodes(CONTEXT, None, 2))
    nodes = [borsh.decode(StateNode, raw) for raw in answer.nodes]
    assert nodes[0].index.full_hash == answer.root == alice.root
    ids = {node.index.id for node in nodes}
    assert {row.id for row in nodes[0].index.children or ()} <= ids
    assert alice.ask(m.GetTreeNodes(CONTEXT, nodes[1].index.id, 0)).nodes == [answer.nodes[1]]
    assert alice.ask(m.GetTreeNodes(CONTEXT, type(nodes[0].index.id)(b"\5" * 32), 3)).nodes == []


def test_entities_of_another_replica_are_merged_with_the_root(alice: Peer, bob: Peer) -> None:
    """Defect Y24 of the reference: state repaired by a tree session keeps its old root."""
    alice.run("set", key="a", value="1")
    actions = _as_actions(alice)
    heads = bob.ask(m.ApplyLeaves(CONTEXT, [ACTION.encode(action) for action in actions]))
    assert bob.call("get", key="a") == "1"
    assert heads.root == alice.root == bob.root
    bob.start()
    assert bob.root == alice.root


def test_entries_made_on_both_sides_at_once_are_brought_together(alice: Peer, bob: Peer) -> None:
    """The documented exception of the reference: equal entries, different roots, until a tree session repairs it."""
    bob.run("set", key="a", value="older")
    alice.run("set", key="a", value="newer")
    theirs, ours = bob.deltas(), alice.deltas()
    alice.give(bob, ours)
    bob.give(alice, theirs)
    assert alice.call("entries") == bob.call("entries") == {"a": "newer"}
    assert alice.root != bob.root
    for _ in range(2):
        for source, target in ((alice, bob), (bob, alice)):
            target.ask(m.ApplyLeaves(CONTEXT, [ACTION.encode(action) for action in _as_actions(source)]))
    assert alice.root == bob.root
    alice.run("set", key="a", value="last")
    alice.give(bob, alice.deltas())
    assert bob.call("entries") == {"a": "last"}


ACTION = borsh.codec(Action)


def _as_actions(peer: Peer) -> list[Action]:
    """Every entity of a node below the root with its chain, as a tree session would bring it."""
    decoded = [borsh.decode(StateNode, raw) for raw in peer.ask(m.GetTreeNodes(CONTEXT, None, 5)).nodes]
    nodes = {node.index.id: node for node in decoded}
    found: list[Action] = []
    for node in nodes.values():
        chain, at = [], node.index.parent_id
        while at is not None:
            chain.append(nodes[at].index)
            at = nodes[at].index.parent_id
        if chain:
            found += actions_of(node, chain)
    return found


# lifecycle


def test_a_context_is_described_and_deleted(alice: Peer) -> None:
    alice.run("set", key="a", value="1")
    record = alice.ask(m.DescribeContext(CONTEXT)).context
    assert (record.id, record.root, record.deltas, record.pending) == (CONTEXT, alice.root, 2, 0)
    assert record.config == CONFIG
    assert [c.id for c in alice.ask(m.ListContexts()).contexts] == [CONTEXT]
    alice.ask(m.DeleteContext(CONTEXT))
    assert alice.ask(m.ListContexts()).contexts == []
    with pytest.raises(UnknownContext):
        alice.run("get", key="a")
    keys = [key for disk in alice.disks for rows in disk.columns.values() for key in rows.keys]
    left = [key for key in keys if bytes(CONTEXT) in key]
    assert left == []


def test_a_staged_context_can_be_aborted(alice: Peer) -> None:
    other = ContextId(b"\7" * 32)
    application = alice.install()
    heads = alice.ask(m.InitContext(other, application, alice.identity, b"{}"))
    assert not heads.root.is_zero
    alice.ask(m.AbortContext(other))
    with pytest.raises(ContextError, match="not being created here"):
        alice.ask(m.CommitContext(other, CONFIG))
    assert [c.id for c in alice.ask(m.ListContexts()).contexts] == [CONTEXT]


def test_a_joined_context_waits_for_its_state(alice: Peer, guest: WasmGuest, tmp_path: Path) -> None:
    carol = Peer(2, guest, tmp_path / "carol")
    carol.adopt(alice)
    with pytest.raises(Uninitialized):
        carol.run("get", key="a")
    assert carol.ask(m.GetHeads(CONTEXT)).heads == []


def test_an_own_key_survives_a_member_list_without_it(alice: Peer, bob: Peer) -> None:
    """The reference deletes the private key when a restarted registry forgets the member."""
    bob.ask(m.UpdateContext(CONTEXT, CONFIG, [alice.public]))
    assert bob.ask(m.GetKeys(CONTEXT)).owned == []
    bob.start()
    bob.ask(m.UpdateContext(CONTEXT, CONFIG, [alice.public, bob.public]))
    assert [key.private_key for key in bob.ask(m.GetKeys(CONTEXT)).owned] == [bob.private]
    assert bob.call("get", key="a") is None


def test_sender_keys_are_kept(alice: Peer, bob: Peer) -> None:
    key = PrivateKey(b"\x42" * 32)
    alice.ask(m.StoreSenderKey(CONTEXT, bob.public, key))
    alice.start()
    keys = alice.ask(m.GetKeys(CONTEXT))
    assert {s.member: s.key for s in keys.senders}[bob.public] == key
    assert [owned.public_key for owned in keys.owned] == [alice.public]
    members = {r.public_key: r for r in alice.ask(m.ListMembers(CONTEXT)).members}
    assert (members[bob.public].owned, members[bob.public].keyed) == (False, True)
    with pytest.raises(ContextError, match="not a member"):
        alice.ask(m.StoreSenderKey(CONTEXT, PublicKey(b"\5" * 32), key))


def test_an_application_that_arrives_later_releases_deltas(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    record = alice.install()
    bob.ask(m.RemoveApplication(record.id))
    alice.give(bob, alice.deltas())
    assert [p.waits_for for p in bob.ask(m.ListPending(CONTEXT)).pending] == ["application"]
    bob.ask(m.PutApplication(record))
    assert bob.root == alice.root
    bob.ask(m.RemoveBlobs([record.blob_id]))
    bob.worker.applications.changed(record.id)
    with pytest.raises(ApplicationNotInstalled):
        bob.run("get", key="a")


def test_switching_the_application(alice: Peer) -> None:
    other = alice.install("private")
    before = alice.root
    heads = alice.ask(m.UpgradeContext(CONTEXT, other, alice.public))
    assert heads.root == before
    assert alice.ask(m.DescribeContext(CONTEXT)).context.application_id == other.id
    assert alice.ask(m.UpgradeContext(CONTEXT, other, alice.public)) == heads


class Migrating:
    """The module with a migration method in front of it, which returns given bytes."""

    def __init__(self, guest: Guest, returns: bytes | None) -> None:
        self.guest = guest
        self.returns = returns

    def run(self, call: GuestCall) -> Outcome:
        if call.method == "migrate":
            assert call.private is None
            return Outcome(returns=self.returns, writes={b"x" * 32: b"dropped"})
        return self.guest.run(call)


def test_a_migration_is_a_delta_that_members_apply(alice: Peer, bob: Peer) -> None:
    """In the reference it changes one node only and leaves heads that no delta has."""
    alice.run("set", key="a", value="1")
    alice.give(bob, alice.deltas())
    state = alice.worker.contexts.get(CONTEXT).state.rows.state(entry_key(STATE_ENTRY)) or b""
    alice.guest = Migrating(alice.guest, state[:-32])
    alice.start()
    application = alice.install("kv")
    heads = alice.ask(m.UpgradeContext(CONTEXT, application, alice.public, "migrate"))
    (delta,) = alice.deltas()
    assert heads.heads == [delta.id]
    assert alice.give(bob, [delta]).applied == [delta.id]
    assert alice.root == bob.root == heads.root
    assert bob.call("get", key="a") == "1"
    assert all(row.key != b"x" * 32 for row in alice.ask(m.InspectState(CONTEXT, None, 1000)).rows)


def test_a_migration_without_data_changes_nothing(alice: Peer) -> None:
    alice.guest = Migrating(alice.guest, None)
    alice.start()
    application, before = alice.install("kv"), alice.ask(m.GetHeads(CONTEXT))
    with pytest.raises(ContextError, match="did not return any data"):
        alice.ask(m.UpgradeContext(CONTEXT, application, alice.public, "migrate"))
    assert alice.ask(m.GetHeads(CONTEXT)) == before


def test_a_clock_that_is_behind_loses_no_write(alice: Peer, bob: Peer) -> None:
    """The application drops what is older than its state without an error."""
    bob.now = alice.now - 3 * 10**9
    result = bob.run("set", key="b", value="1")
    assert result.root == bob.root
    assert bob.call("get", key="b") == "1"
    assert len(bob.deltas()) == 1


def test_the_state_is_inspected_in_pages(alice: Peer) -> None:
    everything = alice.ask(m.InspectState(CONTEXT, None, 1000))
    first = alice.ask(m.InspectState(CONTEXT, None, 2))
    rest = alice.ask(m.InspectState(CONTEXT, first.next, 1000))
    assert first.rows + rest.rows == everything.rows
    assert (len(first.rows), rest.next) == (2, None)


def test_a_call_into_another_context(alice: Peer) -> None:
    other = ContextId(b"\7" * 31 + b"\3")
    application = alice.install()
    alice.ask(m.InitContext(other, application, alice.identity, b"{}"))
    alice.ask(m.CommitContext(other, CONFIG))
    alice.run("set_elsewhere", context=str(other), key="x", value="1")
    alice.work()
    answer = alice.ask(m.Execute(other, "get", b'{"key":"x"}', alice.public))
    assert answer.returns == b'"1"'
    alice.run("set_elsewhere", context=str(ContextId(b"\6" * 32)), key="x", value="1")
    alice.notes.clear()
    alice.work()
    (notice,) = [note for _, note in alice.notes if isinstance(note, m.Noticed)]
    assert notice.name == "xcall failed"


def test_aliases_are_substituted(alice: Peer) -> None:
    alice.ask(m.PutAlias(2, CONTEXT, "me", Hash(alice.public)))
    args = b'{"key":"who","value":"{me}"}'
    alice.ask(m.Execute(CONTEXT, "set", args, alice.public, ["me"]))
    assert alice.call("get", key="who") == str(alice.public)


# node-wide rows


def test_applications_blobs_and_rows(alice: Peer) -> None:
    record = alice.install("owned")
    assert alice.ask(m.GetApplication(record.id)).application == record
    assert record in alice.ask(m.ListApplications()).applications
    blobs = {blob.id: blob for blob in alice.ask(m.ListBlobs()).blobs}
    assert blobs[record.blob_id].size == record.size
    assert len(blobs) == 2, "chunks are not listed"
    assert alice.ask(m.GetBlob(record.blob_id)).blob == blobs[record.blob_id]
    (chunk,) = blobs[record.blob_id].links
    file = alice.home / "blobs" / str(chunk)
    assert file.exists()
    alice.ask(m.RemoveBlobs([record.blob_id, BlobId(b"\5" * 32)]))
    assert not file.exists()
    assert alice.ask(m.GetBlob(record.blob_id)).blob is None
    assert alice.ask(m.GetBlob(chunk)).blob is None
    alice.ask(m.PutRow(b"sse-sessions\0\0\0\0", b"\1" * 32, b"x"))
    assert alice.ask(m.GetRow(b"sse-sessions\0\0\0\0", b"\1" * 32)).value == b"x"
    alice.ask(m.PutRow(b"sse-sessions\0\0\0\0", b"\1" * 32, None))
    assert alice.ask(m.GetRow(b"sse-sessions\0\0\0\0", b"\1" * 32)).value is None


def test_a_chunk_that_another_blob_needs_stays(alice: Peer) -> None:
    """Defect B8 of the reference: rows without files, and no count of users."""
    first = alice.store_blob(b"shared")
    (chunk,) = alice.ask(m.GetBlob(first)).blob.links  # type: ignore[union-attr]
    second = BlobId(b"\x22" * 32)
    alice.ask(m.PutBlobs([BlobRecord(second, 12, Hash.zero(), [chunk, chunk])]))
    alice.ask(m.RemoveBlobs([first]))
    assert alice.worker.rows.read_blob(second) == b"sharedshared"
    alice.ask(m.RemoveBlobs([second]))
    assert not (alice.home / "blobs" / str(chunk)).exists()


def test_a_chunk_of_a_transfer_that_broke_off_goes_unless_a_row_came(alice: Peer) -> None:
    kept, lost = BlobId(hashlib.sha256(b"kept").digest()), BlobId(hashlib.sha256(b"lost").digest())
    alice.store_blob(b"kept")
    file = alice.home / "blobs" / str(lost)
    write_chunk(file, b"lost")
    alice.ask(m.RemoveBlobs([kept, lost]))
    assert (alice.home / "blobs" / str(kept)).exists()
    assert alice.ask(m.GetBlob(kept)).blob is not None
    assert not file.exists()


def test_a_row_of_a_chunk_that_is_gone_is_refused(alice: Peer) -> None:
    gone = BlobId(hashlib.sha256(b"gone").digest())
    with pytest.raises(ContextError, match="send the blob again"):
        alice.ask(m.PutBlobs([BlobRecord(gone, 4, Hash(gone))]))
    assert alice.ask(m.GetBlob(gone)).blob is None


def test_aliases(alice: Peer) -> None:
    target = Hash(b"\5" * 32)
    alice.ask(m.PutAlias(1, ZERO_CONTEXT, "home", target))
    alice.ask(m.PutAlias(2, CONTEXT, "me", target))
    with pytest.raises(StorageError, match="already exists"):
        alice.ask(m.PutAlias(1, ZERO_CONTEXT, "home", target))
    with pytest.raises(StorageError, match="requires scope"):
        alice.ask(m.PutAlias(2, ZERO_CONTEXT, "me", target))
    with pytest.raises(StorageError, match="no kind"):
        alice.ask(m.PutAlias(9, ZERO_CONTEXT, "me", target))
    assert alice.ask(m.GetAlias(1, ZERO_CONTEXT, "home")).target == target
    assert [(a.name, a.scope) for a in alice.ask(m.ListAliases(2)).aliases] == [("me", CONTEXT)]
    assert [a.name for a in alice.ask(m.ListAliases(1, ZERO_CONTEXT)).aliases] == ["home"]
    alice.ask(m.RemoveAlias(1, ZERO_CONTEXT, "home"))
    assert alice.ask(m.GetAlias(1, ZERO_CONTEXT, "home")).target is None


def test_the_identity_pool(alice: Peer) -> None:
    made = alice.ask(m.NewIdentity()).public_key
    assert alice.ask(m.ListIdentities()).public_keys == [made]
    identity = alice.ask(m.ReadIdentity(made)).identity
    assert identity is not None
    assert identity.sender_key is None
    alice.ask(m.DropIdentity(made))
    assert alice.ask(m.ReadIdentity(made)).identity is None


def test_statistics(alice: Peer) -> None:
    alice.run("set", key="a", value="1")
    stats = json.loads(alice.ask(m.RuntimeStats()).stats)
    assert stats["deltas"]["local"] == 1
    assert stats["worker"]["Execute"] == 1
    assert stats["contexts"] == 1


def test_events_keep_their_handlers_on_the_way(alice: Peer) -> None:
    alice.run("set_with_handler", key="a", value="1")
    (delta,) = alice.deltas()
    assert [e.handler for e in events_from_bytes(delta.events or b"[]")] == ["on_set"]
