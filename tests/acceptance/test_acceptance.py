"""The scenarios: short ones whenever the suite runs, the promised sizes by name (``-m slow``)."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable

import pytest

from tests.acceptance.__main__ import SCENARIOS, measure
from tests.acceptance.figures import rank, spread, verdict
from tests.acceptance.proxy import Proxy

LOOSE = frozenset({"synced_s", "times", "to_joiner_p99_ms", "from_joiner_p99_ms", "event_p50_ms"})
"""Figures that mean little here: short times on a machine that runs a whole suite besides, and the bytes of a session,
most of which do not grow with the three entries that differ."""


@pytest.mark.parametrize("name", ["away", "tree", "joins", "apart"])
def test_short(name: str) -> None:
    """Every node ends with the same root (else there is no row), and its figures are of the right order."""
    row = measure(SCENARIOS[name], SCENARIOS[name].short)
    for key in [key.removesuffix("_limit") for key in row if key.endswith("_limit")]:
        assert _number(row[key]) <= _number(row[f"{key}_limit"]) * (10 if key in LOOSE else 1), row


def _number(value: object) -> float:
    assert isinstance(value, int | float)
    return value


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("name", SCENARIOS)
def test_full(name: str) -> None:
    row = measure(SCENARIOS[name], SCENARIOS[name].full)
    assert row["held"], row


def test_a_rank_is_a_value_that_occurred() -> None:
    assert rank(range(1, 101), 99) == 99
    assert rank([3.0, 1.0, 2.0], 50) == 2.0
    assert rank([7.0], 99) == 7.0
    assert math.isnan(rank([], 99))


def test_a_figure_at_its_limit_holds_and_none_or_nan_does_not() -> None:
    assert verdict({"s": 3.0}, [("s", 3.0)])["held"]
    assert not verdict({"s": 3.01}, [("s", 3.0)])["held"]
    assert not verdict({}, [("s", 3.0)])["held"]
    assert not verdict(spread("s", []), [("s_p99_ms", 3.0)])["held"]


async def _with_echo(body: Callable[[Proxy], Awaitable[None]]) -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    async with server, Proxy(*server.sockets[0].getsockname()[:2]) as proxy:
        await body(proxy)


def test_the_proxy_counts_both_ways_and_a_cut_ends_and_refuses() -> None:
    async def body(proxy: Proxy) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"hello")
        assert await reader.readexactly(5) == b"hello"
        assert proxy.bytes == 10
        proxy.cut()
        assert await _ended(reader)
        writer.close()
        other, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        assert await _ended(other)
        writer.close()
        proxy.heal()
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"again")
        assert await reader.readexactly(5) == b"again"
        writer.close()

    asyncio.run(_with_echo(body))


async def _ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await asyncio.wait_for(reader.read(1), 5) == b""
    except ConnectionError:
        return True


def test_a_stall_holds_what_was_sent_until_it_is_healed() -> None:
    async def body(proxy: Proxy) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        proxy.stall()
        writer.write(b"hello")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(reader.readexactly(5), 0.2)
        proxy.heal()
        assert await reader.readexactly(5) == b"hello"
        writer.close()

    asyncio.run(_with_echo(body))
