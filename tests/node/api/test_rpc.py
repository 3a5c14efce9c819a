from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api import rpc
from node.api.errors import Refusal
from node.errors import (
    AliasResolutionFailed,
    ApplicationNotInstalled,
    CalimeroError,
    ExecutionError,
    MethodResolutionError,
    StateInconsistency,
    Unauthorized,
    Uninitialized,
    UnknownContext,
    WorkerLost,
)
from tests.node.api.ids import APP, CTX, PK

JSON = "application/json"
PARAMS = {"contextId": str(CTX), "method": "get", "argsJson": {"key": "a"}, "executorPublicKey": str(PK)}


def request(**changes: Any) -> bytes:
    whole = {"jsonrpc": "2.0", "id": "1", "method": "execute", "params": PARAMS, **changes}
    return json.dumps({name: value for name, value in whole.items() if value is not ...}).encode()


def with_params(**changes: Any) -> bytes:
    params = {name: value for name, value in {**PARAMS, **changes}.items() if value is not ...}
    return request(params=params)


def read(raw: bytes, content_type: str = JSON) -> rpc.Call | rpc.Refused:
    return rpc.read(content_type, raw)


def complaint(raw: bytes) -> str:
    found = read(raw)
    assert isinstance(found, rpc.Refused), found
    return str(found.error)


def test_a_call_is_read() -> None:
    assert read(request()) == rpc.Call("1", CTX, "get", b'{"key":"a"}', PK, [])


def test_aliases_are_read() -> None:
    found = read(with_params(substitute=["a", "b"]))
    assert isinstance(found, rpc.Call)
    assert found.substitute == ["a", "b"]


@pytest.mark.parametrize("identity", [None, 0, 7, (1 << 64) - 1, "", "1", "é"])
def test_ids_come_back_unchanged(identity: Any) -> None:
    found = read(request(id=identity))
    assert found.id == identity
    assert json.loads(rpc.result(found.id, b"1"))["id"] == identity


@pytest.mark.parametrize(
    ("args", "sent"),
    [
        (b'{"b":1,"a":[1, 2.50 ]}', b'{"b":1,"a":[1,2.5]}'),
        (b'"\\u00e9"', '"é"'.encode()),
        (b"-0", b"-0.0"),
        (b"18446744073709551616", b"1.8446744073709552e19"),
        (b"1e16", b"1e16"),
        (b"null", b"null"),
    ],
)
def test_arguments_reach_the_guest_as_serde_writes_them(args: bytes, sent: bytes) -> None:
    found = read(request().replace(b'{"key": "a"}', args))
    assert isinstance(found, rpc.Call)
    assert found.args == sent


@pytest.mark.parametrize("args", [b"NaN", b"1e400", b'"\\ud800"'])
def test_arguments_that_are_no_json_make_the_envelope_unusable(args: bytes) -> None:
    with pytest.raises(Refusal, match="Failed to parse the request body as JSON") as refused:
        read(request().replace(b'{"key": "a"}', args))
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("raw", "status", "text"),
    [
        (b"", 400, "Failed to parse the request body as JSON"),
        (b"{", 400, "Failed to parse the request body as JSON"),
        (b"[" * 128 + b"]" * 128, 400, "recursion limit exceeded"),
        (b"[]", 422, "invalid type: sequence, expected struct Request"),
        (b"null", 422, "invalid type: null, expected struct Request"),
        (request(jsonrpc=...), 422, "missing field `jsonrpc`"),
        (request(jsonrpc="1.0"), 422, "jsonrpc"),
        (request(id=...), 422, "missing field `id`"),
        (request(id=-1), 422, "id"),
        (request(id=1.5), 422, "id"),
        (request(id=True), 422, "id"),
        (request(id={}), 422, "id"),
        (request(id=1 << 64), 422, "id"),
    ],
)
def test_an_unusable_envelope_is_refused_at_http_level(raw: bytes, status: int, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(raw)
    assert refused.value.status == status
    assert text in str(refused.value)


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/jsonx", "application/xml"])
def test_a_body_of_another_media_type_is_refused(content_type: str) -> None:
    with pytest.raises(Refusal) as refused:
        read(request(), content_type)
    assert refused.value.status == 415
    assert str(refused.value) == "Expected request with `Content-Type: application/json`"


@pytest.mark.parametrize(
    "content_type", [JSON, "application/json; charset=utf-8", "application/vnd.api+json", JSON.upper()]
)
def test_kinds_of_json_are_accepted(content_type: str) -> None:
    assert isinstance(read(request(), content_type), rpc.Call)


CONTROL = "Field 'method' has invalid format: contains control character '{}' which is not allowed"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (request(method="foo"), "unknown variant `foo`, expected `execute`"),
        (request(method=...), "missing field `method`"),
        (request(params=...), "missing field `params`"),
        (request(params=[]), "invalid type: sequence, expected a map"),
        (with_params(contextId=...), "missing field `contextId`"),
        (with_params(argsJson=...), "missing field `argsJson`"),
        (with_params(contextId="abc"), "invalid length 3, expected a base58 encoded hash"),
        (with_params(executorPublicKey="a0"), "provided string contained invalid character '0' at byte 1"),
        (with_params(contextId=True), "invalid type: boolean `true`, expected a string"),
        (with_params(method=""), "Field 'method' is required but was empty"),
        (with_params(method="m" * 257), "Field 'method' exceeds maximum length of 256 characters (got 257)"),
        (with_params(method="a\n"), CONTROL.format(r"\n")),
        (with_params(method="a\x7f"), CONTROL.format(r"\u{7f}")),
        (with_params(substitute=["a"] * 101), "Field 'substitute' contains too many items: 101 (max 100)"),
        (with_params(substitute="a"), 'invalid type: string "a", expected a sequence'),
        (with_params(substitute=None), "invalid type: null, expected a sequence"),
    ],
)  # fmt: skip
def test_a_call_that_cannot_be_run_is_a_parse_error(raw: bytes, text: str) -> None:
    assert complaint(raw) == text
    found = read(raw)
    answer = json.loads(rpc.failure(found.id, found.error))  # type: ignore[union-attr]
    assert answer == {"jsonrpc": "2.0", "id": "1", "error": {"type": "ParseError", "data": text}}


