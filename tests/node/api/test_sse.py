from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api import sse
from node.api.errors import BadRequest, Refusal
from node.api.subscriptions import Subscription
from node.primitives import ContextId
from tests.node.api.ids import CTX

JSON = "application/json"
LAST = (1 << 64) - 1
OTHER = ContextId(b"\x09" * 32)


def test_the_first_frame_names_the_session_and_uses_no_number() -> None:
    session = sse.Session(1234567890123456789)
    assert session.connected(resumed=False) == (
        "event: message\nid: 1234567890123456789-0\nretry:3000\n"
        'data: {"type":"connect","session_id":"1234567890123456789","reconnect":false}\n\n'
    )
    assert session.event('{"a":1}') == 'event: message\nid: 1234567890123456789-0\ndata: {"result":{"a":1}}\n\n'
    assert session.event("1").startswith("event: message\nid: 1234567890123456789-1\n")
    assert '"reconnect":true' in session.connected(resumed=True)


def test_the_last_frame_says_why() -> None:
    assert '{"type":"close","reason":"the node stops"}' in sse.Session(1).closing("the node stops")


def message(method: str, *contexts: ContextId) -> dict[str, Any]:
    return {"method": method, "params": {"contextIds": [str(context) for context in contexts]}}


def test_subscriptions_are_answered_and_count_as_a_sign_of_life() -> None:
    session = sse.Session(1, seen=5)
    assert session.change(message("subscribe", CTX, OTHER), 9) == {
        "result": {"status": "subscribed", "contexts": [str(CTX), str(OTHER)]}
    }
    assert session.seen == 9
    assert session.change(message("unsubscribe", OTHER, ContextId(b"\x0a" * 32)), 10)["result"] == {
        "status": "unsubscribed",
        "unsubscribed": [str(OTHER)],
        "requested": [str(OTHER), str(ContextId(b"\x0a" * 32))],
    }


def test_a_bad_change_leaves_the_session_as_it_is() -> None:
    session = sse.Session(1, seen=5)
    with pytest.raises(BadRequest):
        session.change({"method": "subscribe", "params": {"contextIds": ["abc"]}}, 9)
    assert session == sse.Session(1, seen=5)
    assert sse.refused(BadRequest("x")) == {"error": {"type": "ParseError", "data": "x"}}


def test_a_session_expires_after_a_day() -> None:
    session = sse.Session(1, seen=1000)
    assert not session.expired(1000 + 24 * 3600 - 1)
    assert session.expired(1000 + 24 * 3600)


def test_the_row_has_the_form_of_the_reference() -> None:
    session = sse.Session(7, Subscription({CTX}), 4, 1700000000)
    row = {"subscriptions": [str(CTX)], "event_counter": 4, "last_activity": 1700000000}
    assert json.loads(session.to_row()) == row
    assert session.fragment == bytes(7) + b"\x07" + bytes(24)
    assert sse.ROW_SCOPE == b"sse-sessions\0\0\0\0"
    assert sse.Session.from_row(7, session.to_row()) == session


@pytest.mark.parametrize(
    "raw", [b"", b"{}", b"[]", b"\xff", b'{"subscriptions":["abc"],"event_counter":1,"last_activity":1}']
)
def test_a_row_that_cannot_be_read_is_none(raw: bytes) -> None:
    assert sse.Session.from_row(1, raw) is None


@pytest.mark.parametrize(
    ("text", "number"),
    [(None, None), ("", None), ("5-3", 5), ("5", 5), ("-3", None), ("x-1", None), (str(LAST), LAST),
     (str(LAST + 1), None), ("9" * 5000, None), ("٣", None)],
)  # fmt: skip
def test_the_session_stands_before_the_first_dash(text: str | None, number: int | None) -> None:
    assert sse.read_number(text) == number


def test_a_session_path_that_is_no_number_is_refused() -> None:
    assert sse.session_path("12") == 12
    with pytest.raises(Refusal) as refused:
        sse.session_path("abc")
    assert (str(refused.value), refused.value.status) == ('Invalid URL: Cannot parse `"abc"` to a `u64`', 400)


@pytest.mark.parametrize(
    ("raw", "status", "text"),
    [
        (b"{", 400, "Failed to parse"),
        (b"[]", 422, "Failed to deserialize"),
        (b"{}", 422, "missing field `id`"),
        (b'{"id":1}', 422, "invalid type"),
        (b'{"id":"x"}', 400, "Invalid Session Id"),
        (b'{"id":"18446744073709551616"}', 400, "Invalid Session Id"),
    ],
)
def test_requests_without_a_session_are_refused(raw: bytes, status: int, text: str) -> None:
    with pytest.raises(Refusal) as refused:
        sse.read_request(JSON, raw)
    assert refused.value.status == status
    assert text in str(refused.value)


def test_a_request_is_a_session_and_a_message() -> None:
    assert sse.read_request(JSON, b'{"id":"5","method":"x"}') == (5, {"id": "5", "method": "x"})


def test_memory_holds_the_sessions_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_SESSIONS", 2)
    sessions = sse.Sessions()
    for number in (1, 2):
        sessions.keep(sse.Session(number))
    sessions.keep(sessions.find(1))  # type: ignore[arg-type]
    sessions.keep(sse.Session(3))
    assert [number for number in (1, 2, 3) if sessions.find(number)] == [1, 3]
    assert len(sessions) == 2


@given(st.binary(max_size=60))
def test_any_request_is_read_or_refused(raw: bytes) -> None:
    status = None
    try:
        sse.read_request(JSON, raw)
    except Refusal as refusal:
        status = refusal.status
    assert status in (None, 400, 422)
