"""Through the API alone: the requests that any client of the reference sends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.life.apps import CALLS, LIMIT, application

pytestmark = pytest.mark.timeout(LIMIT)

ADMIN = "/admin-api"


@pytest.fixture
def clients(urls: list[str]) -> Iterator[tuple[httpx.Client, ...]]:
    made = tuple(httpx.Client(base_url=url, trust_env=False, timeout=30) for url in urls)
    yield made
    for client in made:
        client.close()


def ok(answer: httpx.Response) -> Any:
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]


def post(client: httpx.Client, path: str, body: Any = None) -> Any:
    return ok(client.post(ADMIN + path, json=body))


def call(client: httpx.Client, context: str, member: str, method: str, args: Any) -> Any:
    params = {"contextId": context, "method": method, "argsJson": args, "executorPublicKey": member}
    body = {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params}
    return client.post("/jsonrpc", json=body).json()


def until(check: Callable[[], bool]) -> None:
    """The test's own time-out ends a wait that never comes true."""
    while not check():
        time.sleep(0.02)


@pytest.mark.parametrize("name", CALLS)
def test_a_context_lives_over_the_api(clients: tuple[httpx.Client, ...], name: str, tmp_path: Path) -> None:
    one, two = clients
    body = {"path": str(application(name, tmp_path)), "metadata": []}
    app = post(one, "/install-dev-application", body)["applicationId"]
    assert ok(one.get(f"{ADMIN}/applications/{app}"))["application"]["id"] == app
    wish = {"protocol": "near", "applicationId": app, "initializationParams": list(b"{}")}
    made = post(one, "/contexts", wish)
    context, creator = made["contextId"], made["memberPublicKey"]
    invitee = post(two, "/identity/context")["publicKey"]
    body = {"contextId": context, "inviterId": creator, "inviteeId": invitee}
    payload = post(one, "/contexts/invite", body)
    assert post(two, "/contexts/join", {"invitationPayload": payload}) == {
        "contextId": context, "memberPublicKey": invitee,
    }  # fmt: skip

    def root(client: httpx.Client) -> str:
        return str(ok(client.get(f"{ADMIN}/contexts/{context}"))["rootHash"])

    until(lambda: root(two) == root(one))
    wanted = CALLS[name]
    assert "result" in call(two, context, invitee, wanted.method, wanted.args)
    until(lambda: wanted.is_seen(call(one, context, creator, wanted.view, wanted.view_args).get("result")))
    assert root(one) == root(two)
    assert set(ok(one.get(f"{ADMIN}/contexts/{context}/identities"))["identities"]) == {creator, invitee}
    for client in (two, one):
        assert ok(client.delete(f"{ADMIN}/contexts/{context}")) == {"isDeleted": True}
        assert ok(client.delete(f"{ADMIN}/contexts/{context}")) == {"isDeleted": False}
        assert client.get(f"{ADMIN}/contexts/{context}").status_code == 404
        assert context not in {row["id"] for row in ok(client.get(f"{ADMIN}/contexts"))["contexts"]}
        assert ok(client.delete(f"{ADMIN}/applications/{app}")) == {"applicationId": app}
