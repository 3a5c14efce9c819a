"""The order of checks, and what holds for every route: CORS, methods, bodies, guard, faults."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.types import Scope
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from node.api.models import MAX_JSON_BODY
from node.api.route import OWN, Route, SocketRoute
from node.api.router import PREFIXED
from node.api.routes import ROUTES, SOCKETS
from node.errors import Forbidden, Unauthenticated
from tests.node.api.ids import CTX
from tests.workers.server.scripted import raw_request, run, serving, until
from workers.messages import runtime
from workers.server.application import handlers

JSON = {"content-type": "application/json"}


def test_every_route_has_its_function() -> None:
    assert len(handlers(ROUTES)) == len({route.handler for route in ROUTES})


def test_a_route_without_function_is_found_out_at_the_start() -> None:
    with pytest.raises(LookupError, match="no_such_handler"):
        handlers([Route("GET", "/x", "no_such_handler", "x")])


def test_cors_answers_every_options_and_marks_every_reply() -> None:
    async def main() -> None:
        async with serving() as served:
            for path in ("/jsonrpc", "/nothing", "/admin-api/contexts"):
                answer = await served.http.options(path, headers={"access-control-request-private-network": "true"})
                assert (answer.status_code, answer.content) == (200, b"")
                assert answer.headers["access-control-allow-origin"] == "*"
                assert answer.headers["access-control-allow-methods"] == "POST,GET,DELETE,PUT,OPTIONS"
                assert answer.headers["access-control-allow-private-network"] == "true"
            plain = await served.http.options("/jsonrpc")
            assert "access-control-allow-private-network" not in plain.headers
            missing = await served.http.get("/nothing")
            assert (missing.status_code, missing.content) == (404, b"")
            assert missing.headers.get_list("access-control-allow-origin") == ["*"]

    run(main)


def test_a_wrong_method_is_told_the_right_ones() -> None:
    async def main() -> None:
        async with serving() as served:
            answer = await served.http.get("/jsonrpc")
            assert (answer.status_code, answer.content, answer.headers["allow"]) == (405, b"", "POST")
            answer = await served.http.post(f"/admin-api/contexts/{CTX}")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET,HEAD,DELETE")

    run(main)


def test_head_has_the_length_and_no_body() -> None:
    async def main() -> None:
        async with serving() as served:
            answer = await served.http.head("/admin-api/health")
            assert (answer.status_code, answer.content) == (200, b"")
            assert answer.headers["content-length"] == str(len(b'{"data":{"status":"alive"}}'))

    run(main)


@pytest.mark.parametrize("body", [b"null", b"{}", b"", b"not json", b"x" * 100_000])
def test_a_body_that_is_ignored_leaves_the_connection_usable(body: bytes) -> None:
    async def main() -> None:
        async with serving({runtime.NewIdentity: runtime.IdentityAnswer(runtime.PublicKey(b"\2" * 32))}) as served:
            for _ in range(3):
                answer = await served.http.post("/admin-api/identity/context", content=body)
                assert answer.status_code == 200
            assert served.api.connections.total == 1

    run(main)


@pytest.mark.parametrize(("path", "status"), [("/jsonrpc", 413), ("/admin-api/contexts", 400)])
def test_a_body_beyond_the_limit_is_refused_while_it_streams(path: str, status: int) -> None:
    async def main() -> None:
        async with serving() as served:
            at_limit = await served.http.post(path, content=b" " * MAX_JSON_BODY, headers=JSON)
            assert at_limit.status_code == 400
            assert "length limit" not in at_limit.text

            async def endless() -> Any:
                for _ in range(MAX_JSON_BODY // 65536 + 2):
                    yield b" " * 65536

            answer = await served.http.post(path, content=endless(), headers=JSON)
            assert answer.status_code == status
            assert "length limit exceeded" in answer.text

    run(main)


@pytest.mark.parametrize("begun", [b"", b"{"])
def test_a_body_that_does_not_come_ends_with_408(begun: bytes) -> None:
    """The connection ends too: what would come next on it cannot be told from the body."""

    async def main() -> None:
        async with serving(body_seconds=0.2) as served:
            head = b"POST /jsonrpc HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n"
            assert (await raw_request(served, head, begun)).startswith(b"HTTP/1.1 408 ")
            await until(lambda: not served.api.connections.total)

    run(main)


def test_a_body_that_trickles_ends_with_408_all_the_same() -> None:
    async def main() -> None:
        async with serving(body_seconds=0.3) as served:
            reader, writer = await asyncio.open_connection(*served.address)
            writer.write(b"POST /jsonrpc HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n")
            trickling = asyncio.create_task(_trickle(writer))
            assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
            trickling.cancel()
            await asyncio.gather(trickling, return_exceptions=True)
            writer.transport.abort()
            await until(lambda: not served.api.connections.total)

    run(main)


async def _trickle(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b" ")
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("path", ["/jsonrpc", "/admin-api/contexts", "/sse/subscription"])
def test_json_beyond_the_allowed_depth_is_refused(path: str) -> None:
    async def main() -> None:
        async with serving() as served:
            for body in (b"[" * 128 + b"]" * 128, b'{"a":' * 100_000):
                answer = await served.http.post(path, content=body, headers=JSON)
                assert (answer.status_code, "recursion limit" in answer.text) == (400, True)

    run(main)


def test_a_bug_costs_one_request() -> None:
    async def main() -> None:
        async with serving({runtime.ListMembers: runtime.MemberList([])}) as served:
            del served.api.backend
            answer = await served.http.get("/admin-api/contexts")
            assert (answer.status_code, answer.json()) == (
                500,
                {"error": "internal fault of the server; its log has the cause"},
            )
            assert served.api.metrics.faults == 1
            assert (await served.http.get("/admin-api/health")).status_code == 200

    run(main)


def test_a_prefix_moves_what_it_moves_in_the_reference() -> None:
    async def main() -> None:
        async with serving(prefix="/n1") as served:
            assert (await served.http.get("/n1/admin-api/health")).status_code == 200
            assert (await served.http.get("/admin-api/health")).status_code == 404
            assert (await served.http.get("/health")).status_code == 200
            async with connect(served.url.replace("http", "ws") + "/n1/ws", proxy=None):
                pass

    run(main)


# -- guard


class Gate:
    """Refuses everything, and remembers what it was asked about."""

    def __init__(self, refusal: Exception) -> None:
        self.refusal = refusal
        self.asked: list[Route | SocketRoute] = []

    async def admit(self, scope: Scope, route: Route | SocketRoute) -> None:
        self.asked.append(route)
        raise self.refusal


def _path(route: Route) -> str:
    return "/".join("x" if part.startswith("{") else part for part in route.path.split("/"))


def test_every_route_passes_the_guard_or_is_public() -> None:
    """The table of routes against the two roles there are: somebody without a token, and whoever."""

    async def main() -> None:
        gate = Gate(Unauthenticated("no token"))
        async with serving(guard=gate) as served:
            for route in ROUTES:
                if route.path == "/sse" and not route.guarded:
                    continue
                before = len(gate.asked)
                answer = await served.http.request(route.method, _path(route))
                assert (len(gate.asked) - before) == int(route.guarded), route.path
                if route.guarded:
                    assert (answer.status_code, answer.content) == (401, b""), route.path
                    assert gate.asked[-1] == route
                else:
                    assert answer.status_code != 401, route.path

    run(main)


def test_a_wrong_method_without_token_is_401() -> None:
    async def main() -> None:
        async with serving(guard=Gate(Unauthenticated("no token"))) as served:
            assert (await served.http.put("/jsonrpc")).status_code == 401
            assert (await served.http.head("/admin-api/contexts")).status_code == 401
            assert (await served.http.options("/jsonrpc")).status_code == 200

    run(main)


def test_a_token_that_is_not_enough_is_403() -> None:
    async def main() -> None:
        async with serving(guard=Gate(Forbidden("the token lacks context:list"))) as served:
            answer = await served.http.get("/admin-api/contexts")
            assert (answer.status_code, answer.json()) == (403, {"error": "the token lacks context:list"})
            assert answer.headers["x-calimero-error"] == "Forbidden"

    run(main)


@pytest.mark.parametrize("socket", SOCKETS, ids=lambda socket: str(socket.path))
def test_websockets_pass_the_guard_before_the_upgrade(socket: SocketRoute) -> None:
    async def main() -> None:
        gate = Gate(Unauthenticated("no token"))
        async with serving(guard=gate) as served:
            with pytest.raises(InvalidStatus) as refused:
                await connect(served.url.replace("http", "ws") + socket.path, proxy=None)
            assert refused.value.response.status_code == 401
            assert gate.asked == [socket]
            assert served.api.hub.clients == 0

    run(main)


def test_an_unknown_websocket_is_404() -> None:
    async def main() -> None:
        async with serving() as served:
            with pytest.raises(InvalidStatus) as refused:
                await connect(served.url.replace("http", "ws") + "/other", proxy=None)
            assert refused.value.response.status_code == 404

    run(main)


def test_own_routes_are_not_moved_by_the_prefix() -> None:
    assert not OWN.startswith(PREFIXED)


def test_replies_are_json_without_spaces() -> None:
    async def main() -> None:
        async with serving() as served:
            answer = await served.http.get("/admin-api/health")
            assert answer.content == json.dumps({"data": {"status": "alive"}}, separators=(",", ":")).encode()

    run(main)
