"""Entities applied without a delta, and upgrades at their edges."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.codec.borsh import codec
from node.context.owner.host import Runnable
from node.context.owner.snapshot import SnapshotInstaller
from node.errors import ContextError, InvalidDelta, Uninitialized, WasmTrap
from node.primitives import Hash
from node.runtime.call import GuestCall, Outcome
from node.storage.action import Action, Add
from node.storage.entities import Metadata
from node.storage.keys import STATE_ENTRY, index_key
from node.store.base import Batch
from node.store.columns import Column
from tests.node.context.owner.test_snapshot import ROWS, TREE
from tests.node.context.owner.world import APP, CONTEXT, Node, entity, made

ACTION = codec(Action)


def add(name: str, text: str, at: int) -> bytes:
    return ACTION.encode(Add(entity(name), f'"{text}"'.encode(), (), Metadata(at, at)))


def test_a_merge_moves_the_root_and_no_head(alice: Node) -> None:
    heads = alice.owner.heads().heads
    root = alice.owner.merge([add("a", "1", alice.now)])
    assert root == alice.root
    assert alice.owner.heads().heads == heads
    assert alice.value("a") == "1"
    alice.restart()
    assert alice.root == root
    assert made(alice.call("set", {"a": "2"})).parents == heads
    assert alice.value("a") == "2", "a local write is newer than what was merged"


def test_a_merge_is_judged_like_a_delta(alice: Node) -> None:
    with pytest.raises(InvalidDelta, match="cannot be read"):
        alice.owner.merge([b"junk"])
    with pytest.raises(InvalidDelta, match="into the future"):
        alice.owner.merge([add("a", "1", alice.now + 6 * 10**9)])
    with pytest.raises(WasmTrap):
        alice.owner.merge([add("a", "poison", alice.now)])
    alice.owner.merge([add("a", "poison", alice.now), add("b", "1", alice.now)])
    assert alice.value("b") == "1"
    assert alice.owner.state.counts["skipped actions"] == 1


def test_without_state_there_is_nothing_to_merge_with(alice: Node) -> None:
    carol = Node(3)
    carol.join(alice)
    with pytest.raises(Uninitialized):
        carol.owner.merge([])
    with pytest.raises(Uninitialized):
        carol.owner.upgrade(APP, carol.owner.state.runnable(), carol.public, "migrate")
    assert isinstance(carol.owner.installer, SnapshotInstaller)


class Scripted:
    """Answers calls by name."""

    def __init__(self, **answers: Outcome) -> None:
        self.answers = answers

    def run(self, call: GuestCall) -> Outcome:
        return self.answers[call.method.strip("_")]


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ({"migrate": Outcome(error=WasmTrap("unreachable"))}, WasmTrap, "unreachable"),
        ({"migrate": Outcome()}, ContextError, "did not return any data"),
        (
            {"migrate": Outcome(returns=b"s"), "calimero_sync_next": Outcome(error=WasmTrap("no"))},
            WasmTrap,
            "no",
        ),
        (
            {"migrate": Outcome(returns=b"s"), "calimero_sync_next": Outcome()},
            ContextError,
            "did not take the migrated state",
        ),
    ],
)
def test_a_migration_that_fails_changes_nothing(
    alice: Node, answers: dict[str, Outcome], kind: type[Exception], words: str
) -> None:
    _with_state_entry(alice)
    before = alice.owner.state.meta
    alice.owner.state.host = replace(alice.host, guest=Scripted(**answers))
    with pytest.raises(kind, match=words):
        alice.owner.upgrade(APP, Runnable(Hash(APP), bytes), alice.public, "migrate")
    assert alice.owner.state.meta == before


def test_a_state_without_a_state_entry_cannot_be_migrated(alice: Node) -> None:
    alice.owner.state.host = replace(alice.host, guest=Scripted(migrate=Outcome(returns=b"s")))
    with pytest.raises(ContextError, match="no state entry"):
        alice.owner.upgrade(APP, Runnable(Hash(APP), bytes), alice.public, "migrate")


def _with_state_entry(node: Node) -> None:
    batch = Batch()
    for key, value in [*ROWS, (index_key(STATE_ENTRY), ROWS[0][1])]:
        batch.put(Column.STATE, CONTEXT + key, value)
    node.store.commit(batch)
    assert TREE.parent_id is None
