"""The view of a delta: what it shows in words, and the screen over a node on a real socket."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from calimero_tui.client.past import readable
from calimero_tui.tui.model.past import BEGINNING, DeltaView, change_rows, entry_rows, write_lines
from calimero_tui.tui.screens.past import PastScreen
from calimero_tui.tui.widgets.grid import Grid
from tests.tui.dashboard.station import OWN, Station, ident
from tests.tui.dashboard.test_screens import run, shown, text, until


def version(value: bytes | None, delta: int, author: int | None = 1) -> dict[str, Any]:
    return {
        "entity": ident(1, 50),
        "delta": ident(delta, 30),
        "author": None if author is None else ident(author, 9),
        "at": 1_700_000_000.5,
        "size": len(value or b""),
        "value": None if value is None else value.hex(),
    }


OLD, NEW, GONE = (
    version(b"\x03\0\0\0old" + bytes(range(128, 160)), 2, None),
    version(b"\x03\0\0\0new", 1),
    version(None, 0),
)


def test_bytes_are_shown_as_the_text_that_is_in_them() -> None:
    assert readable(b"\x04\0\0\0name\x07\0\0\0Z\xc3\xbcrich" + bytes(32)) == "name · Z\u00fcrich"
    assert readable(b"\x01\x02") == "0102"
    assert readable(b"\x02\0\0\0\xff\xfe\x01\0\0\0\x07") == "02000000fffe0100000007"
    assert readable(b"") == "empty"


def test_rows_tell_what_came_went_and_changed() -> None:
    rows = change_rows(
        [
            {"entity": ident(1, 50), "before": OLD, "after": NEW},
            {"entity": ident(2, 50), "before": None, "after": NEW},
            {"entity": ident(3, 50), "before": NEW, "after": None},
            {"entity": ident(4, 50), "before": NEW, "after": GONE},
        ]
    )
    shown = [(row.cells["before"].text, row.cells["after"].text, row.cells["after"].tone) for row in rows]
    assert shown == [
        ("old", "new", "warn"),
        ("-", "new", "good"),
        ("new", "-", "bad"),
        ("new", "deleted", "bad"),
    ]
    assert [row.cells["by"].text for row in change_rows([{"entity": "e", "before": OLD, "after": None}])] == ["-"]
    assert [row.cells["after"].text for row in entry_rows([NEW, GONE])] == ["new", "deleted"]


def test_writes_say_who_where_it_is_known() -> None:
    lines = [line for line, _ in write_lines("e1", [NEW, OLD])]
    assert lines[1] == "2023-11-14 22:13:20  new"
    assert ident(1, 9) in lines[2]
    assert "it came with the state" in lines[4]
    assert write_lines("e1", []) == [("no delta on this node writes e1", "dim")]


def test_a_delta_is_compared_with_a_parent_or_the_marked_one() -> None:
    deltas = [
        {"id": "c", "parents": ["b", "x"], "author": None},
        {"id": "b", "parents": ["a"], "author": "me"},
        {"id": "a", "parents": []},
    ]
    view = DeltaView(deltas, 0)
    assert (view.delta, view.base, view.title()[2][0]) == ("c", "b", "against b  (parent 1 of 2)")
    view.next_parent()
    assert (view.base, view.title()[2][0]) == ("x", "against x  (parent 2 of 2)")
    view.mark()
    assert view.base == "x"
    view.move(1)
    assert (view.delta, view.base, view.title()[2][0]) == ("b", "c", "against c  (marked)")
    view.move(5)
    assert (view.delta, view.base) == ("a", "c")
    view.mark()
    view.mark()
    assert (view.base, view.title()[2][0]) == (BEGINNING, f"against {BEGINNING}  (the beginning)")
    view.whole = True
    assert view.title()[2][0] == "shows   every entry as it was right after it"
    view.move(-1)
    view.whole = False
    assert view.title()[2][0] == "against a  (its parent)"


class Historian(Station):
    """A node that tells its past, and remembers what it was asked."""

    def _routes(self) -> list[BaseRoute]:
        self.asked: list[str] = []
        context = OWN + "/contexts/{id}"
        return [
            *super()._routes(),
            Route(f"{context}/compare", self._compare),
            Route(context + "/at/{delta}", self._at),
            Route(context + "/blame/{entity}", self._blame),
        ]

    async def _compare(self, request: Request) -> Response:
        query = request.query_params
        self.asked.append(f"{query['old']} {query['new']}")
        if query["new"] == ident(3, 30):
            return JSONResponse({"error": "that delta lies behind the snapshot"}, status_code=404)
        return JSONResponse({"data": {"entries": [{"entity": ident(1, 50), "before": OLD, "after": NEW}]}})

    async def _at(self, request: Request) -> Response:
        return JSONResponse({"data": {"entries": [NEW, {**GONE, "entity": ident(2, 50)}]}})

    async def _blame(self, request: Request) -> Response:
        return JSONResponse({"data": {"entries": [NEW, OLD]}})


def test_enter_on_a_delta_shows_what_it_changed_and_who_wrote_it() -> None:
    async def body() -> None:
        station = Historian(1)
        async with shown(station, size=(120, 30)) as (app, pilot):
            await pilot.press("2")
            await until(pilot, lambda: len(app.network.current_details().deltas) == 20)
            app.screen.query_one("TabbedContent").active = "tab-deltas"  # type: ignore[attr-defined]
            grid = app.screen.query_one("#deltas", Grid)
            await until(pilot, lambda: grid.row_count == 20)
            grid.focus()
            await until(pilot, lambda: grid.has_focus)
            await pilot.press("down", "enter")
            await until(pilot, lambda: isinstance(app.screen, PastScreen) and "old" in text(app))
            assert station.asked == [f"{ident(2, 30)} {ident(1, 30)}"]
            assert "parent 1 of 2" in text(app)
            await pilot.press("enter")
            await until(pilot, lambda: "it came with the state" in text(app))
            await pilot.press("m", "left")
            await until(pilot, lambda: "(marked)" in text(app))
            await until(pilot, lambda: station.asked[-1] == f"{ident(1, 30)} {ident(2, 30)}")
            await pilot.press("left")
            await until(pilot, lambda: "behind the snapshot" in text(app))
            await pilot.press("a")
            await until(pilot, lambda: "deleted" in text(app))
            await pilot.press("escape")
            await until(pilot, lambda: not isinstance(app.screen, PastScreen))

    run(body)
