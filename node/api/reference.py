"""The reference page of the API, made from the tables of routes, models and errors. It says nothing of its own about a
route.
"""

from __future__ import annotations

import types
from collections.abc import Iterable, Iterator
from enum import StrEnum
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import msgspec

from node.api import models, rpc, sse, subscriptions
from node.api.bodies import PLAIN
from node.api.errors import TABLE, Family
from node.api.route import PARAMETERS, Content, Route
from node.api.routes import ROUTES, SOCKETS
from node.primitives import Id32

__all__ = ["reference_page", "shape"]

_HEAD: Final = """\
# HTTP API

<!-- Made from node/api by `python -m tests.write_api_reference`: change the tables instead. -->

The node speaks the API of core 0.10.0; what is marked **ours** is an addition. `GET /api-docs` serves the same
tables as OpenAPI 3.1.

## Conventions

- Ids, hashes and keys are base58 texts of 32 bytes. Byte vectors are arrays of numbers from 0 to 255, never base64.
- A JSON answer is wrapped in `{"data": …}` unless the table says *bare*. Success without a value is `{"data":
  null}`.
- Optional members may be absent or `null`. Unknown members are ignored, except inside a proposal.
- A JSON body has at most %(body)s bytes and %(depth)s levels; it must arrive within 30 s.
- Failures are `{"error": "<text>"}`, or plain text where the table says *text*. An id in a path that cannot be read
  is always plain text: `Invalid URL: <why>`. The header `x-calimero-error` names the error (ours).
- An unknown path is an empty 404, a wrong method an empty 405 with `Allow`. HEAD is answered wherever GET is. A
  slash at the end never matches. Every OPTIONS is answered 200 with CORS headers that allow every origin.
- *public* routes pass no guard. `permission` is what a token will have to allow; "any" is any valid token.
"""

_CALLS: Final = """\
### Calls

`{"jsonrpc": "2.0", "id": <text, number or null>, "method": "execute", "params": {…}}` with the params

| member | meaning |
| --- | --- |
| `contextId` | the context |
| `method` | name of the method, 1 to %(method)s bytes |
| `argsJson` | any JSON; handed to the method compactly, in the order of its keys |
| `executorPublicKey` | an identity of this node in the context |
| `substitute` | optional, at most %(aliases)s names: `{name}` in the arguments becomes the key of that alias |

Every outcome of a call is HTTP 200: `{"jsonrpc", "id", "result": {"output": …}}` or `{"jsonrpc", "id", "error":
{"type", "data"}}`. An envelope that cannot be used is 400, 413, 415 or 422 with plain text.

Ours: an array of at most %(batch)s calls is answered by an array in the same order. The header `Idempotency-Key`
makes a call run once: a repetition within ten minutes gets the first answer, another body with the same key is 422.
`server-timing` tells the milliseconds in the method, `x-calimero-fuel` its fuel where that is metered.
"""

_EVENTS: Final = """\
### Event streams

`/ws` takes `{"id": <number or null>, "method": "subscribe" | "unsubscribe", "params": {"contextIds": […]}}` and
answers `{"id", "result": {"contextIds": […]}}`. Events are `{"id": null, "result": {"contextId", "type":
"StateMutation", "data": {"newRoot", "events": [{"kind", "data": [bytes], "handler"}]}}}`. What is no request is
dropped without an answer. A client may follow %(contexts)s contexts.

`/sse` opens a session whose id is in its first frame; `POST /sse/subscription` with that id chooses contexts. A
session is taken up again with `Last-Event-ID` within %(life)s hours; a comment is sent after %(alive)s s of
silence. Each event goes once, to the newest stream of its session.

`/calimero/v1/events` (ours) sends everything: state mutations of all contexts as above, without the envelope, and
notices `{"contextId", "type": "Notice", "data": {"kind", "name", "at", "fields"}}`. `GET /calimero/v1/history` has
the latest ones.

A client that does not keep up is closed (WebSocket code 1013); nothing is buffered without end.
"""

