from __future__ import annotations

import json
import re
from collections import Counter
from decimal import Decimal
from typing import Any

import pytest

from node.api.errors import TABLE, BadRequest, meaning_of
from node.api.openapi import _hook, openapi
from node.api.route import ADMIN, OWN, PARAMETERS, Module, Route
from node.api.routes import ROUTES, SOCKETS
from node.errors import CalimeroError, ExecutionError
from node.primitives import ContextId

DOCUMENT = openapi("0.10.0")
PUBLIC = {
    "/metrics", "/health", "/ready", "/api-docs", "/admin-dashboard", "/admin-dashboard/{*rest}",
    f"{ADMIN}/health", f"{ADMIN}/is-authed", f"{ADMIN}/certificate",
    f"{ADMIN}/tee/info", f"{ADMIN}/tee/attest", f"{ADMIN}/tee/verify-quote",
}  # fmt: skip
"""What the reference leaves open with authentication on, and our pages that tell no more than them."""


def _name(route: Route) -> str:
    return f"{route.method} {route.path}"


def test_no_route_is_there_twice() -> None:
    assert not [name for name, count in Counter(map(_name, ROUTES)).items() if count > 1]


@pytest.mark.parametrize("route", ROUTES, ids=_name)
def test_a_row_is_complete(route: Route) -> None:
    assert re.fullmatch(r"(/[\w.-]+|/\{\*?\w+\})+", route.path)
    assert set(route.parameters) <= PARAMETERS.keys()
    assert route.summary
    assert not (route.body is not None and route.raw)
    assert not (route.body is not None and route.method == "GET")


def test_exactly_the_known_paths_are_public() -> None:
    assert {route.path for route in ROUTES if not route.guarded} == PUBLIC


def test_what_is_ours_is_marked_and_stands_apart() -> None:
    ours = {route.path for route in ROUTES if route.extension}
    assert {path for path in ours if path.startswith(ADMIN)} == {
        f"{ADMIN}/contexts/{{context}}/sync", f"{ADMIN}/contexts/{{context}}/client-keys",
    }  # fmt: skip
    assert all(route.extension for route in ROUTES if route.path.startswith(OWN))
    assert all(socket.extension == socket.path.startswith(OWN) for socket in SOCKETS)


def test_inspection_needs_the_strongest_permission() -> None:
    assert {route.permission for route in ROUTES if route.path.startswith(OWN)} == {"admin"}


def test_modules_follow_the_paths() -> None:
    assert {route.module for route in ROUTES if route.path.startswith("/sse")} == {Module.SSE}
    assert {route.module for route in ROUTES if route.path.startswith((ADMIN, OWN))} == {Module.ADMIN}


# -- the document


def test_every_route_is_in_the_document() -> None:
    found = {(path, method) for path, item in DOCUMENT["paths"].items() for method in item}
    assert found == {(route.path.replace("{*", "{"), route.method.lower()) for route in ROUTES}


def test_the_document_is_json_and_its_references_lead_somewhere() -> None:
    text = json.dumps(DOCUMENT)
    schemas = DOCUMENT["components"]["schemas"]
    wanted = set(re.findall(r'"#/components/schemas/([^"]+)"', text))
    assert wanted <= schemas.keys()


def test_operations_have_names_of_their_own() -> None:
    names = [operation["operationId"] for item in DOCUMENT["paths"].values() for operation in item.values()]
    assert len(set(names)) == len(names)


def _operations() -> list[tuple[str, dict[str, Any]]]:
    return [(f"{m} {path}", operation) for path, item in DOCUMENT["paths"].items() for m, operation in item.items()]


@pytest.mark.parametrize(("name", "operation"), _operations(), ids=[name for name, _ in _operations()])
def test_parameters_of_the_path_are_described(name: str, operation: dict[str, Any]) -> None:
    described = {parameter["name"] for parameter in operation["parameters"] if parameter["in"] == "path"}
    assert described == set(re.findall(r"\{(\w+)\}", name))


def test_limits_of_bodies_are_in_the_document() -> None:
    created = DOCUMENT["components"]["schemas"]["CreateContext"]["properties"]
    assert created["protocol"] == {"type": "string", "maxLength": 64, "minLength": 1}
    assert created["initializationParams"]["maxItems"] == 1_048_576


def test_a_type_without_schema_is_found_out() -> None:
    assert _hook(ContextId)["type"] == "string"
    with pytest.raises(TypeError, match="Decimal"):
        _hook(Decimal)


# -- errors


def _errors(kind: type[CalimeroError] = CalimeroError) -> list[type[CalimeroError]]:
    return [kind, *(found for child in kind.__subclasses__() for found in _errors(child))]


def test_every_error_has_a_meaning() -> None:
    for kind in _errors():
        error = ExecutionError(b"") if kind is ExecutionError else kind.__new__(kind)
        assert 400 <= meaning_of(error).status <= 504


def test_the_nearest_row_counts() -> None:
    assert meaning_of(BadRequest("x")).status == 400
    kinds = [row.error for row in TABLE]
    for place, kind in enumerate(kinds):
        assert not any(issubclass(kind, earlier) for earlier in kinds[:place]), f"{kind.__name__} is never reached"
