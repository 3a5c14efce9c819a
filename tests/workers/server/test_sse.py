from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from node.api.sse import Session
from node.api.subscriptions import Subscription
from node.errors import Busy
from node.primitives import Hash
from tests.node.api.ids import CTX
from tests.workers.server.scripted import Served, run, serving, until
from workers.messages import Message, runtime
from workers.messages.base import Done
from workers.server import hub as hub_module
from workers.server import sse as sse_module

ROOT = Hash(b"\x03" * 32)


class Rows:
    """The Generic column, in memory."""

    def __init__(self) -> None:
        self.rows: dict[tuple[bytes, bytes], bytes | None] = {}

    def answers(self) -> dict[Any, Any]:
        return {runtime.GetRow: self._get, runtime.PutRow: self._put}

    def _get(self, request: runtime.GetRow) -> Message:
        return runtime.RowAnswer(self.rows.get((request.scope, request.fragment)))

    def _put(self, request: runtime.PutRow) -> Message:
        self.rows[request.scope, request.fragment] = request.value
        return Done()


class Stream:
    """A client of the event stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def frame(self) -> dict[str, str]:
        found: dict[str, str] = {}
        async for line in self._lines:
            if not line:
                return found
            name, _, value = line.partition(":")
            found[name] = value.strip()
        raise EOFError


@asynccontextmanager
async def opened(served: Served, **headers: str) -> AsyncIterator[Stream]:
    async with served.http.stream("GET", "/sse", headers=headers) as response:
        assert response.status_code == 200
        yield Stream(response)


async def subscribe(served: Served, session: str, method: str = "subscribe") -> httpx.Response:
    body = {"id": session, "method": method, "params": {"contextIds": [str(CTX)]}}
    return await served.http.post("/sse/subscription", json=body)


def test_a_stream_from_its_first_frame_to_an_event() -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served, opened(served) as stream:
            assert stream.response.headers["content-type"].startswith("text/event-stream")
            assert stream.response.headers["cache-control"] == "no-cache"
            assert stream.response.headers["x-sse-reconnect"] == "false"
            session = stream.response.headers["x-sse-session-id"]
            first = await stream.frame()
            assert (first["event"], first["id"], first["retry"]) == ("message", f"{session}-0", "3000")
            assert json.loads(first["data"]) == {"type": "connect", "session_id": session, "reconnect": False}
            assert (await subscribe(served, session)).json() == {
                "result": {"status": "subscribed", "contexts": [str(CTX)]}
            }
            served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
            event = await stream.frame()
            assert event["id"] == f"{session}-0"
            assert json.loads(event["data"])["result"]["data"] == {"newRoot": str(ROOT), "events": []}
            served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
            assert (await stream.frame())["id"] == f"{session}-1"

    run(main)


def test_a_session_is_taken_up_again_and_its_older_stream_ends() -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served, opened(served) as old:
            session = old.response.headers["x-sse-session-id"]
            await old.frame()
            await subscribe(served, session)
            async with opened(served, **{"last-event-id": f"{session}-0"}) as new:
                assert new.response.headers["x-sse-reconnect"] == "true"
                assert json.loads((await new.frame())["data"])["session_id"] == session
                with pytest.raises(EOFError):
                    await old.frame()
                served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
                assert "result" in json.loads((await new.frame())["data"])
                state = (await served.http.get(f"/sse/session/{session}")).json()
                assert state == {
                    "result": {
                        "session_id": int(session),
                        "subscriptions": [str(CTX)],
                        "event_counter": 1,
                        "status": "active",
                    }
                }

    run(main)


def test_a_session_outlives_the_process() -> None:
    async def main() -> None:
        rows = Rows()
        async with serving(rows.answers()) as served, opened(served) as stream:
            session = stream.response.headers["x-sse-session-id"]
            await stream.frame()
            await subscribe(served, session)
        async with serving(rows.answers()) as served:
            state = (await served.http.get(f"/sse/session/{session}")).json()
            assert state["result"]["status"] == "persisted"
            assert (await subscribe(served, session)).status_code == 404
            async with opened(served, **{"last-event-id": session}) as stream:
                assert stream.response.headers["x-sse-reconnect"] == "true"
                await stream.frame()
                served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
                assert "result" in json.loads((await stream.frame())["data"])

    run(main)


def test_an_expired_session_is_told_and_not_taken_up() -> None:
    async def main() -> None:
        rows = Rows()
        old = Session(5, Subscription({CTX}), 3, 1)
        rows.rows[sse_module.ROW_SCOPE, old.fragment] = old.to_row()
        async with serving(rows.answers()) as served:
            answer = await served.http.get("/sse/session/5")
            assert (answer.status_code, answer.json()) == (410, {"error": "Session expired"})
            async with opened(served, **{"last-event-id": "5-1"}) as stream:
                assert stream.response.headers["x-sse-session-id"] != "5"
                assert stream.response.headers["x-sse-reconnect"] == "false"

    run(main)


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({"id": "x"}, 400, {"error": "Invalid Session Id"}),
        ({"id": "7"}, 404, {"error": "Session not found. Please reconnect to SSE endpoint first."}),
    ],
)
def test_subscriptions_need_a_session(body: Any, status: int, told: Any) -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served:
            answer = await served.http.post("/sse/subscription", json=body)
            assert (answer.status_code, answer.json()) == (status, told)
            assert (await served.http.post("/sse/subscription", json={})).status_code == 422

    run(main)


def test_a_bad_subscription_is_a_parse_error() -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served, opened(served) as stream:
            session = stream.response.headers["x-sse-session-id"]
            answer = await subscribe(served, session, "foo")
            assert answer.status_code == 400
            assert answer.json()["error"]["type"] == "ParseError"

    run(main)


def test_unknown_sessions_are_told() -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served:
            answer = await served.http.get("/sse/session/1")
            assert (answer.status_code, answer.json()) == (404, {"error": "Session not found"})
            answer = await served.http.get("/sse/session/abc")
            assert (answer.status_code, answer.text) == (400, 'Invalid URL: Cannot parse `"abc"` to a `u64`')

    run(main)


def test_silence_is_filled_with_comments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse_module, "KEEP_ALIVE_SECONDS", 0.05)

    async def main() -> None:
        async with serving(Rows().answers()) as served, served.http.stream("GET", "/sse") as response:
            lines = response.aiter_lines()
            async for line in lines:
                if line == ":":
                    break

    run(main)


def test_a_store_that_fails_does_not_stop_the_stream() -> None:
    async def main() -> None:
        async with serving({runtime.PutRow: Busy("full")}) as served, opened(served) as stream:
            assert "connect" in (await stream.frame())["data"]
            assert (await served.http.get("/sse/session/1")).status_code == 500

    run(main)


def test_streams_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_CLIENTS", 1)

    async def main() -> None:
        async with serving(Rows().answers()) as served, opened(served):
            assert (await served.http.get("/sse")).status_code == 503

    run(main)


def test_a_client_that_leaves_is_forgotten() -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served:
            async with opened(served) as stream:
                await stream.frame()
                assert served.api.hub.clients == 1
            await until(lambda: not served.api.hub.clients)
            assert served.api.streams == {}

    run(main)


def test_the_last_frame_of_a_stopping_node_says_so() -> None:
    async def main() -> None:
        async with serving(Rows().answers()) as served, opened(served) as stream:
            await stream.frame()
            await served.stop()
            assert json.loads((await stream.frame())["data"]) == {"type": "close", "reason": "the node stops"}

    run(main)