_GROUPS: Final[tuple[tuple[str, str], ...]] = (
    ("Calls", "/jsonrpc"), ("Event streams", "/sse"), ("Event streams", "/ws"), ("Node", "/metrics"),
    ("Applications", "/admin-api/install"), ("Applications", "/admin-api/applications"),
    ("Applications", "/admin-api/packages"), ("Governance", "/admin-api/contexts/{context}/pro"),
    ("Contexts", "/admin-api/contexts"), ("Contexts", "/admin-api/identity"), ("Blobs", "/admin-api/blobs"),
    ("Aliases", "/admin-api/alias"), ("Inspection", "/calimero/v1"), ("Node", "/"),
)  # fmt: skip
_ORDER: Final = tuple(dict.fromkeys(group for group, _ in _GROUPS))


def reference_page() -> str:
    """The whole page."""
    figures = {
        "body": models.MAX_JSON_BODY, "depth": 127, "method": models.MAX_METHOD, "aliases": models.MAX_SUBSTITUTES,
        "batch": rpc.MAX_BATCH, "contexts": subscriptions.MAX_CONTEXTS, "life": sse.SESSION_LIFE // 3600,
        "alive": f"{sse.KEEP_ALIVE_SECONDS:g}",
    }  # fmt: skip
    parts = [_HEAD % figures, "## Routes\n"]
    texts = {"Calls": _CALLS % figures, "Event streams": _EVENTS % figures}
    for group in _ORDER:
        parts.append(texts.get(group, f"### {group}\n"))
        parts.append(_table([route for route in ROUTES if _group(route) == group]))
    parts += [_sockets(), _shapes(), _limits(), _parameters(), _errors()]
    return "\n".join(parts)


def _group(route: Route) -> str:
    return next(group for group, prefix in _GROUPS if route.path.startswith(prefix))


def _table(routes: Iterable[Route]) -> str:
    rows = ["| route | what it does | body | answer | else | permission |", "| --- | --- | --- | --- | --- | --- |"]
    return "\n".join([*rows, *map(_row, routes), ""])


def _row(route: Route) -> str:
    cells = [
        f"`{route.method} {route.path}`",
        _summary(route),
        _body(route),
        _answer(route),
        " ".join(map(str, sorted(set(route.statuses)))),
        _permission(route),
    ]
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _summary(route: Route) -> str:
    query = "".join(f"; `?{query.name}`: {query.text}" for query in route.query)
    return f"{'**ours** ' if route.extension else ''}{route.summary}{query}"


def _body(route: Route) -> str:
    if route.raw:
        return "see above" if route.wording is PLAIN else "bytes"
    return "" if route.body is None else f"`{shape(route.body)}`"


def _answer(route: Route) -> str:
    if route.content is not Content.JSON:
        return str(route.content.value)
    notes = [note for note, holds in (("bare", not route.wrapped), ("text", route.family is Family.TEXT)) if holds]
    return f"`{shape(route.answer)}`" + (f" ({', '.join(notes)})" if notes else "")


def _permission(route: Route) -> str:
    if not route.guarded:
        return "public"
    return f"`{route.permission}`" if route.permission else "any"


def _sockets() -> str:
    rows = ["### WebSockets\n", "| path | what it sends |", "| --- | --- |"]
    rows += [f"| `{s.path}` | {'**ours** ' if s.extension else ''}{s.summary} |" for s in SOCKETS]
    return "\n".join([*rows, ""])


# -- shapes


