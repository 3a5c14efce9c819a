from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.subscriptions import MAX_CONTEXTS, Subscription, event_message
from node.primitives import ContextId
from tests.node.api.ids import CTX

OTHER = ContextId(b"\x09" * 32)


def ask(subscription: Subscription, value: Any) -> Any:
    answer = subscription.answer(value if isinstance(value, str) else json.dumps(value))
    return None if answer is None else json.loads(answer)


def request(method: str = "subscribe", contexts: Any = (str(CTX),), **more: Any) -> dict[str, Any]:
    return {"id": 1, "method": method, "params": {"contextIds": list(contexts)}, **more}


def test_a_client_subscribes_and_unsubscribes() -> None:
    subscription = Subscription()
    assert ask(subscription, request()) == {"id": 1, "result": {"contextIds": [str(CTX)]}}
    assert subscription.contexts == {CTX}
    assert ask(subscription, request("unsubscribe", [str(CTX), str(OTHER)]))["result"]["contextIds"] == [
        str(CTX),
        str(OTHER),
    ]
    assert subscription.contexts == set()


def test_duplicates_are_answered_as_they_were_asked() -> None:
    subscription = Subscription()
    assert ask(subscription, request(contexts=[str(CTX)] * 2))["result"]["contextIds"] == [str(CTX)] * 2


@pytest.mark.parametrize("identity", [None, 0, (1 << 64) - 1])
def test_the_id_comes_back(identity: Any) -> None:
    assert ask(Subscription(), request(id=identity))["id"] == identity


def test_a_missing_id_is_null() -> None:
    message = request()
    del message["id"]
    assert ask(Subscription(), message) == {"id": None, "result": {"contextIds": [str(CTX)]}}


@pytest.mark.parametrize(
    "message",
    [
        "",
        "x",
        "[]",
        "1",
        '"a"',
        "null",
        request(id="1"),
        request(id=-1),
        request(id=1.5),
        request(id=True),
        request(id=1 << 64),
        "\ud800",
    ],
)
def test_what_is_no_request_is_dropped(message: Any) -> None:
    subscription = Subscription()
    assert ask(subscription, message) is None
    assert subscription.contexts == set()


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (request("foo"), "unknown variant `foo`, expected `subscribe` or `unsubscribe`"),
        ({"id": 1, "params": {}}, "missing field `method`"),
        ({"id": 1, "method": "subscribe"}, "missing field `params`"),
        ({"id": 1, "method": "subscribe", "params": {}}, "missing field `contextIds`"),
        (request(contexts=["abc"]), "invalid length 3, expected a base58 encoded hash"),
        (request(contexts=[1]), "invalid type: expected a base58 encoded hash"),
    ],
)
def test_a_bad_request_is_a_parse_error(message: Any, text: str) -> None:
    assert ask(Subscription(), message) == {"id": 1, "error": {"type": "ParseError", "data": text}}


def test_a_client_follows_a_bounded_number_of_contexts() -> None:
    subscription = Subscription({ContextId(number.to_bytes(32, "big")) for number in range(MAX_CONTEXTS)})
    assert "error" in ask(subscription, request())
    assert ask(subscription, request("unsubscribe", [str(ContextId(bytes(32)))]))["result"]
    assert "result" in ask(subscription, request())


def test_one_request_names_a_bounded_number_of_contexts() -> None:
    assert "error" in ask(Subscription(), request(contexts=[str(CTX)] * (MAX_CONTEXTS + 1)))
    assert "result" in ask(Subscription(), request(contexts=[str(CTX)] * MAX_CONTEXTS))


def test_an_event_has_a_null_id() -> None:
    assert json.loads(event_message('{"a":1}')) == {"id": None, "result": {"a": 1}}


@given(st.text(max_size=80))
def test_any_text_is_answered_or_dropped(text: str) -> None:
    answer = Subscription().answer(text)
    assert answer is None or isinstance(json.loads(answer), dict)
