"""The stream of log lines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from node.api.history import History
from node.api.route import OWN
from tests.workers.server.scripted import Served, run, serving, until
from workers.server import logs
from workers.server.growth import MAX_STREAMS, LogGrowth

STREAM = f"{OWN}/logs/stream"


@asynccontextmanager
async def streaming(served: Served, path: str = STREAM, **headers: str) -> AsyncIterator[AsyncIterator[str]]:
    """The frames of a stream, without the comment at its beginning."""
    async with served.http.stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        frames = _frames(answer)
        assert await anext(frames) == ":"
        yield frames


async def _frames(answer: httpx.Response) -> AsyncIterator[str]:
    parts: list[str] = []
    async for line in answer.aiter_lines():
        if line:
            parts.append(line)
        elif parts:
            yield "\n".join(parts)
            parts.clear()


def line(number: int) -> str:
    return json.dumps({"text": number})


def write(served: Served, *numbers: int) -> None:
    assert served.script.logs is not None
    for number in numbers:
        served.script.logs.add(line(number))
    served.api.logs.grew()


def test_lines_come_as_they_are_written() -> None:
    async def main() -> None:
        async with serving() as served:
            served.script.logs = History()
            write(served, 1, 2)
            async with streaming(served) as frames:
                assert [await anext(frames) for _ in "12"] == [f"id: {n}\ndata: {line(n)}" for n in (1, 2)]
                write(served, 3)
                assert await asyncio.wait_for(anext(frames), 1) == f"id: 3\ndata: {line(3)}"
            await until(lambda: served.api.logs.streams == 0)

    run(main)


@pytest.mark.parametrize(("path", "headers"), [(f"{STREAM}?after=2", {}), (STREAM, {"last-event-id": "2"})])
def test_a_stream_goes_on_where_it_stopped(path: str, headers: dict[str, str]) -> None:
    async def main() -> None:
        async with serving() as served:
            served.script.logs = History()
            write(served, 1, 2, 3)
            async with streaming(served, path, **headers) as frames:
                assert await anext(frames) == f"id: 3\ndata: {line(3)}"

    run(main)


def test_a_stream_is_told_what_is_no_longer_kept() -> None:
    async def main() -> None:
        async with serving() as served:
            served.script.logs = History(max_events=1)
            write(served, 1, 2, 3)
            async with streaming(served) as frames:
                assert await anext(frames) == "event: lost\ndata: {}"
                assert await anext(frames) == f"id: 3\ndata: {line(3)}"

    run(main)


def test_a_silent_stream_is_kept_alive_and_ends_with_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "KEEP_ALIVE_SECONDS", 0.01)

    async def main() -> None:
        async with serving() as served:
            served.script.logs = History()
            async with streaming(served) as frames:
                assert await anext(frames) == ":"
                await served.stop()
                assert {frame async for frame in frames} <= {":"}

    run(main)


def test_streams_beyond_the_limit_are_refused() -> None:
    growth = LogGrowth()
    assert all(growth.join() for _ in range(MAX_STREAMS))
    assert not growth.join()
    growth.leave()
    assert growth.join()

    async def main() -> None:
        async with serving() as served:
            served.api.logs.streams = MAX_STREAMS
            answer = await served.http.get(STREAM)
            assert answer.status_code == 503
            assert "too many log streams" in answer.json()["error"]

    run(main)
