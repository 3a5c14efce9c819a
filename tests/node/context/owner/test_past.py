"""The past of a context over its rows: windows, entries at a delta, differences, writes, and where a snapshot is."""

from __future__ import annotations

import json

import pytest

from node.context.owner.past import Past
from node.dag.delta import CausalDelta
from node.errors import NotFound
from node.primitives import DeltaId
from node.store.base import Batch
from node.store.columns import Column, in_context
from tests.node.context.owner.test_snapshot import ROWS, TREE
from tests.node.context.owner.world import CONTEXT, Node, entity, made

NOWHERE = DeltaId(b"\x05" * 32)


def values(past: Past, delta: CausalDelta) -> dict[str, object]:
    """What the entries a, b, c were at a delta; a missing one is left out."""
    found = past.entries(delta.id)
    named = ((name, found.get(entity(name))) for name in "abc")
    return {name: None if row.data is None else json.loads(row.data) for name, row in named if row is not None}


def test_windows_go_from_the_newest_to_the_beginning(alice: Node) -> None:
    deltas = [made(alice.call("set", {"a": str(n)})) for n in range(4)]
    past = alice.owner.past
    first, cursor = past.window(None, 3)
    assert [delta.id for delta in first] == [delta.id for delta in deltas[:0:-1]]
    assert cursor == deltas[1].id
    rest, cursor = past.window(cursor, 3)
    assert (rest[0].id, len(rest)) == (deltas[0].id, 2)
    assert cursor is None
    with pytest.raises(NotFound, match="is not applied here"):
        past.window(NOWHERE, 3)


def test_entries_at_every_delta_of_a_fork(alice: Node, bob: Node) -> None:
    one = made(alice.call("set", {"a": "1", "b": "1"}))
    bob.give(one, alice)
    left = made(alice.call("set", {"a": "left"}))
    bob.now = alice.now + 10**9
    right = made(bob.call("remove", "b"))
    alice.give(right, bob)
    bob.give(left, alice)
    last = made(bob.call("set", {"c": "3"}))
    alice.give(last, bob)
    past = alice.owner.past
    assert values(past, one) == {"a": "1", "b": "1"}
    assert values(past, left) == {"a": "left", "b": "1"}
    assert values(past, right) == {"a": "1", "b": None}
    assert values(past, last) == {"a": "left", "b": None, "c": "3"}
    changed = {row.entity: row for row in past.difference(left.id, right.id)}
    assert changed.keys() == {entity("a"), entity("b")}
    before, after = changed[entity("a")].before, changed[entity("a")].after
    assert before is not None
    assert after is not None
    assert (before.delta_id, after.delta_id) == (left.id, one.id)
    assert past.difference(last.id, last.id) == []
    writes = past.writes(entity("a"))
    assert [(row.delta_id, past.author(row.delta_id)) for row in writes] == [
        (left.id, alice.public),
        (one.id, alice.public),
    ]
    assert past.author(right.id) == bob.public
    assert past.writes(entity("nobody wrote it")) == []
    for wrong in (NOWHERE, DeltaId.zero()):
        assert past.author(wrong) is None
    with pytest.raises(NotFound):
        past.entries(NOWHERE)
    with pytest.raises(NotFound):
        past.difference(one.id, NOWHERE)


def joined(alice: Node, head: CausalDelta) -> Node:
    """A member whose history begins with a snapshot at ``head``."""
    carol = Node(3)
    carol.join(alice)
    carol.now = alice.now
    carol.owner.installer.begin(TREE.full_hash, [head.id])
    carol.owner.installer.put(ROWS)
    carol.owner.finish_install()
    return carol


def test_what_lies_behind_a_snapshot_is_not_made_up(alice: Node) -> None:
    """A delta that is covered has no state of its own: the snapshot holds its effects only together with later ones."""
    first, second, third = (made(alice.call("set", {"a": str(n)})) for n in range(3))
    carol = joined(alice, third)
    past = carol.owner.past
    assert {key: row.data for key, row in past.entries(third.id).items()} == {TREE.id: b"root"}
    assert past.author(third.id) is None
    assert carol.give(third, alice).duplicates == [third.id]  # its place becomes known, and with it its parent
    with pytest.raises(NotFound, match="lies behind the snapshot"):
        past.entries(second.id)
    with pytest.raises(NotFound, match="lies behind the snapshot"):
        past.difference(second.id, third.id)
    with pytest.raises(NotFound, match="is not applied here"):
        past.entries(first.id)
    assert [delta.id for delta in past.window(None, 10)[0]] == [third.id]


def test_an_original_is_kept_once_and_whatever_lies_in_its_place(alice: Node) -> None:
    last = made(alice.call("set", {"a": "0"}))
    carol = joined(alice, last)
    batch = Batch()
    batch.put(Column.STATE, in_context(CONTEXT, ROWS[0][0]), b"no index row at all")
    carol.store.commit(batch)
    carol.call("set", {"a": "1"})
    kept = list(carol.owner.state.rows.originals())
    assert [(row.entity, row.data) for row in kept] == [(entity("a"), None)]
    carol.call("set", {"a": "2"})
    assert list(carol.owner.state.rows.originals()) == kept
    assert carol.owner.past.entries(last.id) == {}
    assert list(alice.owner.state.rows.originals()) == []
