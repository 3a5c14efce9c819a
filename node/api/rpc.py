"""JSON-RPC: the envelope, the one method ``execute``, and its answers.

core 0.10.0: crates/server/src/jsonrpc.rs. Every outcome of a call is HTTP 200; only an envelope that cannot be used is
refused at HTTP level.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from node.api.errors import BadRequest, meaning_of
from node.api.models import MAX_METHOD, MAX_SUBSTITUTES, check_depth
from node.errors import (
    AliasResolutionFailed,
    ApplicationNotInstalled,
    CalimeroError,
    FunctionCallError,
    InvalidId,
    Unauthorized,
)
from node.primitives import ContextId, PublicKey

VERSION: Final = "2.0"
_TARGET: Final = "Failed to deserialize the JSON body into the target type"


class Unusable(CalimeroError):
    """The envelope itself cannot be used. ``status`` is the HTTP status of the refusal."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Envelope:
    """A well-formed envelope; ``params`` are still unread."""

    id: str | int | None
    method: object
    params: object


@dataclass(frozen=True, slots=True)
class ExecuteCall:
    """The parameters of ``execute``; ``args`` are compact JSON bytes."""

    context_id: ContextId
    method: str
    args: bytes
    executor: PublicKey
    substitute: list[str]


def read_envelope(raw: bytes) -> Envelope:
    """Raises :class:`Unusable`."""
    try:
        check_depth(raw)
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, BadRequest) as error:
        raise Unusable(f"Failed to parse the request body as JSON: {error}", 400) from error
    return envelope_of(found)


def envelope_of(found: object) -> Envelope:
    """Raises :class:`Unusable` unless the value is a request object."""
    if not isinstance(found, dict):
        kind = "sequence" if isinstance(found, list) else type(found).__name__
        raise Unusable(f"{_TARGET}: invalid type: {kind}, expected struct Request", 422)
    for name in ("jsonrpc", "id", "method"):
        if name not in found:
            raise Unusable(f"{_TARGET}: missing field `{name}`", 422)
    if found["jsonrpc"] != VERSION:
        raise Unusable(f"{_TARGET}: jsonrpc: expected version `2.0`", 422)
    identity = found["id"]
    if isinstance(identity, bool) or not (identity is None or isinstance(identity, str | int)):
        raise Unusable(f"{_TARGET}: id: expected a string, an unsigned integer or null", 422)
    if isinstance(identity, int) and not 0 <= identity < 1 << 64:
        raise Unusable(f"{_TARGET}: id: {identity} is no unsigned 64-bit integer", 422)
    return Envelope(identity, found["method"], found.get("params"))


def read_execute(envelope: Envelope) -> ExecuteCall:
    """Raises :class:`BadRequest` or :class:`InvalidId` (both ``ParseError`` to the client)."""
    if envelope.method != "execute":
        raise BadRequest(f"unknown variant `{envelope.method}`, expected `execute`")
    params = envelope.params
    if not isinstance(params, dict):
        raise BadRequest(
            "missing field `params`" if params is None else "invalid type: expected struct ExecutionRequest"
        )
    for name in ("contextId", "method", "argsJson", "executorPublicKey"):
        if name not in params:
            raise BadRequest(f"missing field `{name}`")
    method = _method(params["method"])
    args = json.dumps(params["argsJson"], separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")
    return ExecuteCall(
        ContextId.parse(_text(params, "contextId")),
        method,
        args,
        PublicKey.parse(_text(params, "executorPublicKey")),
        _substitute(params.get("substitute") or []),
    )


def _text(params: dict[str, Any], name: str) -> str:
    value = params[name]
    if not isinstance(value, str):
        raise BadRequest(f"{name}: invalid type: expected a base58 string")
    return value


def _method(value: object) -> str:
    if not isinstance(value, str):
        raise BadRequest("method: invalid type: expected a string")
    if not value:
        raise BadRequest("Field 'method' is required but was empty")
    if len(value.encode(errors="surrogatepass")) > MAX_METHOD:
        raise BadRequest(f"Field 'method' exceeds maximum length of {MAX_METHOD} characters (got {len(value)})")
    control = next((character for character in value if ord(character) < 32 or ord(character) == 127), None)
    if control is not None:
        raise BadRequest(
            f"Field 'method' has invalid format: contains control character '{ascii(control)[1:-1]}' "
            "which is not allowed"
        )
    return value


def _substitute(value: object) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BadRequest("substitute: invalid type: expected a sequence of aliases")
    if len(value) > MAX_SUBSTITUTES:
        raise BadRequest(f"Field 'substitute' contains too many items: {len(value)} (max {MAX_SUBSTITUTES})")
    return value


def result(identity: str | int | None, returns: bytes | None) -> bytes:
    """The answer of a call; the method's bytes go in as they are, once they are known to be JSON."""
    head = json.dumps(identity, separators=(",", ":")).encode()
    if returns:
        try:
            msgspec.json.decode(returns)
        except (msgspec.DecodeError, UnicodeDecodeError) as problem:
            return error_object(identity, {"type": "SerdeError", "data": {"message": str(problem)}})
    return b'{"jsonrpc":"2.0","id":' + head + b',"result":{"output":' + (returns or b"null") + b"}}"


def failure(identity: str | int | None, error: CalimeroError, call: ExecuteCall | None) -> bytes:
    """The answer of a call that failed: type and data of the error table."""
    kind = meaning_of(error).rpc
    found: dict[str, object] = {"type": kind}
    if isinstance(error, BadRequest | InvalidId | FunctionCallError):
        found["data"] = str(error)
    elif isinstance(error, Unauthorized) and call is not None:
        found["data"] = {"context_id": str(call.context_id), "public_key": str(call.executor)}
    elif isinstance(error, ApplicationNotInstalled):
        found["data"] = {"application_id": _last_word(error)}
    elif isinstance(error, AliasResolutionFailed):
        found["data"] = {"alias": _last_word(error)}
    return error_object(identity, found)


def _last_word(error: CalimeroError) -> str:
    """The id or alias that an error's text names in quotes or as its last word."""
    text = str(error)
    quoted = text.split("'")
    return quoted[1] if len(quoted) > 2 else text.rsplit(" ", 1)[-1]


def error_object(identity: str | int | None, error: dict[str, object]) -> bytes:
    return json.dumps({"jsonrpc": VERSION, "id": identity, "error": error}, separators=(",", ":")).encode()
