"""Whatever is asked: no fault of the server, no status that the route does not tell, JSON where JSON is promised."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from websockets.asyncio.client import connect

from node.api.models import from_text
from node.api.route import Content
from tests.workers.server.grammar import Grammar, Sent
from tests.workers.server.real import Context, node
from tests.workers.server.scripted import Served, run, serving

CASES = 700
MANY = 20_000
ALWAYS = {404, 405}
"""Statuses that need no mention: a path that is none, a method that is none."""


def check(sent: Sent, answer: httpx.Response) -> str | None:
    """What is wrong with an answer."""
    what = f"{sent.method} {sent.path} {sent.body!r}: {answer.status_code} {answer.text[:300]}"
    if "internal fault" in answer.text:
        return what
    if sent.method == sent.route.method and answer.status_code not in ALWAYS | set(sent.route.every_status):
        return f"undocumented status: {what}"
    kind = answer.headers.get("content-type", "")
    if kind.startswith("application/json") and sent.method != "HEAD":
        try:
            answer.json()
        except ValueError:
            return f"no JSON: {what}"
    if sent.method == sent.route.method and answer.status_code == 200 and sent.route.content is Content.JSON:
        return _shape(sent, answer, what)
    return None


def _shape(sent: Sent, answer: httpx.Response, what: str) -> str | None:
    """A good answer has the shape of the table; batches have several."""
    found = answer.json()
    if sent.route.answer is None or isinstance(found, list):
        return None
    try:
        msgspec.convert(found["data"] if sent.route.wrapped else found, type=sent.route.answer, dec_hook=from_text)
    except (msgspec.ValidationError, KeyError, TypeError) as error:
        return f"another shape ({error}): {what}"
    return None


async def ask(http: httpx.AsyncClient, sent: Sent) -> httpx.Response:
    """Event streams do not end, so they are left at once."""
    request = http.build_request(sent.method, sent.path, content=sent.body, headers=sent.headers)
    answer = await http.send(request, stream=True)
    if answer.headers.get("content-type", "").startswith("text/event-stream"):
        answer._content = b""
        await answer.aclose()
    else:
        await answer.aread()
    return answer


async def storm(http: httpx.AsyncClient, grammar: Grammar, count: int) -> tuple[list[str], Counter[int]]:
    problems, statuses = [], Counter[int]()
    for _ in range(count):
        sent = grammar.request()
        answer = await ask(http, sent)
        statuses[answer.status_code] += 1
        if (problem := check(sent, answer)) is not None:
            problems.append(problem)
    return problems, statuses


@pytest.mark.timeout(60)
def test_any_request_is_answered_as_the_table_says() -> None:
    """The workers refuse everything, so that every way to refuse is gone."""

    async def main() -> None:
        async with serving() as served:
            problems, statuses = await storm(served.http, Grammar(1), CASES)
            assert problems == []
            assert served.api.metrics.faults == 0
            assert {400, 404, 405, 422, 500} <= statuses.keys()

    run(main, 50)


def test_any_websocket_message_is_answered_or_dropped() -> None:
    async def main() -> None:
        async with serving() as served:
            await _talk(served, Grammar(2), 500)
            assert served.api.metrics.faults == 0

    run(main)


async def _talk(served: Served, grammar: Grammar, count: int) -> None:
    async with connect(served.url.replace("http", "ws") + "/ws", proxy=None) as socket:
        for _ in range(count):
            value: Any = grammar._subscription()
            value["id"] = grammar.random.choice([None, 1, "x", -1, 1.5])
            await socket.send(json.dumps(value) if grammar._often() else grammar.random.randbytes(8))
        await socket.send('{"id":99,"method":"subscribe","params":{"contextIds":[]}}')
        async with asyncio.timeout(10):
            while json.loads(await socket.recv())["id"] != 99:
                pass


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_real_node_answers_many_requests_as_the_table_says(tmp_path: Path) -> None:
    """Against real workers, with ids that exist. ``SEED`` chooses other requests."""
    with node(tmp_path / "one") as client:
        context = Context(client)
        context.call("set", {"key": "a", "value": "b"})
        known = [context.id, context.member, context.application] * 3
        seed = int(os.environ.get("SEED", "3"))

        async def main() -> None:
            async with httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=60) as http:
                parts = await asyncio.gather(
                    *(storm(http, Grammar(seed * 100 + n, known), MANY // 8) for n in range(8))
                )
            assert [problem for problems, _ in parts for problem in problems][:20] == []

        asyncio.run(main())
        again = Context(client)
        assert again.call("set", {"key": "a", "value": "b"}) == {"output": None}
        assert client.get("/ready").json()["ready"] is True
