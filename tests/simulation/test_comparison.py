"""Tree comparison between two real states: how few requests it takes, what it merges, and what it leaves alone."""

from __future__ import annotations

from collections import Counter

import pytest

from node.context.owner import repair
from node.context.owner.repair import MAX_BITS, Buckets, Part
from node.errors import RemoteProtocolError
from node.primitives import EntityId
from node.storage.action import Add
from node.storage.entities import ChildInfo
from node.sync import fetching, serve_tree, tree
from node.sync.tree import Child, Comparison
from tests.simulation.guest import ITEMS
from tests.simulation.hostile import added, removed
from tests.simulation.registry import CONTEXT
from tests.simulation.run import Run
from tests.simulation.station import ACTION, Station
from tests.simulation.test_levels import outcome, pair


def write(station: Station, keys: range, value: str, at: int) -> None:
    """Entries without a delta behind them, as a snapshot of a node that left has them."""
    station.here.merge([ACTION.encode(added(station, f"k{number}", value, at)) for number in keys])


def shelve(station: Station, shelf: EntityId, items: range, value: str, at: int) -> None:
    """Entries below an entry, so that the tree has one more level."""
    station.here.merge([ACTION.encode(_below(station, shelf, number, value, at)) for number in items])


def _below(station: Station, shelf: EntityId, number: int, value: str, at: int) -> Add:
    one = added(station, f"k{number}", value, at)
    place = station.here.repair.place(shelf)
    assert place is not None
    index = place.node.index
    link = ChildInfo(shelf, index.full_hash, index.metadata)
    return Add(EntityId(shelf[:16] + one.id[:16]), one.data, (link, *one.ancestors), one.metadata)


class Pull:
    """One comparison of ``left`` with ``right``, counted."""

    def __init__(self, run: Run, left: Station, right: Station, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: Counter[str] = Counter()
        original = tree.ask

        async def ask(work: Comparison, request: object, kind: type) -> object:
            self.asked[kind.__name__] += 1
            return await original(work, request, kind)  # type: ignore[arg-type]

        with monkeypatch.context() as patch:
            patch.setattr(tree, "ask", ask)
            self.merged = outcome(run, left, self._script(left, right))

    async def _script(self, left: Station, right: Station) -> int:
        core = left.manager.core
        context = core.context(CONTEXT)
        context.ours[right.peer] = True
        link = await core.streams.open(right.peer)
        try:
            await fetching.share_keys(core, context, link)
            return await tree.repair(core, context, link, right.root)
        finally:
            link.close()


def test_many_branches_cost_no_more_requests_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    at = left.wall()
    for station in (left, right):
        write(station, range(40), "shelf", at)
    shelves = [row.id for row in right.here.repair.rows(ITEMS)]
    for station in (left, right):
        for shelf in shelves:
            shelve(station, shelf, range(3), "same", at)
    assert left.root == right.root
    for shelf in shelves:
        shelve(right, shelf, range(1), "other", at + 1)
    pull = Pull(run, left, right, monkeypatch)
    assert left.root == right.root
    assert pull.merged == len(shelves)
    levels = 3  # below the root, below the items, below each shelf
    assert pull.asked == {
        "TreeBucketsResponse": levels,
        "TreeRowsResponse": levels,
        "TreePlacesResponse": levels + 1,
    }


def test_an_answer_that_stops_early_is_asked_on(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    monkeypatch.setattr(repair, "MAX_READ", 1)
    write(right, range(30), "only here", right.wall())
    pull = Pull(run, left, right, monkeypatch)
    assert left.root == right.root
    assert pull.merged == 30
    assert pull.asked["TreePlacesResponse"] == 30 + 2


def test_more_differing_entities_than_one_request_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    monkeypatch.setattr(tree, "GROUP", 7)
    monkeypatch.setattr(tree, "MAX_NUMBERS", 1)
    write(right, range(50), "only here", right.wall())
    assert Pull(run, left, right, monkeypatch).merged == 50
    assert left.root == right.root


def test_earlier_values_of_the_peer_are_not_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    at = left.wall()
    for station in (left, right):
        write(station, range(20), "old", at)
    write(right, range(5), "new", at + 1)
    assert Pull(run, right, left, monkeypatch).merged == 0
    assert Pull(run, left, right, monkeypatch).merged == 5
    assert left.root == right.root


def test_both_sides_of_a_tie_end_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    at = left.wall()
    write(left, range(1), "aaa", at)
    write(right, range(1), "bbb", at)
    Pull(run, left, right, monkeypatch)
    Pull(run, right, left, monkeypatch)
    assert left.root == right.root


def test_a_removal_that_only_the_peer_knows_is_merged(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    at = left.wall()
    for station in (left, right):
        write(station, range(3), "kept", at)
    right.here.merge([ACTION.encode(removed("k1", at + 1))])
    assert Pull(run, left, right, monkeypatch).merged == 1
    assert left.root == right.root


def test_settled_needs_every_row_of_the_peer() -> None:
    _, left, right = pair()
    at = left.wall()
    write(left, range(1), "newer", at + 1)
    write(right, range(1), "older", at)
    (row,) = left.here.repair.rows(ITEMS)
    mine, theirs = left.here.repair.place(row.id), right.here.repair.place(row.id)
    assert theirs is not None
    link = added(left, "any", "v", at).ancestors[0]
    here = frozenset({(at + 1, row.full_hash)})
    assert tree._settled(Child(row.id, (link,), here, here), theirs, mine)
    assert not tree._settled(Child(row.id, (link,), frozenset({(at, row.full_hash)}), here), theirs, mine)
    assert not tree._settled(Child(row.id, (link,), here, here), theirs, None)


def test_bits_that_no_node_uses_are_refused_and_harm_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    write(right, range(3), "v", right.wall())
    assert right.here.repair.rows_of([Part(ITEMS, 255, (0,))]) == [[]]
    assert right.here.repair.buckets(ITEMS, 1 << 31).bits == MAX_BITS
    lie = Buckets(1 << 31, b"")
    monkeypatch.setattr(repair.Repair, "buckets_of", lambda self, wanted: [lie for _ in wanted])
    with pytest.raises(RemoteProtocolError, match="bad digest"):
        Pull(run, left, right, monkeypatch)


def test_an_answer_for_nothing_ends_the_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    write(right, range(3), "v", right.wall())
    places = right.here.repair.places
    monkeypatch.setattr(right.here.repair, "places", lambda entities: places(entities)[:0])
    with pytest.raises(RemoteProtocolError, match="another number"):
        Pull(run, left, right, monkeypatch)


def test_too_many_entities_at_once_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    write(right, range(20), "v", right.wall())
    assert tree.GROUP <= serve_tree.MAX_ASKED
    monkeypatch.setattr(serve_tree, "MAX_ASKED", 19)
    with pytest.raises(RemoteProtocolError, match="refused"):
        Pull(run, left, right, monkeypatch)
    monkeypatch.setattr(serve_tree, "MAX_ASKED", 20)
    assert Pull(run, left, right, monkeypatch).merged == 20
