"""The worker around the owners: recovery, background work, limits of calls between contexts, applications."""

from __future__ import annotations

from pathlib import Path

import pytest

from node.context.owner.execute import Executed
from node.errors import BundleError, StorageError
from node.primitives import ContextId, Hash
from node.runtime.call import ContextMutation, Guest, GuestCall, Outcome, Proposal, XCall
from node.store.base import Batch
from node.store.columns import Column, in_context
from tests.workers.runtime.nodes import CONFIG, CONTEXT, Peer
from workers.messages import runtime as m
from workers.messages.records import ApplicationRecord
from workers.runtime.applications import Applications
from workers.runtime.effects import governance
from workers.runtime.engine import WasmGuest
from workers.runtime.worker import XCALL_BREADTH, XCALL_DEPTH


def notices(peer: Peer) -> list[str]:
    return [note.name for _, note in peer.notes if isinstance(note, m.Noticed)]


def test_a_damaged_context_is_reported_and_the_others_are_served(alice: Peer) -> None:
    other = ContextId(b"\7" * 32)
    application = alice.install()
    alice.ask(m.InitContext(other, application, alice.identity, b"{}"))
    alice.ask(m.CommitContext(other, CONFIG))
    (head,) = alice.ask(m.GetHeads(CONTEXT)).heads
    batch = Batch()
    batch.delete(Column.DELTA, in_context(CONTEXT, head))
    alice.worker.store(CONTEXT).commit(batch)
    alice.notes.clear()
    alice.start()
    assert alice.worker.recover() == [other]
    assert notices(alice) == ["unusable"]
    assert [c.id for c in alice.ask(m.ListContexts()).contexts] == [other]


def test_recovery_takes_up_owed_handlers(alice: Peer, bob: Peer) -> None:
    alice.run("set_with_handler", key="a", value="1")
    alice.give(bob, alice.deltas())
    bob.start()
    bob.worker.recover()
    assert not bob.worker.idle
    bob.work()
    assert bob.call("handled") == 1


def test_background_work_that_fails_is_counted(alice: Peer, bob: Peer, monkeypatch: pytest.MonkeyPatch) -> None:
    alice.run("set_with_handler", key="a", value="1")
    alice.give(bob, alice.deltas())

    def broken(batch: Batch) -> None:
        raise StorageError("the disk is full")

    monkeypatch.setattr(bob.worker.store(CONTEXT), "commit", broken)
    bob.work()
    assert bob.worker.counts["background failures"] == 1
    monkeypatch.undo()
    bob.worker.look_after(bob.worker.contexts.get(CONTEXT))
    bob.work()
    assert bob.call("handled") == 1


def test_defect_r4_calls_between_contexts_are_bounded(alice: Peer) -> None:
    owner = alice.worker.contexts.get(CONTEXT)
    calls = [XCall(CONTEXT, "len", b"{}")] * (XCALL_BREADTH + 2)
    alice.notes.clear()
    alice.worker.committed(owner, alice.public, Executed(None, Hash.zero(), [], xcalls=calls), 0)
    assert alice.worker.counts["xcalls refused"] == 2
    alice.work()
    alice.worker.committed(owner, alice.public, Executed(None, Hash.zero(), [], xcalls=calls[:1]), XCALL_DEPTH)
    assert alice.worker.counts["xcalls refused"] == 3
    assert notices(alice) == ["xcall refused"] * 3
    assert alice.worker.idle


def test_governance_is_told_to_sync(alice: Peer) -> None:
    result = Executed(
        None,
        Hash.zero(),
        [],
        mutations=[ContextMutation("context_add_member", b"\1" * 32, {"x": b"y"})],
        proposals=[Proposal(Hash(b"\2" * 32), b"actions"), Proposal(Hash(b"\2" * 32), approval=True)],
    )
    alice.notes.clear()
    alice.worker.committed(alice.worker.contexts.get(CONTEXT), None, result, 0)
    ((peer, note),) = alice.notes
    assert peer == "sync"
    assert isinstance(note, m.GovernanceQueued)
    assert note.executor == alice.public
    assert [p.approval for p in note.proposals] == [False, True]
    assert note.mutations[0].params == {"x": b"y"}
    assert governance(CONTEXT, None, result) is None


