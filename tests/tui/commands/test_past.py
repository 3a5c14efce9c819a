"""The past of a context from the command line: deltas, entries at one, differences, and who wrote an entry."""

from __future__ import annotations

import asyncio

import pytest

from calimero_tui.actions.base import Session
from calimero_tui.actions.past import REGISTRY
from calimero_tui.client.http import Http
from calimero_tui.client.node import Node
from node.errors import Refused
from tests.tui.dashboard.station import ident, stations
from tests.tui.dashboard.test_past import Historian


def ask(name: str, **given: object) -> object:
    """What an action answers, over a node on a real socket."""

    async def body() -> object:
        station = Historian(1)
        async with stations(station):
            node = Node(Http(station.url))
            try:
                return await REGISTRY.find(name).run(Session(node, None), {"context": None, **given})
            finally:
                await node.close()

    return asyncio.run(body())


def test_deltas_are_listed() -> None:
    rows = ask("context deltas", limit=20, after=None)
    assert isinstance(rows, list)
    assert (len(rows), rows[0]["id"]) == (20, ident(0, 30))


def test_the_entries_at_a_delta_come_with_their_texts_and_authors() -> None:
    rows = ask("context at", delta=ident(1, 30))
    assert isinstance(rows, list)
    assert [(row["text"], row["author"]) for row in rows] == [("new", ident(1, 9)), (None, ident(1, 9))]


def test_two_deltas_are_compared_entry_by_entry() -> None:
    (row,) = ask("context compare", old=ident(2, 30), new=ident(1, 30))  # type: ignore[misc]
    assert (row["was"], row["is"], row["author"], row["delta"]) == ("old", "new", ident(1, 9), ident(1, 30))


def test_blame_lists_every_write() -> None:
    rows = ask("context blame", entry=ident(1, 50))
    assert isinstance(rows, list)
    assert [(row["text"], row["author"]) for row in rows] == [("new", ident(1, 9)), ("old", None)]


def test_what_the_node_does_not_know_is_refused() -> None:
    with pytest.raises(Refused, match="behind the snapshot"):
        ask("context compare", old=ident(4, 30), new=ident(3, 30))
