"""Creating, joining, following the registry, deleting."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.context.owner import lifecycle
from node.context.owner.rows import context_ids
from node.errors import ContextError, ExecutionError, NotAMember, StateInconsistency, UnknownContext
from node.primitives import ApplicationId, Hash, PrivateKey, PublicKey
from node.runtime.call import GuestCall, Outcome
from node.store.columns import Column
from tests.node.context.owner.world import APP, CONFIG, CONTEXT, Node, made


class InitGuest:
    """Answers ``init`` with a given outcome."""

    def __init__(self, outcome: Outcome) -> None:
        self.outcome = outcome

    def run(self, call: GuestCall) -> Outcome:
        assert call.state(b"x") is None
        return self.outcome


@pytest.mark.parametrize(
    ("outcome", "kind", "words"),
    [
        (Outcome(error=ExecutionError(b"no")), ExecutionError, "110, 111"),
        (Outcome(returns=b"ab"), ContextError, r"returned a value, but it should not: \[97, 98\]"),
        (Outcome(), StateInconsistency, "did not commit a state"),
    ],
)
def test_a_bad_init_makes_no_context(outcome: Outcome, kind: type[Exception], words: str) -> None:
    node = Node(1)
    node.host = replace(node.host, guest=InitGuest(outcome))
    with pytest.raises(kind, match=words):
        node.create([node.public])
    assert context_ids(node.store) == []


def test_an_init_without_actions_is_a_genesis_all_the_same() -> None:
    node = Node(1)
    node.host = replace(node.host, guest=InitGuest(Outcome(root_hash=Hash(b"\7" * 32))))
    node.create([node.public])
    (head,) = node.owner.heads().heads
    assert head.hex() == "66687aadf862bd776c8fc18b8e9f8e20089714856ee233b3902a591d0d5f2925"


def test_joining_again_keeps_the_state(alice: Node, bob: Node) -> None:
    made(bob.call("set", {"a": "1"}))
    before = bob.owner.state.meta
    other = ApplicationId(b"\xa2" * 32)
    lifecycle.adopt(bob.store, CONTEXT, other, CONFIG, [alice.public], bob.public, bob.keys)
    bob.open()
    assert bob.owner.state.meta == replace(before, application_id=other)


def test_an_update_changes_only_what_is_given(alice: Node) -> None:
    before = alice.owner.state.meta
    newer = replace(CONFIG, members_revision=7)
    alice.owner.update(newer)
    assert (alice.owner.state.config, alice.owner.state.meta) == (newer, before)
    other = ApplicationId(b"\xa2" * 32)
    alice.owner.update(newer, None, other)
    alice.restart()
    assert alice.owner.state.meta == replace(before, application_id=other)
    assert alice.owner.state.config == newer


def test_members_come_and_go_and_own_keys_stay(alice: Node) -> None:
    stranger = PublicKey(b"\x09" * 32)
    alice.owner.store_sender_key(Node(2).public, PrivateKey(b"\4" * 32))
    alice.owner.update(CONFIG, [stranger])
    assert list(alice.owner.keys()) == [stranger]
    alice.restart()
    alice.owner.update(CONFIG, [stranger, alice.public, Node(2).public])
    assert alice.owner.keys()[alice.public] == alice.keys
    assert alice.owner.keys()[Node(2).public].sender_key is None, "a key of another comes by key share again"
    assert list(alice.owner.keys()) == sorted(alice.owner.keys())
    made(alice.call("set", {"a": "1"}))


def test_a_sender_key_needs_a_member(alice: Node) -> None:
    with pytest.raises(NotAMember, match="its key is not kept"):
        alice.owner.store_sender_key(PublicKey(b"\x09" * 32), PrivateKey(b"\4" * 32))
    alice.owner.store_sender_key(alice.public, PrivateKey(b"\5" * 32))
    assert alice.owner.keys()[alice.public].private_key == alice.private


def test_deleting_leaves_no_row(alice: Node, bob: Node) -> None:
    delta = made(alice.call("notify", {"value": "x", "handlers": ["count"]}))
    bob.give(delta, alice)
    assert lifecycle.delete(bob.store, CONTEXT)
    assert not lifecycle.delete(bob.store, CONTEXT)
    assert [key for column in Column for key, _ in bob.store.scan(column)] == []
    with pytest.raises(UnknownContext):
        bob.open()


def test_switching_to_the_same_application_is_nothing(alice: Node) -> None:
    before = dict(alice.store.scan(Column.META))
    assert alice.owner.upgrade(APP, alice.owner.state.runnable(), alice.public, None) is None
    assert dict(alice.store.scan(Column.META)) == before
