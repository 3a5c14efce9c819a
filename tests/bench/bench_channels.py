"""Channels between two processes: round trip, pipelined requests, notes and large answers.

The far end is a blocking hub in a process of its own, as a runtime worker is; the near end is each of the shells.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import trio

from workers.channels.asyncio_ import Channel as AsyncChannel
from workers.channels.blocking import Hub
from workers.channels.link import socket_pair
from workers.channels.peers import ignore, refuse
from workers.channels.trio_ import Channel as TrioChannel
from workers.messages import Message, Request
from workers.messages.control import ListWorkers, LogLine, Ping, Pong, Stop

ROUNDS = 3000
PIPELINED = 10_000
WINDOW = 64
LARGE = 1_000_000
LARGE_ROUNDS = 100

Ask = Callable[[Request[Any]], Awaitable[Message]]
Row = dict[str, object]


def _serve(sock: socket.socket) -> None:
    big = LogLine(0.0, "info", "big", "x" * LARGE)

    def answer(_: str, request: Request[Any]) -> Message:
        return Pong(0.0) if isinstance(request, Ping) else big

    hub = Hub(answer, lambda *_: hub.stop(), on_lost=lambda *_: hub.stop())
    hub.attach("near", sock)
    hub.run()
    hub.close()


def _row(name: str, value: float, unit: str) -> Row:
    return {"name": name, "value": round(value, 2), "unit": unit}


def _times(name: str, seconds: list[float]) -> Iterator[Row]:
    ordered = sorted(seconds)
    yield _row(f"{name}: round trip p50", statistics.median(ordered) * 1e6, "µs")
    yield _row(f"{name}: round trip p99", ordered[int(len(ordered) * 0.99)] * 1e6, "µs")


async def _round_trips(ask: Ask) -> list[float]:
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        await ask(Ping())
        seconds.append(time.perf_counter() - begun)
    return seconds


async def _large(ask: Ask) -> float:
    begun = time.perf_counter()
    for _ in range(LARGE_ROUNDS):
        await ask(ListWorkers())
    return LARGE * LARGE_ROUNDS / (time.perf_counter() - begun) / 1e6


async def _asyncio(near: socket.socket) -> list[Row]:
    async def nothing(_: str, request: Request[Any]) -> Message:
        return refuse(request)

    channel = AsyncChannel("far", near, nothing, ignore)
    rows = list(_times("asyncio to blocking", await _round_trips(channel.request)))
    begun = time.perf_counter()
    left = iter(range(PIPELINED))

    async def worker() -> None:
        for _ in left:
            await channel.request(Ping())

    await asyncio.gather(*(worker() for _ in range(WINDOW)))
    rows.append(
        _row(f"asyncio to blocking: {WINDOW} at a time", PIPELINED / (time.perf_counter() - begun), "requests/s")
    )
    rows.append(_row("asyncio to blocking: answers of 1 MB", await _large(channel.request), "MB/s"))
    channel.note(Stop())
    await asyncio.sleep(0.05)
    channel.close()
    return rows


async def _trio(near: socket.socket) -> list[Row]:
    async def nothing(_: str, request: Request[Any]) -> Message:
        return refuse(request)

    async with trio.open_nursery() as nursery:
        channel = TrioChannel("far", near, nothing, ignore, nursery=nursery)
        rows = list(_times("trio to blocking", await _round_trips(channel.request)))
        rows.append(_row("trio to blocking: answers of 1 MB", await _large(channel.request), "MB/s"))
        channel.note(Stop())
        await trio.sleep(0.05)
        channel.close()
    return rows


def _blocking(near: socket.socket) -> list[Row]:
    hub = Hub(lambda _, request: refuse(request), ignore)
    hub.attach("far", near)
    seconds = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        hub.request("far", Ping())
        seconds.append(time.perf_counter() - begun)
    hub.note("far", Stop())
    hub.flush(1.0)
    hub.close()
    return list(_times("blocking to blocking", seconds))


def _with_far_end(measure: Callable[[socket.socket], list[Row]]) -> list[Row]:
    near, far = socket_pair()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(far,))
    process.start()
    far.close()
    rows = measure(near)
    process.join()
    return rows


def run() -> Iterator[Row]:
    yield from _with_far_end(lambda near: asyncio.run(_asyncio(near)))
    yield from _with_far_end(lambda near: trio.run(_trio, near))
    yield from _with_far_end(_blocking)