def shape(kind: Any) -> str:
    """A type in the notation of the page: the name of an object, or its parts."""
    if kind is None or kind is type(None):
        return "null"
    origin = get_origin(kind)
    if origin is Annotated:
        return shape(get_args(kind)[0])
    if origin in (Union, types.UnionType):
        return " | ".join(shape(part) for part in get_args(kind) if part is not msgspec.UnsetType)
    if origin is Literal:
        return _choice(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _choice(member.value for member in kind)
    if kind == models.ByteList:
        return "bytes"
    return _composite(kind, origin)


def _choice(values: Iterable[str]) -> str:
    return " | ".join(f'"{value}"' for value in values)


def _composite(kind: Any, origin: Any) -> str:
    parts = [shape(part) for part in get_args(kind)]
    if origin is list:
        return f"[{parts[0]}]"
    if origin is tuple:
        return f"[{', '.join(parts)}]"
    if origin is dict:
        return f"{{name: {parts[1]}}}"
    return str(_NAMES.get(kind, kind.__name__ if isinstance(kind, type) else kind))


_NAMES: Final[dict[Any, str]] = {
    str: "text",
    models.AbsoluteUrl: "text",
    int: "number",
    float: "number",
    bool: "bool",
    Any: "any",
}


def _structs(kind: Any) -> Iterator[type[msgspec.Struct]]:
    """The objects that a type is made of, the outer one first."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        yield kind
        for field in msgspec.structs.fields(kind):
            yield from _structs(field.type)
    for part in get_args(kind):
        yield from _structs(part)


def _shapes() -> str:
    kinds = [*(found for route in ROUTES for part in (route.body, route.answer) for found in _structs(part))]
    rows = ["## Objects\n", "A member with `?` may be absent or null.\n", "| name | members |", "| --- | --- |"]
    shown = sorted({*kinds, *models.ACTIONS.values()}, key=lambda found: (found.__name__, found.__module__))
    rows += [f"| {_label(kind)} | {_members(kind)} |" for kind in shown]
    ids = ", ".join(f"`{name}`" for name in sorted(kind.__name__ for kind in Id32.__subclasses__()))
    return "\n".join([*rows, "", f"Ids: {ids}.\n"])


def _label(kind: type[msgspec.Struct]) -> str:
    place = "body" if kind.__module__ == models.__name__ else "answer"
    return f"`{kind.__name__}` ({place})"


def _members(kind: type[msgspec.Struct]) -> str:
    found = []
    for field in msgspec.structs.fields(kind):
        text = shape(field.type)
        if not field.required:
            text = text.removesuffix(" | null")
        found.append(f"`{field.encode_name}{'' if field.required else '?'}`: {text.replace('|', chr(92) + '|')}")
    return ", ".join(found)


def _limits() -> str:
    rows = ["## Limits of members\n", "| member | limit |", "| --- | --- |"]
    rows += [f"| `{name}` | {most} bytes |" for name, most in models.TEXTS.items()]
    rows += [f"| `{name}` | {models.HEX_LENGTH} hexadecimal digits |" for name in sorted(models.HEX)]
    rows += [f"| `{name}` | {most} items |" for name, most in models.LISTS.items()]
    rows += [f"| `{name}` | {low} to {high} |" for name, (low, high) in models.NUMBERS.items()]
    rows += [f"| `capabilities` | {models.MAX_CAPABILITIES} items |", f"| alias | {models.MAX_ALIAS} bytes |"]
    return "\n".join([*rows, ""])


def _parameters() -> str:
    rows = ["## Parts of paths\n", "| name | meaning |", "| --- | --- |"]
    return "\n".join([*rows, *(f"| `{name}` | {text} |" for name, text in PARAMETERS.items()), ""])


def _errors() -> str:
    rows = [
        "## Errors\n",
        "The first row that fits counts. A call has HTTP 200 and the type.\n",
        "| error | status | type of a call's error | meaning |",
        "| --- | --- | --- | --- |",
    ]
    for row in TABLE:
        meaning = (row.error.__doc__ or "").split("\n")[0]
        rows.append(f"| `{row.error.__name__}` | {row.status} | `{row.rpc}` | {meaning} |")
    return "\n".join([*rows, ""])
