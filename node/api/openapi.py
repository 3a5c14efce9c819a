"""The route table as an OpenAPI 3.1 document. What the reference does not have is marked ``x-extension``."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from node.api import models
from node.api.bodies import PLAIN
from node.api.errors import Family
from node.api.route import PARAMETERS, Content, Query, Route, SocketRoute
from node.api.routes import ROUTES, SOCKETS
from node.primitives import Id32

__all__ = ["openapi"]

_REF: Final = "#/components/schemas/{name}"
_ID_SCHEMA: Final = {
    "type": "string", "description": "base58 of 32 bytes", "pattern": "^[1-9A-HJ-NP-Za-km-z]{32,44}$",
}  # fmt: skip
_JSON: Final = Content.JSON.value
_TEXTS: Final = {
    400: "The request cannot be used; the text says why",
    403: "The node, or the token, may not do that",
    404: "There is nothing of that name here",
    405: "The path has no such method",
    408: "The body did not arrive in time",
    409: "The name is taken",
    410: "The session expired",
    413: "The body is too large",
    415: "The body is not JSON",
    422: "The body is JSON of another shape",
    500: "The operation failed; the text says why",
    501: "The node cannot do that",
    503: "Not now: a worker is busy, starting, or has no state yet; a peer is away; too many connections",
    504: "No answer in time",
}


def openapi(version: str) -> dict[str, Any]:
    """The whole document."""
    paths: dict[str, dict[str, Any]] = {}
    schemas = _Schemas()
    for route in ROUTES:
        paths.setdefault(route.path.replace("{*", "{"), {})[route.method.lower()] = _operation(route, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Calimero node",
            "version": version,
            "description": "The API of core 0.10.0; operations and WebSockets with `x-extension` are additions.",
        },
        "paths": paths,
        "components": {"schemas": schemas.components},
        "x-websockets": [_socket(socket) for socket in SOCKETS],
    }


class _Schemas:
    """Schemas of models, and the components that they refer to."""

    def __init__(self) -> None:
        self._types = list({id(kind): kind for kind in _types()}.values())
        found, components = msgspec.json.schema_components(self._types, schema_hook=_hook, ref_template=_REF)
        self._known = {id(kind): schema for kind, schema in zip(self._types, found, strict=True)}
        self.components = {**components, "Refused": _REFUSED}
        for schema in self.components.values():
            _add_limits(schema)

    def of(self, kind: Any) -> dict[str, Any]:
        return {"type": "null"} if kind is None else self._known[id(kind)]


_REFUSED: Final[dict[str, Any]] = {
    "title": "Refused",
    "type": "object",
    "properties": {"error": {}},
    "required": ["error"],
}


def _types() -> list[Any]:
    return [kind for route in ROUTES for kind in (route.body, route.answer) if kind is not None]


def _hook(kind: type[Any]) -> dict[str, Any]:
    """Ids and absolute URLs are the only types of models that msgspec does not know."""
    if issubclass(kind, models.AbsoluteUrl):
        return {"type": "string"}
    if not issubclass(kind, Id32):
        raise TypeError(f"{kind.__name__} has no JSON schema; give it one here")
    return dict(_ID_SCHEMA)


def _add_limits(schema: dict[str, Any]) -> None:
    """Put the limits of request fields beside their types."""
    for name, part in schema.get("properties", {}).items():
        field = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
        if schema.get("title") in _BODIES:
            part.update(_limits(field))


_BODIES: Final = {name for name, kind in vars(models).items() if isinstance(kind, type) and kind is not models.Body}


def _limits(field: str) -> dict[str, Any]:
    if field in models.TEXTS:
        return {"maxLength": models.TEXTS[field], **({"minLength": 1} if field in models.NEEDED else {})}
    if field in models.LISTS:
        return {"maxItems": models.LISTS[field]}
    if field in models.HEX:
        return {"pattern": "^[0-9a-fA-F]{64}$"}
    if field in models.NUMBERS:
        low, high = models.NUMBERS[field]
        return {"minimum": low, "maximum": high}
    return {}


def _operation(route: Route, schemas: _Schemas) -> dict[str, Any]:
    found: dict[str, Any] = {
        "operationId": f"{route.method.lower()}_{route.path.strip('/').translate(_PLAIN_NAME)}",
        "summary": route.summary,
        "tags": [route.module.value],
        "parameters": [_parameter(name) for name in route.parameters] + [_query(query) for query in route.query],
        "responses": {"200": _good(route, schemas), **{str(s): _bad(route, s) for s in route.every_status if s != 200}},
        "x-extension": route.extension,
        "x-guarded": route.guarded,
        "x-permission": route.permission,
    }
    if route.body is not None:
        found["requestBody"] = {"required": True, "content": {_JSON: {"schema": schemas.of(route.body)}}}
    elif route.raw:
        found["requestBody"] = {"required": True, "content": _raw_body(route)}
    return found


_PLAIN_NAME: Final = str.maketrans({"/": "_", "{": "", "}": "", "*": "", "-": "_"})


def _raw_body(route: Route) -> dict[str, Any]:
    if route.wording is PLAIN:
        return {_JSON: {"schema": {}}}
    return {Content.BYTES.value: {"schema": {"type": "string", "format": "binary"}}}


def _parameter(name: str) -> dict[str, Any]:
    text = PARAMETERS[name]
    return {"name": name, "in": "path", "required": True, "description": text, "schema": {"type": "string"}}


def _query(query: Query) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": query.kind}
    if query.default is not None:
        schema["default"] = query.default
    return {"name": query.name, "in": "query", "required": False, "description": query.text, "schema": schema}


def _good(route: Route, schemas: _Schemas) -> dict[str, Any]:
    if route.content is not Content.JSON:
        return {"description": "Done", "content": {route.content.value: {"schema": {"type": "string"}}}}
    schema = schemas.of(route.answer)
    if route.wrapped:
        schema = {"type": "object", "properties": {"data": schema}, "required": ["data"]}
    return {"description": "Done", "content": {_JSON: {"schema": schema}}}


def _bad(route: Route, status: int) -> dict[str, Any]:
    """Also a route with JSON errors refuses a path with plain text."""
    text = {Content.TEXT.value: {"schema": {"type": "string"}}}
    json = {_JSON: {"schema": {"$ref": _REF.format(name="Refused")}}}
    content = {**json, **text} if route.family is Family.JSON or status == 400 else {**text}
    return {"description": _TEXTS[status], "content": content}


def _socket(socket: SocketRoute) -> dict[str, Any]:
    return {"path": socket.path, "summary": socket.summary, "x-extension": socket.extension}
