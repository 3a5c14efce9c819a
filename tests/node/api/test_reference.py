from __future__ import annotations

from node.api import models
from node.api.reference import reference_page, shape
from node.api.routes import ROUTES
from node.primitives import ContextId
from tests.write_api_reference import PAGE


def test_the_page_is_what_the_tables_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference_page(), "run python -m tests.write_api_reference"


def test_every_route_is_on_it_once() -> None:
    text = reference_page()
    for route in ROUTES:
        assert text.count(f"| `{route.method} {route.path}` |") == 1


def test_shapes_are_short() -> None:
    assert shape(None) == "null"
    assert shape(models.ByteList) == "bytes"
    assert shape(list[tuple[ContextId, str]] | None) == "[[ContextId, text]] | null"
    assert shape(dict[str, int]) == "{name: number}"
