"""Every route of the reference over a real socket: the other workers answer by script, the bytes are real."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from node.api.models import from_text
from node.api.router import Router
from node.api.routes import ROUTES
from node.primitives import ContextId
from tests.node.api.ids import APP, BLOB, CTX, PK, PK2
from tests.workers.server.cases import CASES, MEMBERS, OPEN_INVITATION
from tests.workers.server.scripted import APPLICATION, CONTEXT, Answer, Served, run, serving
from workers.messages import runtime, sync
from workers.messages.base import Done, Request

A = "/admin-api"
ROUTER = Router(ROUTES)


async def ask(served: Served, method: str, path: str, body: Any) -> tuple[int, Any]:
    content = None if body is ... else json.dumps(body).encode()
    headers = {} if body is ... else {"content-type": "application/json"}
    answer = await served.http.request(method, A + path, content=content, headers=headers)
    assert answer.headers["access-control-allow-origin"] == "*"
    kind = answer.headers.get("content-type", "")
    return answer.status_code, answer.json() if kind == "application/json" else answer.text


@pytest.mark.parametrize(
    ("method", "path", "body", "answers", "status", "told"), CASES, ids=[f"{c[0]} {c[1][:40]} {c[4]}" for c in CASES]
)
def test_a_route_answers_as_the_reference(
    method: str, path: str, body: Any, answers: dict[type[Request[Any]], Answer], status: int, told: Any
) -> None:
    async def main() -> None:
        async with serving(answers) as served:
            assert await ask(served, method, path, body) == (status, told)

    run(main)
    _holds_its_shape(method, path.partition("?")[0], status, told)


def _holds_its_shape(method: str, path: str, status: int, told: Any) -> None:
    """A good answer has the shape, a bad one a status, that the API document tells."""
    match = ROUTER.find(A + path)
    assert match is not None
    route = match.route(method)
    assert route is not None
    if status != 200:
        assert status in route.statuses
    elif route.answer is not None:
        msgspec.convert(told["data"] if route.wrapped else told, type=route.answer, dec_hook=from_text)


def test_every_route_of_the_reference_is_tried() -> None:
    tried = set()
    for method, path, *_ in CASES:
        match = ROUTER.find(A + path.partition("?")[0])
        assert match is not None
        tried.add((method, match.route(method).path))  # type: ignore[union-attr]
    known = {(route.method, route.path) for route in ROUTES if route.path.startswith(A)}
    elsewhere = {("GET", f"{A}/tee/info")}
    assert known - tried == elsewhere


def test_what_is_asked_reaches_the_worker_whole() -> None:
    async def main() -> None:
        answers = {
            sync.CreateContext: sync.ContextCreated(CTX, PK),
            sync.ChangeCapabilities: Done(),
            runtime.ListMembers: MEMBERS,
            sync.JoinOpen: sync.ContextCreated(CTX, PK),
        }
        async with serving(answers) as served:
            body = {
                "protocol": "near",
                "applicationId": str(APP),
                "contextSeed": str(BLOB),
                "initializationParams": [1],
            }
            await ask(served, "POST", "/contexts", body)
            assert served.script.asked.pop() == sync.CreateContext("near", APP, b"\x01", bytes(BLOB))
            await ask(served, "POST", f"/contexts/{CTX}/capabilities/grant", [[str(PK2), "Proxy"]])
            assert served.script.asked.pop() == sync.ChangeCapabilities(CTX, PK, True, [(PK2, "Proxy")])  # noqa: FBT003
            wrapped = {"invitation": {"data": OPEN_INVITATION}, "newMemberPublicKey": str(PK)}
            await ask(served, "POST", "/contexts/join_by_open_invitation", wrapped)
            asked = served.script.asked.pop()
            assert isinstance(asked, sync.JoinOpen)
            assert json.loads(asked.invitation) == OPEN_INVITATION

    run(main)


def test_contexts_and_applications_are_ordered_by_their_bytes() -> None:
    async def main() -> None:
        ids = [ContextId(bytes([number]) * 32) for number in (200, 1, 30)]
        records = [msgspec.structs.replace(CONTEXT, id=context_id) for context_id in ids]
        async with serving({runtime.ListContexts: runtime.ContextList(records)}) as served:
            _, told = await ask(served, "GET", "/contexts", ...)
            assert [row["id"] for row in told["data"]["contexts"]] == [str(context_id) for context_id in sorted(ids)]

    run(main)


def test_heads_are_absent_when_there_are_none() -> None:
    async def main() -> None:
        record = msgspec.structs.replace(CONTEXT, heads=[])
        async with serving({runtime.DescribeContext: runtime.ContextDescription(record)}) as served:
            _, told = await ask(served, "GET", f"/contexts/{CTX}", ...)
            assert "dagHeads" not in told["data"]

    run(main)


def test_trusted_hardware_is_told_to_be_missing() -> None:
    async def main() -> None:
        async with serving() as served:
            status, told = await ask(served, "GET", "/tee/info", ...)
            assert status == 500
            assert told["error"].startswith("Failed to get TEE info: Failed to get TEE info: Not supported: ")

    run(main)


def test_latest_versions_go_by_their_order() -> None:
    versions = ["0.9.0", "zeta", "1.10.0", "1.9.0", "1.10.0-rc.1"]
    records = [msgspec.structs.replace(APPLICATION, version=version) for version in versions]

    async def main() -> None:
        async with serving({runtime.ListApplications: runtime.ApplicationList(records)}) as served:
            _, told = await ask(served, "GET", "/packages/com.x/latest", ...)
            assert told["version"] == "1.10.0"

    run(main)