def test_a_bundle_is_unpacked_for_its_module(alice: Peer) -> None:
    blob = alice.store_blob(b"\x1f\x8bbundle")

    def unpack(content: bytes) -> bytes:
        assert content == b"\x1f\x8bbundle"
        return b"\0asm module"

    record = ApplicationRecord(alice.install().id, blob, 8, "file:x")
    alice.ask(m.PutApplication(record))
    found = Applications(alice.worker.rows, unpack)(record.id)
    assert found is not None
    assert found.bytecode() == b"\0asm module"
    alice.worker.rows.remove_blobs([blob])
    with pytest.raises(Exception, match="is not complete on this node"):
        found.bytecode()


def test_a_bad_bundle_fails_by_name(alice: Peer) -> None:
    def unpack(content: bytes) -> bytes:
        raise BundleError("manifest.json not found in bundle")

    record = ApplicationRecord(alice.install().id, alice.store_blob(b"\x1f\x8b"), 2, "file:x")
    alice.ask(m.PutApplication(record))
    with pytest.raises(BundleError):
        Applications(alice.worker.rows, unpack)(record.id)


def test_a_late_snapshot_head_and_its_ancestors_are_learnt(alice: Peer, guest: WasmGuest, tmp_path: Path) -> None:
    """In the reference an ancestor of a snapshot that turns up late is applied again and becomes a head."""
    alice.run("set", key="a", value="1")
    alice.run("set", key="a", value="2")
    first, second = alice.deltas()
    bob = Peer(2, guest, tmp_path / "late")
    bob.adopt(alice)
    bob.bootstrap(alice)
    before = bob.ask(m.GetHeads(CONTEXT))
    assert alice.give(bob, [second]).duplicates == [second.id]
    assert alice.give(bob, [first]).duplicates == [first.id]
    assert bob.ask(m.GetHeads(CONTEXT)) == before
    bob.start()
    assert bob.ask(m.GetHeads(CONTEXT)) == before
    assert [d.id for d in bob.ask(m.ListDeltas(CONTEXT)).deltas][:2] == [second.id, first.id]
    assert bob.ask(m.GetDeltas(CONTEXT, [first.id])).deltas[0] is not None
    forged = type(second)(second.id, [first.id], second.hlc, second.root, b"\0\0\0\0\0")
    assert [r.id for r in alice.give(bob, [forged]).rejected] == []


def test_a_delta_whose_artifact_is_no_action_list_is_rejected(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    (delta,) = alice.deltas()
    broken = type(delta)(delta.id, delta.parents, delta.hlc, delta.root, b"\1\0\0\0\0", delta.author)
    assert "holds no actions" in alice.give(bob, [broken]).rejected[0].reason


def test_retries_become_rare_where_nothing_comes_of_them(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    record = alice.install()
    bob.ask(m.RemoveApplication(record.id))
    alice.give(bob, alice.deltas())
    owner = bob.worker.contexts.get(CONTEXT)
    (waiting,) = owner.pending()
    rounds = []
    for number in range(40):
        before = owner.pending()[0].attempts
        bob.worker.retry()
        if owner.pending()[0].attempts > before:
            rounds.append(number)
    assert rounds == [0, 2, 6, 14, 30]
    assert owner.pending()[0].attempts == waiting.attempts + 5
    bob.ask(m.PutApplication(record))
    assert owner.pending() == []
    bob.worker.retry()


def test_what_a_call_asks_of_the_registry_is_told_until_it_is_done(alice: Peer) -> None:
    mutation = ContextMutation("context_add_member", b"\1" * 32, {"x": b"y"})
    alice.guest = Asking(alice.guest, mutation)
    alice.start()
    for method, args in (("len", {}), ("set", {"key": "a", "value": "1"})):
        alice.notes.clear()
        alice.call(method, **args)
        (note,) = [note for _, note in alice.notes if isinstance(note, m.GovernanceQueued)]
        assert note.mutations == [m.MutationRecord(mutation.kind, mutation.target, mutation.params)]
        alice.start()
        alice.notes.clear()
        alice.ask(m.TellGovernance())
        assert alice.notes == [("sync", note)]
        alice.ask(m.GovernanceDone(CONTEXT, note.ticket))
        alice.notes.clear()
        alice.ask(m.TellGovernance())
        assert alice.notes == []


class Asking:
    """A guest whose calls ask for a change of members besides."""

    def __init__(self, guest: Guest, mutation: ContextMutation) -> None:
        self.guest = guest
        self.mutation = mutation

    def run(self, call: GuestCall) -> Outcome:
        outcome = self.guest.run(call)
        outcome.mutations.append(self.mutation)
        return outcome
