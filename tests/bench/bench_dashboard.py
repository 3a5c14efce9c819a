"""The dashboard under load: 1,000 events a second of 50 contexts; what a key press waits on each screen, what it costs.

The node is another process. A key is timed from the moment at which a thread beside the event loop presses it until the
screen has been drawn again, so a loop that is held up counts.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import multiprocessing
import threading
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from multiprocessing.connection import Connection

from starlette.websockets import WebSocketDisconnect
from textual import events

from calimero_tui.tui.app import Dashboard, settle
from tests.tui.dashboard.station import ContextState, Station, ident, stations

CONTEXTS = 50
EVENTS_PER_SECOND = 1_000
TICK = 0.01
SECONDS = 12.0
WARM = 4.0
"""Seconds before the first key, in which the log fills and what was imported settles."""

PAUSE = 0.06
SIZE = (120, 40)
CASES = {
    "events": ("events", ("up", "down")),
    "contexts": ("contexts", ("down", "up")),
    "overview": ("overview", ("down", "up")),
    "focus": ("overview", ("tab",)),
}
"""Screen, and keys that are pressed in turn, by case. Moving the focus has Textual look up styles of every table."""


def run() -> Iterator[dict[str, object]]:
    for name, (screen, keys) in CASES.items():
        yield {"case": name, **asyncio.run(_measured(screen, keys))}


async def _measured(screen: str, keys: Sequence[str]) -> dict[str, object]:
    async with _node() as url:
        app = Dashboard([url])
        undo = settle(asyncio.get_running_loop())
        try:
            async with app.run_test(size=SIZE):
                await _until_counting(app)
                app.action_open(screen)
                await asyncio.sleep(WARM)
                return await _pressed(app, keys)
        finally:
            undo()
            gc.collect()


async def _until_counting(app: Dashboard) -> None:
    async with asyncio.timeout(30):
        while not app.network.log.total or len(app.network.contexts()) < CONTEXTS:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def _pressed(app: Dashboard, keys: Sequence[str]) -> dict[str, object]:
    loop, times = asyncio.get_running_loop(), list[float]()
    total, cpu, began = app.network.log.total, time.process_time(), time.perf_counter()
    done, sent = asyncio.Event(), 0

    def send(key: str, pressed: float) -> None:
        nonlocal sent
        sent += 1
        app.post_message(events.Key(key, None))
        app.call_later(lambda: app.screen.call_after_refresh(lambda: times.append(time.perf_counter() - pressed)))

    def press() -> None:
        number = 0
        while time.perf_counter() < began + SECONDS:
            loop.call_soon_threadsafe(send, keys[number % len(keys)], time.perf_counter())
            number += 1
            time.sleep(PAUSE)
        loop.call_soon_threadsafe(done.set)

    thread = threading.Thread(target=contextvars.copy_context().run, args=(press,))
    thread.start()
    await done.wait()
    spent, used = time.perf_counter() - began, time.process_time() - cpu
    thread.join()
    async with asyncio.timeout(60):
        while len(times) < sent:  # noqa: ASYNC110 - the screen is drawn by others
            await asyncio.sleep(0.05)
    times.sort()
    return {
        "contexts": CONTEXTS,
        "events_per_second": (app.network.log.total - total) / spent,
        "keys": len(times),
        "key_p50_ms": times[len(times) // 2] * 1000,
        "key_p99_ms": times[len(times) * 99 // 100] * 1000,
        "core_percent": 100 * used / spent,
    }


# -- the node


@asynccontextmanager
async def _node() -> AsyncIterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(theirs,))
    process.start()
    try:
        yield await asyncio.to_thread(ours.recv)
    finally:
        ours.send("end")
        await asyncio.to_thread(process.join)


def _serve(end: Connection) -> None:
    asyncio.run(_emit(end))


async def _emit(end: Connection) -> None:
    """Events at an even rate, a few at each tick, until the other end says so. The dashboard is gone by then."""
    with suppress(WebSocketDisconnect, RuntimeError):
        await _emitting(end)


async def _emitting(end: Connection) -> None:
    async with stations(Station(contexts=[ContextState(ident(n)) for n in range(CONTEXTS)])) as (station,):
        end.send(station.url)
        sent, began = 0, time.perf_counter()
        while not end.poll():
            if not station.watchers:
                sent, began = 0, time.perf_counter()
            due = int((time.perf_counter() - began) * EVENTS_PER_SECOND)
            for number in range(sent, due):
                await station.emit(data={"key": f"key {number}", "value": "v" * 20}, context=number % CONTEXTS)
            sent = max(sent, due)
            await asyncio.sleep(TICK)