def test_method_and_aliases_at_their_limits_are_accepted() -> None:
    assert isinstance(read(with_params(method="m" * 256, substitute=["a"] * 100)), rpc.Call)


CALL = rpc.Call(1, CTX, "get", b"{}", PK, [])


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UnknownContext("context x is not on this node"), {"type": "ContextNotFound"}),
        (Unauthorized("no"), {"type": "Unauthorized", "data": {"context_id": str(CTX), "public_key": str(PK)}}),
        (Uninitialized("no state"), {"type": "Uninitialized"}),
        (
            ApplicationNotInstalled(f"application {APP} is not installed on this node"),
            {"type": "ApplicationNotInstalled", "data": {"application_id": str(APP)}},
        ),
        (AliasResolutionFailed("bob"), {"type": "AliasResolutionFailed", "data": {"alias": "bob"}}),
        (
            ExecutionError(b'"no"'),
            {"type": "FunctionCallError", "data": "the method call returned an error: [34, 110, 111, 34]"},
        ),
        (
            MethodResolutionError('method "nope" not found'),
            {"type": "FunctionCallError", "data": 'method "nope" not found'},
        ),
        (StateInconsistency("secret detail"), {"type": "InternalError"}),
        (WorkerLost("secret detail"), {"type": "InternalError"}),
    ],
)
def test_errors_have_the_form_of_the_reference(error: CalimeroError, told: dict[str, Any]) -> None:
    assert json.loads(rpc.failure(1, error, CALL)) == {"jsonrpc": "2.0", "id": 1, "error": told}


@pytest.mark.parametrize(
    ("returns", "output"),
    [(None, b"null"), (b"", b"null"), (b'{"b": 1, "a": 2}', b'{"b":1,"a":2}'), (b"1e5", b"100000.0")],
)
def test_what_a_method_returns_is_written_anew(returns: bytes | None, output: bytes) -> None:
    assert rpc.result("1", returns) == b'{"jsonrpc":"2.0","id":"1","result":{"output":' + output + b"}}"


def test_a_method_that_returns_no_json_is_told_so() -> None:
    found = json.loads(rpc.result(1, b"oops"))
    assert found["error"]["type"] == "SerdeError"
    assert "message" in found["error"]["data"]


def test_a_batch_keeps_the_order_and_each_refusal() -> None:
    found = rpc.read_batch(b"[" + request(id=1) + b"," + request(id=2, method="foo") + b"]")
    assert [type(item).__name__ for item in found] == ["Call", "Refused"]
    assert [item.id for item in found] == [1, 2]


def test_a_batch_has_bounds() -> None:
    for raw in (b"[]", b"[" + b",".join([request()] * (rpc.MAX_BATCH + 1)) + b"]"):
        with pytest.raises(Refusal, match="a batch holds 1 to 100 requests"):
            rpc.read_batch(raw)
    assert len(rpc.read_batch(b"[" + b",".join([request()] * rpc.MAX_BATCH) + b"]")) == rpc.MAX_BATCH


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
FIELDS = st.sampled_from(["jsonrpc", "id", "method", "params"])
PARAM_FIELDS = st.sampled_from([*PARAMS, "substitute"])


def status_of(raw: bytes) -> int:
    """200 where there is a JSON-RPC answer."""
    try:
        found = read(raw)
    except Refusal as refusal:
        return refusal.status
    if isinstance(found, rpc.Refused):
        assert json.loads(rpc.failure(found.id, found.error))["error"]["type"] == "ParseError"
    return 200


@given(st.dictionaries(FIELDS, JSON_VALUES, max_size=2), st.dictionaries(PARAM_FIELDS, JSON_VALUES, max_size=2))
def test_any_request_is_read_refused_or_answered(envelope: dict[str, Any], params: dict[str, Any]) -> None:
    assert status_of(request(**{"params": {**PARAMS, **params}, **envelope})) in (200, 400, 422)


@given(st.binary(max_size=100))
def test_any_bytes_are_refused_or_read(raw: bytes) -> None:
    assert status_of(raw) in (200, 400, 422)
