"""The end of an execution, and artifacts of other nodes."""

from __future__ import annotations

import pytest

from node.errors import DecodeError, StorageError
from node.storage.action import Action, Add, Compare, DeleteRef, Update
from node.storage.delta import Actions, Comparison, Comparisons, decode_artifact, encode_artifact
from node.storage.engine import Engine
from node.storage.entities import ChildInfo, Metadata
from node.storage.env import INTEROP, REFERENCE, Rules
from node.storage.faults import MergeFailure, UnexpectedId, UnknownEntity
from node.storage.hlc import ZERO
from tests.vectors.storage import ROOT, C, digest, eid, md
from tests.vectors.storage_steps import Harness

NOW = 10**18
LINK = (ChildInfo(ROOT, digest(0), md(10, 10)),)
R = Update(ROOT, bytes(C), (), md(10, 10))
A1 = Add(eid(1), b"a", LINK, md(20, 20))


def started(rules: Rules = INTEROP) -> Engine:
    harness = Harness(rules)
    harness.now = NOW
    return harness.engine()


def artifact(*actions: Action) -> bytes:
    return encode_artifact(Actions(actions))


def test_a_call_without_a_root_commits_nothing() -> None:
    assert started().commit() is None
    assert started().sync(artifact()).commit is None
    assert started().flush_delta().root_hash.is_zero


def test_a_commit_hands_over_root_and_actions_once() -> None:
    engine = started()
    engine.save_raw(ROOT, bytes(C), md(1, 1))
    commit = engine.commit()
    assert commit is not None
    assert commit.root_hash == engine.root_hash
    assert decode_artifact(commit.artifact) == Actions((Add(ROOT, bytes(C), (), md(1, 1)),))
    again = engine.commit()
    assert again is not None
    assert again.artifact == b""


def test_only_the_root_is_committed_as_root() -> None:
    engine = started()
    with pytest.raises(UnexpectedId, match=f"Unexpected ID: {'01' * 32}"):
        engine.commit_root(eid(1), b"", md(1, 1))
    assert engine.commit_root(ROOT, b"new", md(1, 5)) is not None
    assert engine.commit_root(ROOT, b"old", md(1, 4)) is None


def test_actions_and_comparisons_do_not_mix() -> None:
    engine = started()
    engine.sync(artifact(R, A1))
    with pytest.raises(StorageError, match="both actions and comparison are present"):
        engine.sync(artifact(A1, Compare(eid(1))))
    engine.pending.clear()
    engine.pending.push(Compare(eid(1)))
    engine.sync(artifact(R))


def test_a_flush_forgets_comparisons() -> None:
    engine = started()
    engine.sync(artifact(R))
    engine.pending.push(Compare(eid(1)))
    engine.pending.compare(decode_comparison(engine))
    assert decode_artifact(engine.flush_delta().artifact) == Actions((Compare(eid(1)),))
    assert engine.flush_delta().artifact == b""
    assert engine.pending.latest == ZERO


def decode_comparison(engine: Engine) -> Comparison:
    fresh = Engine(engine.rows, engine.env).sync(b"").commit
    assert fresh is not None
    delta = decode_artifact(fresh.artifact)
    assert isinstance(delta, Comparisons)
    return delta.comparisons[0]


def test_the_last_write_of_the_root_is_saved_behind_all_others() -> None:
    engine = started()
    report = engine.sync(artifact(Add(ROOT, b"one", (), md(10, 10)), A1, Update(ROOT, b"two", (), md(10, 11))))
    assert engine.raw(ROOT) == b"two"
    assert report.commit is not None
    made = decode_artifact(report.commit.artifact)
    assert isinstance(made, Actions)
    assert [type(action) for action in made.actions] == [Compare, Update]


def test_a_comparison_in_an_artifact_is_answered() -> None:
    engine = started()
    engine.sync(artifact(R, A1))
    report = engine.sync(artifact(Compare(eid(1))))
    assert report.commit is not None
    assert isinstance(decode_artifact(report.commit.artifact), Comparisons)


def test_bytes_that_are_no_artifact() -> None:
    for raw in (b"\x02", b"\x00", b"\x00\x01\0\0\0\x09", artifact(R) + b"\0"):
        with pytest.raises(DecodeError):
            started().sync(raw)


def test_trap_t5_a_refused_action_does_not_undo_the_others() -> None:
    gone = DeleteRef(eid(9), 30, md(20, 20))
    engine = started()
    report = engine.sync(artifact(R, gone, A1))
    assert report.skipped == [(gone, f"Index not found for ID: {'09' * 32}")]
    assert engine.find(eid(1)) == b"a"
    with pytest.raises(UnknownEntity):
        started(REFERENCE).sync(artifact(R, gone, A1))


def test_trap_t8_a_second_root_document_fails_as_in_the_reference() -> None:
    engine = started(REFERENCE)
    engine.sync(artifact(R))
    with pytest.raises(MergeFailure):
        engine.sync(artifact(Update(ROOT, b"two", (), md(10, 11))))


def test_a_fault_of_the_rows_is_not_skipped() -> None:
    engine = started()
    engine.sync(artifact(R))
    with pytest.raises(StorageError, match="Cannot create orphan"):
        engine.save_raw(eid(5), b"", Metadata())


def test_a_leaf_without_ancestors_needs_a_place() -> None:
    engine = started()
    report = engine.sync(artifact(R, Add(eid(1), b"x", (), md(1, 1))))
    assert len(report.skipped) == 1
    engine.sync(artifact(A1, Update(eid(1), b"y", (), md(20, 30))))
    assert engine.find(eid(1)) == b"y"
