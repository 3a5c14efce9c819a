"""JSON-RPC: the envelope, the one method ``execute``, and its answers.

Every outcome of a call is HTTP 200; only an envelope that cannot be used is refused at HTTP level. A well-formed call
is read in one step; anything else takes the slow way, which finds out what is wrong.
core 0.10.0: crates/server/src/jsonrpc.rs, crates/server/primitives/src/jsonrpc.rs.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import msgspec

from node.api import bodies, serde
from node.api.errors import BadRequest, meaning_of
from node.api.models import MAX_METHOD, MAX_SUBSTITUTES
from node.errors import (
    AliasResolutionFailed,
    ApplicationNotInstalled,
    CalimeroError,
    FunctionCallError,
    InvalidId,
    Unauthorized,
)
from node.primitives import ContextId, PublicKey

__all__ = ["MAX_BATCH", "Call", "Id", "Refused", "error_object", "failure", "read", "read_batch", "result"]

VERSION: Final = "2.0"
MAX_BATCH: Final = 100
"""Calls in one array; arrays are an extension of ours."""

Id = str | int | None
_MAX_U64: Final = (1 << 64) - 1
_KNOWN_IDS: Final = 4096
"""Ids whose bytes are remembered by text: clients name the same few contexts and identities in every call."""

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_ID_TEXT: Final = re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{32,44}\b")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that can be run. ``args`` are compact JSON bytes."""

    id: Id
    context_id: ContextId
    method: str
    args: bytes
    executor: PublicKey
    substitute: list[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A well-formed envelope whose call cannot be run; ``error`` is told in the answer."""

    id: Id
    error: CalimeroError


class _Params(msgspec.Struct):
    contextId: str  # noqa: N815 - names on the wire
    method: str
    argsJson: msgspec.Raw  # noqa: N815
    executorPublicKey: str  # noqa: N815
    substitute: list[str] = []


class _Request(msgspec.Struct):
    jsonrpc: Literal["2.0"]
    id: str | int | None
    method: Literal["execute"]
    params: _Params


_fast: Final = msgspec.json.Decoder(_Request)


def read(content_type: str, raw: bytes) -> Call | Refused:
    """One request. Raises :class:`Refusal` when the envelope cannot be used."""
    if not bodies.is_json(content_type):
        bodies.read_value(bodies.PLAIN, content_type, raw)
    try:
        serde.check_depth(raw)
        found = _fast.decode(raw)
        if type(found.id) is not int or 0 <= found.id <= _MAX_U64:
            return _call(found.id, found.params, serde.canonical(bytes(found.params.argsJson)))
    except (msgspec.MsgspecError, UnicodeDecodeError, BadRequest):
        pass
    return _request(bodies.read_value(bodies.PLAIN, content_type, raw))


def read_batch(raw: bytes) -> list[Call | Refused]:
    """The requests of an array. Raises :class:`Refusal` when one of the envelopes cannot be used."""
    items = bodies.read_value(bodies.PLAIN, "application/json", raw)
    if not isinstance(items, list) or not 0 < len(items) <= MAX_BATCH:
        size = len(items) if isinstance(items, list) else 0
        raise bodies.misshapen(bodies.PLAIN, f"a batch holds 1 to {MAX_BATCH} requests, not {size}")
    return [_request(item) for item in items]


def _call(identity: Id, params: _Params, args: bytes) -> Call | Refused:
    try:
        return Call(
            identity,
            _context_of(params.contextId),
            _method(params.method),
            args,
            _member_of(params.executorPublicKey),
            _aliases(params.substitute),
        )
    except BadRequest as error:
        return Refused(identity, error)


@lru_cache(_KNOWN_IDS)
def _context_of(text: str) -> ContextId:
    return serde.parse_id(ContextId, text)


@lru_cache(_KNOWN_IDS)
def _member_of(text: str) -> PublicKey:
    return serde.parse_id(PublicKey, text)


def _method(name: str) -> str:
    if not name:
        raise BadRequest("Field 'method' is required but was empty")
    if len(name.encode()) > MAX_METHOD:
        raise BadRequest(f"Field 'method' exceeds maximum length of {MAX_METHOD} characters (got {len(name.encode())})")
    if (control := _CONTROL.search(name)) is not None:
        raise BadRequest(
            f"Field 'method' has invalid format: contains control character '{_escaped(control[0])}' "
            "which is not allowed"
        )
    return name


def _escaped(character: str) -> str:
    """A control character as Rust prints it."""
    known = {"\n": r"\n", "\r": r"\r", "\t": r"\t", "\0": r"\0"}
    return known.get(character, f"\\u{{{ord(character):x}}}")


def _aliases(names: list[str]) -> list[str]:
    if len(names) > MAX_SUBSTITUTES:
        raise BadRequest(f"Field 'substitute' contains too many items: {len(names)} (max {MAX_SUBSTITUTES})")
    return names


# -- the slow way


def _request(found: object) -> Call | Refused:
    if not isinstance(found, dict):
        kind = "sequence" if isinstance(found, list) else _kind(found)
        raise bodies.misshapen(bodies.PLAIN, f"invalid type: {kind}, expected struct Request")
    identity = _identity(found)
    try:
        params = _params(found)
        return _call(identity, params, bytes(params.argsJson))
    except BadRequest as error:
        return Refused(identity, error)


def _identity(found: dict[str, Any]) -> Id:
    """Checks version and id; raises :class:`Refusal`."""
    for name in ("jsonrpc", "id"):
        if name not in found:
            raise bodies.misshapen(bodies.PLAIN, f"missing field `{name}`")
    if found["jsonrpc"] != VERSION:
        raise bodies.misshapen(bodies.PLAIN, "jsonrpc: Invalid JSON-RPC version")
    identity = found["id"]
    if identity is None or isinstance(identity, str):
        return identity
    if isinstance(identity, int) and not isinstance(identity, bool) and 0 <= identity <= _MAX_U64:
        return identity
    raise bodies.misshapen(bodies.PLAIN, "id: data did not match any variant of untagged enum RequestId")


def _params(found: dict[str, Any]) -> _Params:
    if "method" not in found:
        raise BadRequest("missing field `method`")
    if found["method"] != "execute":
        raise BadRequest(f"unknown variant `{found['method']}`, expected `execute`")
    params = found.get("params")
    if not isinstance(params, dict):
        raise BadRequest("missing field `params`" if "params" not in found else _unlike(params, "a map"))
    for name in ("contextId", "method", "argsJson", "executorPublicKey"):
        if name not in params:
            raise BadRequest(f"missing field `{name}`")
    texts = [_text(params[name]) for name in ("contextId", "method", "executorPublicKey")]
    aliases = params.get("substitute", [])
    if not isinstance(aliases, list):
        raise BadRequest(_unlike(aliases, "a sequence"))
    args = msgspec.Raw(msgspec.json.encode(params["argsJson"]))
    return _Params(texts[0], texts[1], args, texts[2], [_text(alias) for alias in aliases])


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest(_unlike(value, "a string"))
    return value


def _unlike(value: object, wanted: str) -> str:
    return f"invalid type: {_kind(value)}, expected {wanted}"


def _kind(value: object) -> str:
    """A value as serde names what it did not expect."""
    if isinstance(value, bool):
        return f"boolean `{json.dumps(value)}`"
    if isinstance(value, int):
        return f"integer `{value}`"
    if isinstance(value, float):
        return f"floating point `{msgspec.json.encode(value).decode()}`"
    if isinstance(value, str):
        return f"string {json.dumps(value, ensure_ascii=False)}"
    return {type(None): "null", list: "sequence", dict: "map"}[type(value)]


# -- answers


def result(identity: Id, returns: bytes | None) -> bytes:
    """The answer of a call that returned; what is no JSON is told as such, although the call stands."""
    try:
        output = b"null" if not returns else serde.canonical(returns)
    except BadRequest as error:
        return error_object(identity, {"type": "SerdeError", "data": {"message": str(error)}})
    return b'{"jsonrpc":"2.0","id":' + msgspec.json.encode(identity) + b',"result":{"output":' + output + b"}}"


def failure(identity: Id, error: CalimeroError, call: Call | None = None) -> bytes:
    """The answer of a call that failed: type and data of the error table."""
    found: dict[str, object] = {"type": meaning_of(error).rpc}
    if isinstance(error, BadRequest | InvalidId | FunctionCallError):
        found["data"] = str(error)
    elif isinstance(error, Unauthorized) and call is not None:
        found["data"] = {"context_id": str(call.context_id), "public_key": str(call.executor)}
    elif isinstance(error, ApplicationNotInstalled):
        found["data"] = {"application_id": _named(error)}
    elif isinstance(error, AliasResolutionFailed):
        found["data"] = {"alias": str(error)}
    return error_object(identity, found)


def _named(error: CalimeroError) -> str:
    """The id that an error's text names."""
    found = _ID_TEXT.search(str(error))
    return found[0] if found is not None else ""


def error_object(identity: Id, error: dict[str, object]) -> bytes:
    """An answer with an ``error`` member."""
    return msgspec.json.encode({"jsonrpc": VERSION, "id": identity, "error": error})
