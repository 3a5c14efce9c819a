"""Time travel over real applications: the state at every delta is the one that was there, for author and joiner."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from node.codec import borsh
from node.context.owner.tree import StateNode
from node.errors import NotFound
from node.primitives import DeltaId, EntityId
from node.store.columns import Column, Scope
from tests.workers.runtime.nodes import CONTEXT, Peer
from workers.messages import runtime as m
from workers.runtime.engine import WasmGuest

State = dict[EntityId, bytes]


def now(peer: Peer) -> State:
    """The entries that hang below the root."""
    nodes = [borsh.decode(StateNode, raw) for raw in peer.ask(m.GetTreeNodes(CONTEXT, None, 16)).nodes]
    return {node.index.id: node.data for node in nodes if node.data is not None}


def then(peer: Peer, delta_id: DeltaId) -> State:
    """The entries at a delta, as told by its history."""
    rows = peer.ask(m.StateAt(CONTEXT, delta_id)).entries
    return {row.entity: row.data for row in rows if row.data is not None}


def head(peer: Peer) -> DeltaId:
    (found,) = peer.ask(m.GetHeads(CONTEXT)).heads
    return found


def kv(peer: Peer, step: int) -> None:
    if step % 4 == 3:
        peer.run("remove", key=f"k{step % 3}")
    else:
        peer.run("set", key=f"k{step % 3}", value=str(step))


def collections(peer: Peer, step: int) -> None:
    calls: list[tuple[str, dict[str, object]]] = [
        ("visit", {}),
        ("score", {"player": f"p{step % 2}"}),
        ("put", {"shelf": "s", "item": "i", "value": str(step)}),
        ("append", {"line": f"line {step}"}),
        ("tag", {"tag": f"t{step}"}),
        ("write", {"position": 0, "text": f"w{step}"}),
        ("withdraw", {}),
        ("pop", {}),
        ("untag", {"tag": f"t{step - 4}"}),
        ("set_title", {"title": str(step)}),
    ]
    method, args = calls[step % len(calls)]
    peer.run(method, **args)


def owned(peer: Peer, step: int) -> None:
    if step % 3 == 2:
        peer.run("freeze", text=f"ice {step}")
    elif step % 3 == 1:
        peer.run("set_in_drawer", key="k", value=str(step))
    else:
        peer.run("set_profile", text=f"profile {step}")


APPLICATIONS: dict[str, tuple[Callable[[Peer, int], None], dict[str, object]]] = {
    "kv": (kv, {}),
    "collections": (collections, {"title": "first"}),
    "owned": (owned, {}),
}


@pytest.mark.parametrize("name", APPLICATIONS)
def test_the_state_at_every_delta_is_what_it_was(name: str, guest: WasmGuest, tmp_path: Path) -> None:
    (step, args), bob = APPLICATIONS[name], Peer(2, guest, tmp_path / "bob")
    alice = Peer(1, guest, tmp_path / "alice")
    alice.create(name, members=(bob.public,), args=args)
    bob.adopt(alice, name)
    before, after = {head(alice): now(alice)}, dict[DeltaId, State]()
    for number in range(6):
        step(alice, number)
        before[head(alice)] = now(alice)
    bob.bootstrap(alice)
    after[head(alice)] = now(alice)
    alice.deltas()
    for number in range(6, 14):
        step(alice, number)
        after[head(alice)] = now(alice)
    alice.give(bob, alice.deltas())
    for delta_id, state in {**before, **after}.items():
        assert then(alice, delta_id) == state
    for _ in range(2):
        for delta_id, state in after.items():
            assert then(bob, delta_id) == state
        bob.start()
    for delta_id in before.keys() - after.keys():
        with pytest.raises(NotFound):
            bob.ask(m.StateAt(CONTEXT, delta_id))


def test_what_the_snapshot_brought_has_a_difference_and_a_blame(alice: Peer, guest: WasmGuest, tmp_path: Path) -> None:
    """A joiner knows what an entry was before the first write that it heard of; who wrote that, it cannot know."""
    alice.run("set", key="a", value="old")
    alice.run("set", key="b", value="untouched")
    bob = Peer(2, guest, tmp_path / "bob")
    bob.adopt(alice)
    bob.bootstrap(alice)
    joined = head(bob)
    alice.deltas()
    alice.run("set", key="a", value="new")
    alice.run("remove", key="a")
    alice.give(bob, alice.deltas())
    changed = {
        row.entity: (row.before.data if row.before else None, row.after.data if row.after else None)
        for row in bob.ask(m.CompareDeltas(CONTEXT, joined, head(bob))).entries
    }
    (entity,) = (key for key, (old, _) in changed.items() if old is not None and b"old" in old)
    assert changed[entity][1] is None
    writes = bob.ask(m.BlameEntry(CONTEXT, entity)).entries
    assert [(row.data is not None and row.data[:40].find(b"old") >= 0, row.author) for row in writes] == [
        (False, alice.public),
        (False, alice.public),
        (True, None),
    ]
    assert writes[-1].delta_id == joined
    (kept,) = (key for key, data in now(bob).items() if b"untouched" in data)
    assert [(row.delta_id, row.author) for row in bob.ask(m.BlameEntry(CONTEXT, kept)).entries] == [(joined, None)]


def test_originals_go_with_their_context(alice: Peer, bob: Peer) -> None:
    alice.run("set", key="a", value="1")
    alice.give(bob, alice.deltas())
    store = bob.worker.contexts.get(CONTEXT).state.store
    assert list(store.scan(Column.GENERIC, Scope.ORIGINAL))
    bob.ask(m.DeleteContext(CONTEXT))
    assert list(store.scan(Column.GENERIC)) == []
    assert not list(alice.worker.contexts.get(CONTEXT).state.store.scan(Column.GENERIC, Scope.ORIGINAL))
