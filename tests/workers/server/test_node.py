"""One real node, from HTTP to the disk and back."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.sync.client import connect

from node.api.models import from_text
from node.api.route import ADMIN, OWN
from node.api.router import Router
from node.api.routes import ROUTES
from node.primitives import ContextId, PublicKey
from tests.workers.server.real import WASM, Context, node

pytestmark = pytest.mark.timeout(60)
ROUTER = Router(ROUTES)
NOBODY = str(ContextId(b"\x01" * 32))


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with node(tmp_path_factory.mktemp("node") / "one") as found:
        yield found


@pytest.fixture(scope="module")
def context(client: httpx.Client) -> Context:
    made = Context(client)
    made.call("set", {"key": "a", "value": "b"})
    made.call("set", {"key": "a", "value": "c"})
    return made


def get(client: httpx.Client, path: str) -> Any:
    """The answer, which has the shape that the route table says."""
    answer = client.get(path)
    assert answer.status_code == 200, answer.text
    match = ROUTER.find(path.partition("?")[0])
    assert match is not None
    route = match.route("GET")
    assert route is not None
    found = answer.json()
    msgspec.convert(found["data"] if route.wrapped else found, type=route.answer, dec_hook=from_text)
    return found.get("data", found)


def post(client: httpx.Client, path: str, body: Any = None) -> httpx.Response:
    return client.post(path, json=body)


# -- bad input


@pytest.mark.parametrize("content", [b"", b"not wasm", b"\0asm\x02\0\0\0", b"\0asm\x01\0\0\0\xff"])
def test_a_file_that_is_no_module_is_refused_and_not_kept(client: httpx.Client, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "bad.wasm"
    file.write_bytes(content)
    before = get(client, f"{ADMIN}/applications"), get(client, f"{ADMIN}/blobs")
    answer = post(client, f"{ADMIN}/install-dev-application", {"path": str(file), "metadata": []})
    assert answer.status_code in (400, 500)
    assert answer.headers["content-type"].startswith("text/plain")
    assert "bad.wasm" in answer.text or "module" in answer.text.lower() or "wasm" in answer.text.lower()
    assert (get(client, f"{ADMIN}/applications"), get(client, f"{ADMIN}/blobs")) == before


def test_a_file_that_is_not_there_is_named(client: httpx.Client) -> None:
    answer = post(client, f"{ADMIN}/install-dev-application", {"path": "/nope/kv.wasm", "metadata": []})
    assert (answer.status_code, answer.text) == (500, "application file not found at /nope/kv.wasm")


def test_a_missing_method_is_named(context: Context) -> None:
    assert context.call("nope", {}) == {"type": "FunctionCallError", "data": 'method "nope" not found'}


@pytest.mark.parametrize("args", [None, 1, "text", [1], True])
def test_arguments_that_are_no_object_are_told_by_the_application(context: Context, args: Any) -> None:
    found = context.call("set", args)
    assert found["type"] == "FunctionCallError"
    assert found["data"].startswith("guest panicked: ")


def test_an_unknown_context_is_told(client: httpx.Client, context: Context) -> None:
    assert context.call("get", {"key": "a"}, contextId=NOBODY) == {"type": "ContextNotFound"}
    answer = client.get(f"{ADMIN}/contexts/{NOBODY}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Context not found"})
    assert client.delete(f"{ADMIN}/contexts/{NOBODY}").json() == {"data": {"isDeleted": False}}


def test_an_executor_of_somebody_else_is_told(context: Context) -> None:
    other = str(PublicKey(b"\x05" * 32))
    found = context.call("get", {"key": "a"}, executorPublicKey=other)
    assert found == {"type": "Unauthorized", "data": {"context_id": context.id, "public_key": other}}


def test_a_context_of_an_unknown_application_is_refused(client: httpx.Client) -> None:
    body = {"protocol": "near", "applicationId": NOBODY, "initializationParams": []}
    before = get(client, f"{ADMIN}/contexts")
    answer = post(client, f"{ADMIN}/contexts", body)
    assert answer.status_code in (404, 500)
    assert NOBODY in answer.json()["error"]
    body = {"protocol": "icp", "applicationId": NOBODY, "initializationParams": []}
    assert "unsupported protocol: icp, expected one of ``near``" in post(client, f"{ADMIN}/contexts", body).text
    assert get(client, f"{ADMIN}/contexts") == before


# -- calls


def test_values_and_errors_of_an_application_come_back(context: Context) -> None:
    assert context.call("get", {"key": "a"}) == {"output": "c"}
    assert context.call("get", {"key": "none"}) == {"output": None}
    found = context.call("get_result", {"key": "none"})
    assert found["type"] == "FunctionCallError"
    numbers = found["data"].removeprefix("the method call returned an error: ")
    assert json.loads(bytes(json.loads(numbers))) == {"kind": "NotFound", "data": "none"}


def test_text_beyond_ascii_reaches_the_application_unescaped(context: Context) -> None:
    context.call("set", {"key": "ключ", "value": "žluťoučký 😀"})
    assert context.call("get", {"key": "ключ"}) == {"output": "žluťoučký 😀"}


def test_an_alias_stands_in_for_an_identity(client: httpx.Client, context: Context) -> None:
    body = {"alias": "me", "identity": context.member}
    assert post(client, f"{ADMIN}/alias/create/identity/{context.id}", body).json() == {"data": None}
    context.call("set", {"key": "owner", "value": "{me}"}, substitute=["me"])
    assert context.call("get", {"key": "owner"}) == {"output": context.member}
    found = context.call("set", {"key": "x", "value": "{nobody}"}, substitute=["nobody"])
    assert found == {"type": "AliasResolutionFailed", "data": {"alias": "nobody"}}


def test_a_key_makes_a_write_happen_once(client: httpx.Client) -> None:
    counters = Context(client, "collections")
    params = {"contextId": counters.id, "method": "visit", "argsJson": {}, "executorPublicKey": counters.member}
    request = {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params}
    for _ in range(3):
        client.post("/jsonrpc", json=request, headers={"idempotency-key": "one"})
    assert counters.call("visits", {}) == {"output": 1}


# -- aliases


def test_aliases_of_contexts_and_applications(client: httpx.Client, context: Context) -> None:
    for kind, name, target in (
        ("context", "contextId", context.id),
        ("application", "applicationId", context.application),
    ):
        create = f"{ADMIN}/alias/create/{kind}"
        assert post(client, create, {"alias": "demo", name: target}).json() == {"data": None}
        again = post(client, create, {"alias": "demo", name: target})
        assert (again.status_code, again.text) == (500, "alias already exists: demo")
        assert post(client, f"{ADMIN}/alias/lookup/{kind}/demo").json() == {"data": {"value": target}}
        assert get(client, f"{ADMIN}/alias/list/{kind}") == {"demo": target}
        assert post(client, f"{ADMIN}/alias/delete/{kind}/demo").json() == {"data": None}
        assert post(client, f"{ADMIN}/alias/delete/{kind}/demo").json() == {"data": None}
        assert post(client, f"{ADMIN}/alias/lookup/{kind}/demo").json() == {"data": {"value": None}}


# -- events


def test_a_write_is_heard_over_the_websocket_before_its_answer_is_old(client: httpx.Client, context: Context) -> None:
    url = str(client.base_url).replace("http", "ws")
    with connect(f"{url}/ws", proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "method": "subscribe", "params": {"contextIds": [context.id]}}))
        assert json.loads(socket.recv(5))["id"] == 1
        context.call("set", {"key": "heard", "value": "yes"})
        found = json.loads(socket.recv(5))
        assert found["id"] is None
        assert found["result"]["contextId"] == context.id
        (event,) = found["result"]["data"]["events"]
        assert (event["kind"], event["handler"]) == ("Inserted", None)
        assert json.loads(bytes(event["data"])) == {"key": "heard", "value": "yes"}
        root = get(client, f"{ADMIN}/contexts/{context.id}")["rootHash"]
        assert found["result"]["data"]["newRoot"] == root


def test_events_are_in_the_history(client: httpx.Client, context: Context) -> None:
    last = get(client, f"{OWN}/history?limit=1000")["cursor"]
    context.call("set", {"key": "history", "value": "x"})
    page = get(client, f"{OWN}/history?after={last}")
    assert any(row["type"] == "StateMutation" and row["contextId"] == context.id for row in page["events"])


# -- every page


def test_every_page_without_parameters_has_its_shape(client: httpx.Client) -> None:
    for route in ROUTES:
        if route.method == "GET" and not route.parameters and route.answer is not None:
            get(client, route.path)


def test_every_page_of_a_context_has_its_shape(client: httpx.Client, context: Context) -> None:
    base = f"{OWN}/contexts/{context.id}"
    for name in ("", "/identities", "/identities-owned", "/storage", "/proxy-contract", "/client-keys"):
        get(client, f"{ADMIN}/contexts/{context.id}{name}")
    for name in ("why", "pending", "state", "methods"):
        get(client, f"{base}/{name}")
    deltas = get(client, f"{base}/deltas?limit=2")
    assert deltas["next"] is not None
    newest, older = (row["id"] for row in deltas["deltas"])
    tree = get(client, f"{base}/tree?depth=8")
    assert tree["root"] == get(client, f"{ADMIN}/contexts/{context.id}")["rootHash"]
    entries = get(client, f"{base}/at/{newest}")["entries"]
    assert entries
    changes = get(client, f"{base}/compare?old={older}&new={newest}")["entries"]
    assert changes
    assert get(client, f"{base}/blame/{changes[0]['entity']}")["entries"]


def test_contexts_of_an_application(client: httpx.Client, context: Context) -> None:
    found = get(client, f"{ADMIN}/contexts/for-application/{context.application}")["contexts"]
    assert context.id in [row["id"] for row in found]
    rows = get(client, f"{ADMIN}/contexts/with-executors/for-application/{context.application}")["contexts"]
    assert [row["executors"] for row in rows if row["id"] == context.id] == [[context.member]]


def test_ready_names_every_worker(client: httpx.Client) -> None:
    found = get(client, "/ready")
    assert found["ready"] is True
    assert {"runtime[0]", "sync", "network", "server", "registry"} <= found["workers"].keys()


def test_metrics_count_the_calls(client: httpx.Client, context: Context) -> None:
    context.call("get", {"key": "a"})
    text = client.get("/metrics").text
    labels = f'context_id="{context.id}",method="get",status="success"'
    assert f"context_runtime_execution_count{{{labels}}}" in text
    assert 'calimero_worker_ready{worker="sync"} 1' in text
    assert "calimero_scrape_failures 0" in text


def test_log_lines_of_all_workers_are_there(client: httpx.Client) -> None:
    page = get(client, f"{OWN}/logs?limit=1000")
    assert {"supervisor", "network"} <= {line["worker"] for line in page["lines"]}
    assert get(client, f"{OWN}/logs?after={page['cursor']}")["lost"] is False


def test_log_lines_are_streamed_as_they_are_written(client: httpx.Client) -> None:
    cursor = get(client, f"{OWN}/logs?limit=1000")["cursor"]
    with client.stream("GET", f"{OWN}/logs/stream?after={cursor}", timeout=10) as answer:
        lines = answer.iter_lines()
        assert next(lines) == ":"
        Context(client)
        found = next(line for line in lines if line.startswith("data:"))
    assert json.loads(found.removeprefix("data:"))["worker"] in {"sync", "runtime[0]", "network", "registry"}


# -- membership and blobs


def test_invitations_of_both_kinds(client: httpx.Client, context: Context) -> None:
    invitee = post(client, f"{ADMIN}/identity/context").json()["data"]["publicKey"]
    body = {"contextId": context.id, "inviterId": context.member, "inviteeId": invitee}
    assert isinstance(post(client, f"{ADMIN}/contexts/invite", body).json()["data"], str)
    body = {"contextId": context.id, "inviterId": context.member, "validForBlocks": 1000}
    found = post(client, f"{ADMIN}/contexts/invite_by_open_invitation", body).json()["data"]
    assert found["invitation"]["expiration_height"] == 1_000_000_999
    answer = post(client, f"{ADMIN}/contexts/join", {"invitationPayload": "abc"})
    assert answer.status_code in (400, 500)
    assert answer.json()["error"]


def test_a_blob_in_and_out(client: httpx.Client) -> None:
    content = (WASM / "kv.wasm").read_bytes() * 3
    stored = client.put(f"{ADMIN}/blobs", content=content).json()["data"]
    assert stored["size"] == len(content)
    assert client.get(f"{ADMIN}/blobs/{stored['blob_id']}").content == content
    assert stored in get(client, f"{ADMIN}/blobs")["blobs"]
    assert client.delete(f"{ADMIN}/blobs/{stored['blob_id']}").json()["deleted"] is True
    assert client.get(f"{ADMIN}/blobs/{stored['blob_id']}").status_code == 404
