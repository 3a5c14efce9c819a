"""Serving the tree in the reference's two forms, from a real state to a peer that walks it as the reference does."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

import pytest

from node.errors import RemoteProtocolError
from node.primitives import EntityId, Hash
from node.storage.action import Add
from node.storage.crdt_type import LwwRegister
from node.storage.entities import Metadata
from node.sync import fetching, serve_tree
from node.sync.events import Tick
from node.sync.kernel import SECOND
from node.sync.streams import Link
from node.sync.wire import (
    Init,
    InitPayload,
    LevelWiseRequest,
    LevelWiseResponse,
    TreeNodeRequest,
    TreeNodeResponse,
)
from tests.simulation.guest import ITEMS
from tests.simulation.hostile import added
from tests.simulation.plan import Plan
from tests.simulation.registry import CONTEXT
from tests.simulation.run import Run
from tests.simulation.station import ACTION, Station


def pair() -> tuple[Run, Station, Station]:
    run = Run(Plan(1, 2, (), (), ()))
    run._begin()
    run.time.run(run.time.now + 5 * SECOND)
    left, right = run.stations
    assert left.root == right.root != Hash.zero()
    return run, left, right


def hold(station: Station, count: int, size: int = 1) -> list[EntityId]:
    """Typed entries, as an application's registers are."""
    at = station.wall()
    plain = [added(station, f"k{number}", "v" * size, at) for number in range(count)]
    typed = Metadata(at, at, crdt_type=LwwRegister("String"))
    station.here.merge([ACTION.encode(Add(one.id, one.data, one.ancestors, typed)) for one in plain])
    return [one.id for one in plain]


def outcome(run: Run, station: Station, script: Coroutine[Any, Any, Any]) -> Any:
    """What a script ends with in the station's sync core; raises what it raised."""
    task = station.manager.core.kernel.spawn(script, "test")
    station.event(Tick())
    assert run.time.run(run.time.now + 20 * SECOND, lambda: task.done)
    if task.error is not None:
        raise task.error
    return task.result


class Walker:
    """A peer that asks in the reference's forms."""

    def __init__(self, run: Run, station: Station, peer: Station) -> None:
        self.run, self.station, self.peer = run, station, peer
        self.core = station.manager.core
        self.context = self.core.context(CONTEXT)

    def ask(self, payload: InitPayload, kind: type[Any], *, prove: bool = True) -> Any:
        return outcome(self.run, self.station, self._ask(payload, kind, prove=prove))

    async def _ask(self, payload: InitPayload, kind: type[Any], *, prove: bool) -> Any:
        link = await self.core.streams.open(self.peer.peer)
        try:
            if prove:
                await fetching.share_keys(self.core, self.context, link)
            return await self._once(link, payload, kind)
        finally:
            link.close()

    async def _once(self, link: Link, payload: InitPayload, kind: type[Any]) -> Any:
        me = self.core.my_identity(self.context).public_key
        await link.send(Init(CONTEXT, me, payload, self.core.random_bytes(12)))
        return await link.expect(kind, 10 * SECOND)

    def level(self, number: int, *parents: EntityId) -> LevelWiseResponse:
        found: LevelWiseResponse = self.ask(LevelWiseRequest(CONTEXT, number, parents or None), LevelWiseResponse)
        return found

    def node(self, entity: bytes, depth: int | None = 1) -> TreeNodeResponse:
        found: TreeNodeResponse = self.ask(TreeNodeRequest(CONTEXT, entity, depth), TreeNodeResponse)
        return found


def test_a_wide_level_is_served_whole_and_hashes_to_what_its_parent_says() -> None:
    run, left, right = pair()
    held = hold(right, 1500)
    walker = Walker(run, left, right)
    top = walker.level(0)
    (items,) = top.nodes
    assert (top.level, items.id, items.parent_id, items.leaf_data, top.has_more_levels) == (0, ITEMS, None, None, True)
    below = walker.level(1, items.id)
    assert ({node.id for node in below.nodes}, below.has_more_levels) == (set(held), False)
    assert {node.parent_id for node in below.nodes} == {ITEMS}
    rows = {row.id: row.full_hash for row in right.here.repair.rows(ITEMS)}
    assert {node.id: node.hash for node in below.nodes} == rows
    for node in below.nodes[:20]:
        place = right.here.repair.place(node.id)
        assert place is not None
        assert node.leaf_data is not None
        assert (node.leaf_data.key, node.leaf_data.value) == (node.id, place.node.data)
        assert node.leaf_data.metadata.hlc_timestamp == place.node.index.metadata.updated_at


def test_a_level_stops_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    run, left, right = pair()
    hold(right, 40, size=100)
    walker = Walker(run, left, right)
    monkeypatch.setattr(serve_tree, "MAX_LEVEL_NODES", 12)
    assert len(walker.level(1, ITEMS).nodes) == 12
    monkeypatch.setattr(serve_tree, "MAX_LEVEL_BYTES", 500)
    assert len(walker.level(1, ITEMS).nodes) == 3


def test_deeper_levels_need_parents_and_unknown_ones_have_no_children() -> None:
    run, left, right = pair()
    hold(right, 3)
    walker = Walker(run, left, right)
    assert walker.level(1).nodes == ()
    assert walker.level(1, EntityId(bytes(32))).nodes == ()
    assert len(walker.level(1, ITEMS, ITEMS).nodes) == 3


def test_too_deep_and_too_many_parents_are_refused() -> None:
    run, left, right = pair()
    hold(right, 3)
    walker = Walker(run, left, right)
    assert walker.level(serve_tree.MAX_LEVEL, ITEMS).level == serve_tree.MAX_LEVEL
    assert len(walker.level(1, *[EntityId(n.to_bytes(32, "big")) for n in range(999)], ITEMS).nodes) == 3
    with pytest.raises(RemoteProtocolError, match="refused"):
        walker.level(serve_tree.MAX_LEVEL + 1, ITEMS)
    with pytest.raises(RemoteProtocolError, match="refused"):
        walker.level(1, *[EntityId(n.to_bytes(32, "big")) for n in range(1001)])


def test_state_is_served_only_to_a_peer_that_proved_itself() -> None:
    run, left, right = pair()
    hold(right, 3)
    walker = Walker(run, left, right)
    for payload in (LevelWiseRequest(CONTEXT, 0, None), TreeNodeRequest(CONTEXT, ITEMS, 1)):
        right.manager.core.peers.doubt(CONTEXT, left.peer)
        with pytest.raises(RemoteProtocolError, match="refused"):
            walker.ask(payload, LevelWiseResponse, prove=False)


def test_a_leaf_without_a_type_cannot_be_told_in_this_form() -> None:
    run, left, right = pair()
    right.execute("set", ["plain", "text"])
    with pytest.raises(RemoteProtocolError, match="refused"):
        Walker(run, left, right).level(1, ITEMS)


def test_nodes_one_by_one() -> None:
    run, left, right = pair()
    held = hold(right, 3)
    walker = Walker(run, left, right)
    root, items = walker.node(right.root).nodes
    assert (root.id, root.hash, root.children, items.id) == (EntityId(CONTEXT), right.root, (ITEMS,), ITEMS)
    above, *leaves = walker.node(ITEMS).nodes
    assert (above.leaf_data, set(above.children), {leaf.id for leaf in leaves}) == (None, set(held), set(held))
    assert [node.id for node in walker.node(ITEMS, 0).nodes] == [ITEMS]
    assert walker.node(bytes(32)).not_found
