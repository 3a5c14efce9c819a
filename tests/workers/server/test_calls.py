from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from node.errors import Busy, ExecutionError, UnknownContext, WorkerLost
from node.primitives import Hash
from tests.node.api.ids import CTX, PK
from tests.workers.server.scripted import Served, run, serving, until
from workers.messages import Message, runtime
from workers.server.idempotency import MAX_KEY, Answers

ROOT = Hash(b"\x08" * 32)
DONE = runtime.Executed(b'"hello"', ROOT, [], 1500)
JSON = {"content-type": "application/json"}


def request(identity: Any = "1", **changes: Any) -> dict[str, Any]:
    params = {"contextId": str(CTX), "method": "get", "argsJson": {"key": "a"}, "executorPublicKey": str(PK), **changes}
    return {"jsonrpc": "2.0", "id": identity, "method": "execute", "params": params}


async def post(served: Served, value: Any, **headers: str) -> Any:
    answer = await served.http.post("/jsonrpc", content=json.dumps(value).encode(), headers={**JSON, **headers})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/json"
    return answer.json()


def test_a_call_reaches_the_owner_and_its_output_the_caller() -> None:
    async def main() -> None:
        async with serving({runtime.Execute: DONE}) as served:
            assert await post(served, request()) == {"jsonrpc": "2.0", "id": "1", "result": {"output": "hello"}}
            assert served.script.asked == [runtime.Execute(CTX, "get", b'{"key":"a"}', PK, [])]

    run(main)


def test_what_a_call_cost_is_told_in_headers() -> None:
    async def main() -> None:
        async with serving({runtime.Execute: runtime.Executed(None, ROOT, [], 1500, 77)}) as served:
            answer = await served.http.post("/jsonrpc", json=request())
            assert answer.json()["result"] == {"output": None}
            assert answer.headers["server-timing"] == "guest;dur=1.5"
            assert answer.headers["x-calimero-fuel"] == "77"

    run(main)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (UnknownContext("x"), {"type": "ContextNotFound"}),
        (
            ExecutionError(b'"no"'),
            {"type": "FunctionCallError", "data": "the method call returned an error: [34, 110, 111, 34]"},
        ),
        (Busy("full"), {"type": "InternalError"}),
    ],
)
def test_failures_are_http_200(error: Exception, told: Any) -> None:
    async def main() -> None:
        async with serving({runtime.Execute: error}) as served:
            assert await post(served, request(7)) == {"jsonrpc": "2.0", "id": 7, "error": told}

    run(main)


def test_a_batch_is_answered_in_order() -> None:
    async def main() -> None:
        async with serving({runtime.Execute: DONE}) as served:
            found = await post(served, [request(1), {**request(2), "method": "foo"}, request(3)])
            assert [(item["id"], "result" in item) for item in found] == [(1, True), (2, False), (3, True)]
            for value in ([], [request()] * 101, [1]):
                answer = await served.http.post("/jsonrpc", json=value)
                assert answer.status_code == 422

    run(main)


def test_a_context_serves_the_next_call_while_one_runs() -> None:
    """Two calls are at the owner at the same time; the answers find their callers."""

    async def main() -> None:
        both = asyncio.Barrier(2)

        async def execute(operation: runtime.Execute) -> Message:
            await both.wait()
            return runtime.Executed(operation.args, ROOT)

        async with serving({runtime.Execute: execute}) as served:
            found = await asyncio.gather(*(post(served, request(n, argsJson=n)) for n in (1, 2)))
            assert [(item["id"], item["result"]["output"]) for item in found] == [(1, 1), (2, 2)]

    run(main)


# -- Idempotency-Key


def test_a_repeated_key_runs_once() -> None:
    async def main() -> None:
        async with serving({runtime.Execute: DONE}) as served:
            first = await post(served, request(), **{"idempotency-key": "k"})
            assert await post(served, request(), **{"idempotency-key": "k"}) == first
            assert len(served.script.asked) == 1
            await post(served, request(), **{"idempotency-key": "other"})
            assert len(served.script.asked) == 2

    run(main)


def test_requests_with_one_key_at_the_same_time_run_once() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def execute(operation: runtime.Execute) -> Message:
            await go.wait()
            return DONE

        async with serving({runtime.Execute: execute}) as served:
            calls = [asyncio.create_task(post(served, request(), **{"idempotency-key": "k"})) for _ in range(5)]
            await until(lambda: served.script.asked)
            go.set()
            assert len({json.dumps(found) for found in await asyncio.gather(*calls)}) == 1
            assert len(served.script.asked) == 1

    run(main)


def test_an_application_error_is_an_answer_and_a_fault_of_the_node_is_none() -> None:
    async def main() -> None:
        async with serving({runtime.Execute: ExecutionError(b"1")}) as served:
            await post(served, request(), **{"idempotency-key": "a"})
            await post(served, request(), **{"idempotency-key": "a"})
            assert len(served.script.asked) == 1
            served.script.answers[runtime.Execute] = WorkerLost("died")
            assert "error" in await post(served, request(), **{"idempotency-key": "b"})
            served.script.answers[runtime.Execute] = DONE
            assert "result" in await post(served, request(), **{"idempotency-key": "b"})

    run(main)


def test_a_key_belongs_to_one_request() -> None:
    async def main() -> None:
        async with serving({runtime.Execute: DONE}) as served:
            await post(served, request(), **{"idempotency-key": "k"})
            answer = await served.http.post("/jsonrpc", json=request(2), headers={"idempotency-key": "k"})
            assert answer.status_code == 422
            assert "another request" in answer.text
            answer = await served.http.post(
                "/jsonrpc", json=request(), headers={"idempotency-key": "k" * (MAX_KEY + 1)}
            )
            assert answer.status_code == 400

    run(main)


def test_answers_are_forgotten_after_their_time_and_beyond_their_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("workers.server.idempotency.MAX_KEYS", 2)

    async def main() -> None:
        answers, runs = Answers(), 0

        async def work() -> bytes:
            nonlocal runs
            runs += 1
            return b"x"

        for key, now in (("a", 0.0), ("a", 599.0), ("a", 600.0)):
            await answers.once(key, b"", now, work)
        assert runs == 2
        for key in ("b", "c"):
            await answers.once(key, b"", 601.0, work)
        assert len(answers) == 2
        await answers.once("a", b"", 602.0, work)
        assert runs == 5

    run(main)


def test_a_call_that_waits_for_one_that_came_to_nothing_runs_itself() -> None:
    async def main() -> None:
        go, runs = asyncio.Event(), 0

        async def execute(_: runtime.Execute) -> Message:
            nonlocal runs
            runs += 1
            if runs == 1:
                await go.wait()
                raise WorkerLost("died")
            return DONE

        async with serving({runtime.Execute: execute}) as served:
            first = asyncio.create_task(post(served, request(), **{"idempotency-key": "k"}))
            await until(lambda: runs)
            second = asyncio.create_task(post(served, request(), **{"idempotency-key": "k"}))
            await until(lambda: served.api.connections.total == 2)
            await asyncio.sleep(0.05)
            go.set()
            assert "error" in await first
            assert "result" in await second

    run(main)


def test_a_call_that_breaks_off_frees_its_key() -> None:
    async def main() -> None:
        answers = Answers()

        async def broken() -> bytes:
            raise RuntimeError("bug")

        with pytest.raises(RuntimeError):
            await answers.once("a", b"", 0, broken)
        assert len(answers) == 0

    run(main)
