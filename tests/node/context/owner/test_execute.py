"""Local calls: what is committed, what is thrown away, what the delta says."""

from __future__ import annotations

import pytest

from node.codec import borsh
from node.context.owner.content import new_delta
from node.errors import (
    ApplicationNotInstalled,
    ContextError,
    ExecutionError,
    MethodResolutionError,
    StateInconsistency,
    StorageError,
    Unauthorized,
    Uninitialized,
    UnknownContext,
)
from node.events import StateMutation, events_from_bytes
from node.primitives import GENESIS
from node.storage.action import ACTIONS
from node.store.base import Batch
from node.store.columns import Column, in_context
from node.store.values import ContextDagDelta, ContextMeta
from tests.node.context.owner.world import CONTEXT, DOC, START, Node, made


def test_creation_writes_a_genesis_delta(alice: Node) -> None:
    state = alice.owner.state
    (genesis,) = state.meta.dag_heads
    row = state.rows.delta(genesis)
    assert row is not None
    assert (row.parents, row.applied, row.expected_root_hash) == ((GENESIS,), True, alice.root)
    assert new_delta((GENESIS,), ACTIONS.decode(row.actions), alice.clock().next(), alice.root, None).id == genesis
    assert state.keys_of(alice.public) == alice.keys


def test_a_call_that_moves_the_state_makes_a_delta(alice: Node) -> None:
    before = alice.owner.state.meta
    result = alice.call("set", {"a": "1"})
    delta = made(result)
    assert delta.parents == before.dag_heads
    assert alice.owner.state.meta == ContextMeta(before.application_id, result.root, (delta.id,))
    assert borsh.decode(ContextMeta, alice.store.get(Column.META, CONTEXT) or b"") == alice.owner.state.meta
    assert delta.expected_root_hash == result.root != before.root_hash
    assert alice.value("a") == "1"
    assert int.from_bytes(delta.hlc[:8], "little") >> 32 == START // 10**9


def test_a_view_keeps_nothing_that_it_wrote(alice: Node) -> None:
    before = dict(alice.store.scan(Column.STATE))
    result = alice.call("get", "a")
    assert (result.delta, result.returns, result.root) == (None, b"null", alice.root)
    assert dict(alice.store.scan(Column.STATE)) == before


def test_a_failed_call_keeps_nothing(alice: Node) -> None:
    before = dict(alice.store.scan(Column.STATE))
    with pytest.raises(ExecutionError, match=r"\[34, 110, 111, 34\]"):
        alice.call("fail")
    assert dict(alice.store.scan(Column.STATE)) == before
    assert alice.owner.state.counts["call failed"] == 1
    with pytest.raises(MethodResolutionError):
        alice.call("nope")


@pytest.mark.parametrize(("method", "words"), [("silent", "without producing actions"), ("garbage", "cannot read")])
def test_a_root_without_readable_actions_is_discarded(alice: Node, method: str, words: str) -> None:
    before = alice.owner.state.meta
    with pytest.raises(StateInconsistency, match=words):
        alice.call(method)
    assert alice.owner.state.meta == before
    assert alice.owner.state.rows.state(DOC) != b"lost"


def test_private_rows_are_committed_with_the_state_only(alice: Node) -> None:
    alice.call("private", "hush")
    assert alice.owner.state.rows.private(b"secret".ljust(32, b"\0")) == b'"hush"'
    assert b'"hush"' not in [value for _, value in alice.store.scan(Column.STATE)]


def test_only_an_own_identity_with_both_keys_may_execute(alice: Node, bob: Node) -> None:
    with pytest.raises(Unauthorized, match="holds no keys"):
        alice.owner.execute("get", b'"a"', bob.public)
    bob.owner.state.members[bob.public] = type(bob.keys)(bob.private, None)
    with pytest.raises(Unauthorized):
        bob.call("get", "a")


def test_a_context_without_state_does_not_execute(alice: Node) -> None:
    carol = Node(3)
    carol.join(alice)
    with pytest.raises(Uninitialized, match="waiting for its state"):
        carol.call("get", "a")


def test_an_unknown_context_has_no_owner() -> None:
    with pytest.raises(UnknownContext):
        Node(1).open()


def test_a_missing_application_is_named(alice: Node) -> None:
    alice.installed = False
    with pytest.raises(ApplicationNotInstalled, match="is not installed"):
        alice.call("get", "a")


def test_events_travel_with_their_handlers_and_are_told(alice: Node) -> None:
    delta = made(alice.call("notify", {"value": "x", "handlers": ["count"]}))
    assert [e.handler for e in events_from_bytes(delta.events or b"")] == ["count"]
    told = alice.events[-1]
    assert isinstance(told, StateMutation)
    assert (told.new_root, [e.kind for e in told.events]) == (alice.root, ["Told"])
    assert alice.owner.outbox.pending == 0, "the author runs no handlers"


def test_defect_d12_heads_without_a_row_stop_the_context(alice: Node) -> None:
    (genesis,) = alice.owner.state.meta.dag_heads
    batch = Batch()
    batch.delete(Column.DELTA, in_context(CONTEXT, genesis))
    alice.store.commit(batch)
    alice.restart()
    with pytest.raises(StateInconsistency, match=f"is stopped.*{genesis}"):
        alice.call("set", {"a": "1"})
    assert alice.value("a") is None, "reading still works"


def test_a_call_after_a_full_disk_starts_from_what_is_durable(alice: Node) -> None:
    alice.disk.capacity = alice.disk.used
    before = alice.owner.state.meta
    with pytest.raises(StorageError, match="disk is full"):
        alice.call("set", {"a": "1"})
    assert alice.owner.state.meta == before
    alice.disk.capacity = None
    delta = made(alice.call("set", {"a": "2"}))
    assert delta.parents == before.dag_heads
    assert alice.value("a") == "2"


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", ["before", "after"])
def test_defect_d10_a_kill_leaves_all_of_a_call_or_nothing(alice: Node, at: str) -> None:
    before = alice.owner.state.meta

    def fault(point: str, batch: Batch) -> None:
        if point == at:
            raise Killed

    alice.store.fault = fault
    with pytest.raises(Killed):
        alice.call("set", {"a": "1"})
    owner = alice.restart()
    owner.heads()
    assert (owner.state.meta == before) == (at == "before")
    assert alice.value("a") == (None if at == "before" else "1")
    assert len(owner.state.dag) == (1 if at == "before" else 2)


def test_a_context_can_be_created_only_once() -> None:
    node = Node(1)
    node.create([node.public])
    with pytest.raises(ContextError, match="exists already"):
        node.create([node.public])


def test_the_delta_row_is_the_reference_form(alice: Node) -> None:
    delta = made(alice.call("notify", {"value": "x", "handlers": ["count"]}))
    raw = alice.store.get(Column.DELTA, in_context(CONTEXT, delta.id))
    row = borsh.decode(ContextDagDelta, raw or b"")
    assert (row.applied, row.events, row.hlc) == (True, None, delta.hlc)
    assert alice.owner.delta(delta.id) == delta
    assert alice.owner.wire_deltas([delta.id, GENESIS]) == [
        delta.id + b"\1\0\0\0" + delta.parents[0] + delta.payload + delta.hlc + alice.root,
        None,
    ]
