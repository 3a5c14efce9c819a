from __future__ import annotations

import pytest

from node.api.errors import Refusal
from node.api.router import Router
from node.api.routes import ROUTES

ROUTER = Router(ROUTES)


def handler(method: str, path: str) -> str | None:
    match = ROUTER.find(path)
    route = None if match is None else match.route(method)
    return None if route is None else route.handler


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_is_found_with_its_parameters(route: object) -> None:
    path = "/".join(f"v{i}" if part.startswith("{") else part for i, part in enumerate(route.path.split("/")))  # type: ignore[attr-defined]
    match = ROUTER.find(path)
    assert match is not None
    found = match.route(route.method)  # type: ignore[attr-defined]
    assert found is not None
    assert found.handler == route.handler  # type: ignore[attr-defined]
    assert list(match.parameters(found)) == list(route.parameters)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "path",
    ["", "/", "/jsonrpc/", "//jsonrpc", "/admin-api/contexts/", "/admin-api/contexts//identities",
     "/admin-api/contexts/sync/", "/admin-api", "/auth/login", "/admin-api/uninstall-application",
     "/admin-api/contexts/x/members", "/admin-api/node-info", "jsonrpc", "/JSONRPC"],
)  # fmt: skip
def test_other_paths_are_unknown(path: str) -> None:
    assert ROUTER.find(path) is None


def test_fixed_parts_come_before_parameters() -> None:
    assert handler("POST", "/admin-api/contexts/invite") == "invite"
    assert handler("POST", "/admin-api/contexts/sync") == "sync_all"
    assert handler("GET", "/admin-api/contexts/c/proposals/count") == "proposals_limit"
    assert handler("GET", "/admin-api/contexts/c/proposals/p") == "proposal"
    assert handler("POST", "/admin-api/alias/lookup/identity/c/n") == "alias_lookup_identity"
    assert handler("POST", "/admin-api/alias/lookup/context/n") == "alias_lookup"


def test_a_parameter_is_tried_where_a_fixed_part_leads_nowhere() -> None:
    assert handler("GET", "/admin-api/contexts/invite/identities") == "identities"


def test_head_is_answered_where_get_is() -> None:
    assert handler("HEAD", "/admin-api/health") == "health"
    assert handler("HEAD", "/jsonrpc") is None


def test_a_wrong_method_knows_the_right_ones() -> None:
    match = ROUTER.find("/admin-api/contexts/x")
    assert match is not None
    assert match.route("POST") is None
    assert match.allow == "GET,HEAD,DELETE"


def test_escapes_are_decoded_part_by_part() -> None:
    match = ROUTER.find("/admin-api/alias/lookup/context/a%2Fb%20%C3%A9%zz")
    assert match is not None
    route = match.route("POST")
    assert route is not None
    assert match.parameters(route)["name"] == "a/b é%zz"


def test_bytes_that_are_no_text_are_refused() -> None:
    match = ROUTER.find("/admin-api/alias/lookup/context/%ff")
    assert match is not None
    with pytest.raises(Refusal, match="Invalid UTF-8 in `name`"):
        match.parameters(match.route("POST"))  # type: ignore[arg-type]


def test_a_prefix_covers_what_it_covers_in_the_reference() -> None:
    router = Router(ROUTES, "/node1")
    assert router.find("/node1/jsonrpc") is not None
    assert router.find("/jsonrpc") is None
    assert router.find("/node1/admin-api/health") is not None
    assert router.find("/sse") is not None
    assert router.find("/metrics") is not None


def test_the_dashboard_has_pages_below_it() -> None:
    assert handler("GET", "/admin-dashboard") == "dashboard"
    assert handler("GET", "/admin-dashboard/") == "dashboard"
    assert handler("GET", "/admin-dashboard/a/b.js") == "dashboard"
