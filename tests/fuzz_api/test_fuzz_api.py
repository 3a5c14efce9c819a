"""The short form of ``python -m tests.fuzz_api``, the same cases each time, and tests of its own rules."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from node.api.routes import ROUTES
from tests.fuzz_api import calls, document, sockets
from tests.fuzz_api.__main__ import furnish, healthy
from tests.fuzz_api.calls import ROUTE, wrong
from tests.fuzz_api.rules import DEMANDED, Verdicts, fault_of, route_of
from tests.fuzz_api.sockets import Frame, answerable
from tests.workers.server.real import node

JSON = "application/json"


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with node(tmp_path_factory.mktemp("node") / "one") as found:
        yield found


def test_made_up_calls_and_messages_find_no_fault(http: httpx.Client) -> None:
    known, _ = furnish(http)
    url, verdicts = str(http.base_url).rstrip("/"), Verdicts()
    calls.fuzz(http, verdicts, known, count=120, number=1)
    sockets.fuzz_messages(url, verdicts, known, count=30, number=1)
    sockets.fuzz_frames(url, verdicts, count=40, number=1)
    healthy(http, verdicts)
    assert verdicts.faults == {}
    assert verdicts.cases.total() > 150


def test_made_up_requests_of_the_document_find_no_fault(http: httpx.Client) -> None:
    _, names = furnish(http)
    verdicts = Verdicts()
    document.fuzz(str(http.base_url).rstrip("/"), verdicts, examples=1, seed=1, known=names, edges=False)
    healthy(http, verdicts)
    assert verdicts.faults == {}
    assert verdicts.cases.total() > 80


# -- the rules


def test_a_server_error_is_a_fault_unless_it_is_demanded() -> None:
    verdicts, route = Verdicts(), route_of("GET", "/admin-api/tee/info")
    verdicts.http("x", route, "GET", 500, JSON, b'{"error":"Failed to get TEE info: none"}', "")
    assert verdicts.faults == {}
    verdicts.http("x", route, "GET", 500, JSON, b'{"error":"internal fault of the server"}', "")
    verdicts.http("x", route, "GET", 503, JSON, b'{"error":"Failed to get TEE info: none"}', "")
    assert verdicts.faults.keys() == {f"GET {route.path}: status 500", f"GET {route.path}: status 503"}
    assert verdicts.cases.total() == 3


@pytest.mark.parametrize(
    ("method", "status", "kind", "body", "fault"),
    [
        ("GET", 200, JSON, b'{"data":{}}', None),
        ("GET", 200, JSON, b'{"data":', "no JSON"),
        ("GET", 200, "text/plain", b"alive", "content type 'text/plain' instead of application/json"),
        ("GET", 418, JSON, b"{}", "status 418 is not documented"),
        ("HEAD", 200, JSON, b"", None),
        ("HEAD", 200, JSON, b"{}", "HEAD is answered with a body"),
        ("POST", 405, "", b"", None),
        ("POST", 200, JSON, b"{}", "POST is answered 200"),
        ("OPTIONS", 200, "", b"", None),
    ],
)
def test_an_answer_is_held_against_the_table(
    method: str, status: int, kind: str, body: bytes, fault: str | None
) -> None:
    assert fault_of(route_of("GET", "/admin-api/health"), method, status, kind, body) == fault


def test_only_existing_handlers_are_excused_and_only_with_statuses_that_they_have() -> None:
    statuses = {route.handler: set(route.every_status) for route in ROUTES}
    assert all({demand.status for demand in demands} <= statuses[name] for name, demands in DEMANDED.items())


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        ('{"jsonrpc":"2.0","id":1,"result":{"output":null}}', None),
        ('{"jsonrpc":"2.0","id":1,"error":{"type":"ContextNotFound"}}', None),
        ('{"jsonrpc":"2.0","id":1,"error":{"type":"InternalError"}}', "error of type InternalError"),
        ('{"jsonrpc":"2.0","id":2,"result":{"output":null}}', "the answer has another id"),
        ('{"jsonrpc":"2.0","id":1}', "not exactly one of result and error"),
        (
            '[{"jsonrpc":"2.0","id":1,"result":{"output":null}}]',
            "a batch is answered as no batch, or the other way round",
        ),
    ],
)
def test_an_answer_of_a_call_is_held_against_its_request(answer: str, fault: str | None) -> None:
    assert wrong(b'{"id":1}', None, httpx.Response(200, text=answer)) == fault


def test_a_refused_envelope_has_a_text() -> None:
    assert wrong(b"x", None, httpx.Response(400, text="no JSON")) is None
    assert wrong(b"x", None, httpx.Response(400, json={})) == "a refusal without a text"
    assert 422 in ROUTE.every_status


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("{}", (None,)),
        ('{"id":7}', (7,)),
        ('{"id":"7"}', None),
        ('{"id":-1}', None),
        ('{"id":true}', None),
        ("[]", None),
    ],
)
def test_it_is_known_which_message_is_answered(text: str, found: tuple[int | None] | None) -> None:
    assert answerable(text) == found


def test_frames_are_written_as_the_protocol_says() -> None:
    assert Frame(1, b"Hello", masked=False).encode() == bytes.fromhex("810548656c6c6f")
    long = Frame(2, bytes(256), masked=False).encode()
    assert long[:4] == bytes.fromhex("827e0100")
    masked = Frame(9, b"Hello", final=False, reserved=4).encode()
    assert masked[:2] == bytes([0x49, 0x85])
    assert bytes(a ^ b for a, b in zip(masked[6:], masked[2:6] + masked[2:3], strict=True)) == b"Hello"
