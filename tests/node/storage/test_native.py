"""Applications in Python: what a call leaves behind, and that fields have the ids of the reference."""

from __future__ import annotations

import pytest

from node.errors import DecodeError, NotFound
from node.primitives import ContextId, Hash, PublicKey
from node.storage.action import Add, Update
from node.storage.delta import actions_of
from node.storage.env import Env, guest_env
from node.storage.keys import collection_id, entry_id, index_key
from node.storage.native import ITEMS, NativeApp, State, key_value_app
from node.storage.rows import MemoryRows

CONTEXT = ContextId(b"\x01" * 32)
ME = PublicKey(b"\x02" * 32)


def env(now: int = 10**18) -> Env:
    return guest_env(CONTEXT, ME, lambda: now, bytes)


@pytest.fixture
def started() -> tuple[NativeApp, MemoryRows]:
    app, rows = key_value_app(), MemoryRows()
    rows.commit(app.init(rows.get, env()).writes)
    return app, rows


def test_the_genesis_delta_makes_root_and_fields() -> None:
    app, rows = key_value_app(), MemoryRows()
    outcome = app.init(rows.get, env())
    actions = actions_of(outcome.artifact)
    assert [action.id for action in actions] == [
        CONTEXT,
        collection_id("items"),
        collection_id("__counter_internal_visits_positive"),
    ]
    assert index_key(collection_id("items")) in outcome.writes
    assert not rows


def test_a_call_answers_rows_root_and_artifact(started: tuple[NativeApp, MemoryRows]) -> None:
    app, rows = started
    outcome = app.run(rows.get, env(10**18 + 1), "set", b"a=1")
    (action,) = actions_of(outcome.artifact)
    assert isinstance(action, Add)
    assert action.id == entry_id(collection_id("items"), b"a")
    assert isinstance(outcome.root_hash, Hash)
    assert outcome.returns is None
    rows.commit(outcome.writes)
    again = app.run(rows.get, env(10**18 + 2), "set", b"a=2")
    assert again.returns == b"1"
    assert isinstance(actions_of(again.artifact)[0], Update)


def test_a_reading_call_leaves_nothing(started: tuple[NativeApp, MemoryRows]) -> None:
    app, rows = started
    outcome = app.run(rows.get, env(), "get", b"a")
    assert (outcome.writes, outcome.root_hash, outcome.artifact, outcome.returns) == ({}, None, b"", None)
    assert app.run(rows.get, env(), "remove", b"a").returns is None


def test_another_node_reaches_the_same_root_from_the_deltas(started: tuple[NativeApp, MemoryRows]) -> None:
    app, there = started
    here = MemoryRows()
    genesis = app.init(MemoryRows().get, env()).artifact
    here.commit(app.sync_next(here.get, env(), genesis).writes)
    for number, (method, args) in enumerate([("set", b"a=1"), ("visit", b""), ("remove", b"a"), ("visit", b"")]):
        mine = app.run(there.get, env(10**18 + number), method, args)
        there.commit(mine.writes)
        theirs = app.sync_next(here.get, env(10**18), mine.artifact)
        here.commit(theirs.writes)
        assert theirs.root_hash == mine.root_hash
        assert theirs.skipped == ()
    assert app.run(here.get, env(), "visit").returns == b"3"
    assert app.run(here.get, env(), "get", b"a").returns is None


def test_an_unknown_method_is_named(started: tuple[NativeApp, MemoryRows]) -> None:
    app, rows = started
    with pytest.raises(NotFound, match="no method 'jump'; it has get, remove, set, visit"):
        app.run(rows.get, env(), "jump")


def test_a_damaged_artifact_is_refused(started: tuple[NativeApp, MemoryRows]) -> None:
    app, rows = started
    with pytest.raises(DecodeError):
        app.sync_next(rows.get, env(), b"\x00\x01")


def test_an_artifact_without_state_leaves_no_root() -> None:
    app = key_value_app()
    outcome = app.sync_next(MemoryRows().get, env(), b"\x00\x00\x00\x00\x00")
    assert (outcome.root_hash, outcome.writes) == (None, {})


def test_a_failing_method_leaves_nothing(started: tuple[NativeApp, MemoryRows]) -> None:
    def fail(state: State, args: bytes) -> bytes | None:
        state[ITEMS].insert("a", "1")
        raise RuntimeError("no")

    _, rows = started
    before = dict(rows)
    app = NativeApp((ITEMS,), {"fail": fail})
    with pytest.raises(RuntimeError):
        app.run(rows.get, env(), "fail")
    assert rows == before
