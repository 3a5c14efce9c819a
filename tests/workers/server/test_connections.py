from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from tests.workers.server.scripted import Served, raw_request, run, serving, until
from tests.workers.server.test_blobs import Rows
from workers.server.connections import Connections, Limits
from workers.server.main import MAX_HEADER

HEALTH = b"GET /admin-api/health HTTP/1.1\r\nhost: x\r\n\r\n"


async def closed(served: Served, *parts: bytes) -> bytes:
    """Send, and wait until the server closes; what it said."""
    reader, writer = await asyncio.open_connection(*served.address)
    for part in parts:
        writer.write(part)
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


def test_a_silent_connection_is_cut_off() -> None:
    async def main() -> None:
        async with serving(limits=Limits(header=0.1)) as served:
            assert await closed(served) == b""
            assert served.api.connections.cut["header"] == 1
            await until(lambda: not served.api.connections.total)

    run(main)


async def _trickle(writer: asyncio.StreamWriter, head: bytes) -> None:
    for byte in head:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.01)


def test_a_header_that_comes_too_slowly_is_cut_off() -> None:
    async def main() -> None:
        async with serving(limits=Limits(header=0.2)) as served:
            _, writer = await asyncio.open_connection(*served.address)
            with pytest.raises(ConnectionError):
                await _trickle(writer, b"GET / HTTP/1.1\r\nx-long: " + b"x" * 1000)
            writer.close()
            assert served.api.connections.cut["header"] == 1

    run(main)


def test_the_deadline_holds_for_later_requests_too() -> None:
    async def main() -> None:
        async with serving(limits=Limits(header=0.2)) as served:
            said = await closed(served, HEALTH, b"GET /he")
            assert said.count(b"HTTP/1.1 200 OK") == 1
            assert served.api.connections.cut["header"] == 1

    run(main)


def test_a_connection_between_requests_is_left_alone() -> None:
    async def main() -> None:
        async with serving(limits=Limits(header=0.1)) as served:
            reader, writer = await asyncio.open_connection(*served.address)
            for _ in range(3):
                writer.write(HEALTH)
                await reader.readuntil(b'"alive"}}')
                await asyncio.sleep(0.15)
            assert served.api.connections.cut == {}
            writer.close()

    run(main)


def test_a_connection_that_is_not_used_again_is_closed() -> None:
    async def main() -> None:
        async with serving(limits=Limits(idle=1)) as served:
            said = await closed(served, HEALTH)
            assert said.count(b"HTTP/1.1 200 OK") == 1
            assert served.api.connections.cut == {"idle": 1}
            await until(lambda: not served.api.connections.total)

    run(main)


def test_each_request_begins_the_idle_time_anew() -> None:
    async def main() -> None:
        async with serving(limits=Limits(idle=30)) as served:
            reader, writer = await asyncio.open_connection(*served.address)
            for _ in range(3):
                writer.write(HEALTH)
                await reader.readuntil(b'"alive"}}')
            assert served.api.connections.total == 1
            assert served.api.connections.cut == {}
            writer.close()

    run(main)


def test_an_upgraded_connection_is_left_alone() -> None:
    async def main() -> None:
        async with serving(limits=Limits(header=0.1)) as served:
            async with connect(served.url.replace("http", "ws") + "/ws", proxy=None) as socket:
                await asyncio.sleep(0.2)
                await socket.send('{"id":1,"method":"subscribe","params":{"contextIds":[]}}')
                assert '"id":1' in str(await socket.recv())
                assert served.api.connections.total == 1
            await until(lambda: not served.api.connections.total)
            assert served.api.connections.cut == {}

    run(main)


def test_a_client_that_does_not_read_its_answer_is_cut_off(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(Rows().answers(), home=tmp_path, limits=Limits(write=0.2)) as served:
            blob = (await served.http.put("/admin-api/blobs", content=b"x" * (32 << 20))).json()["data"]["blob_id"]
            _, writer = await asyncio.open_connection(*served.address, limit=1024)
            writer.write(b"GET /admin-api/blobs/%s HTTP/1.1\r\nhost: x\r\n\r\n" % blob.encode())
            await until(lambda: served.api.connections.cut["write"])
            writer.transport.abort()

    run(main)


def test_more_connections_than_allowed_are_refused() -> None:
    async def main() -> None:
        async with serving(limits=Limits(connections=10, per_address=2)) as served:
            held = [await asyncio.open_connection(*served.address) for _ in range(2)]
            await until(lambda: served.api.connections.total == 2)
            said = await raw_request(served)
            assert said.startswith(b"HTTP/1.1 503 ")
            assert said.endswith(b"too many connections")
            assert served.api.connections.refused == 1
            held[0][1].close()
            await until(lambda: served.api.connections.total == 1)
            assert (await served.http.get("/admin-api/health")).status_code == 200
            held[1][1].close()

    run(main)


def test_the_count_is_by_address_and_altogether() -> None:
    counts = Connections(Limits(connections=3, per_address=2))
    assert [counts.enter(address) for address in "aaabb"] == [True, True, False, True, False]
    counts.leave("a")
    assert counts.enter("b")
    for address in "abb":
        counts.leave(address)
    assert (counts.total, counts.open, counts.refused) == (0, {}, 2)


def test_a_header_beyond_its_limit_is_refused() -> None:
    async def main() -> None:
        async with serving() as served:
            head = b"GET / HTTP/1.1\r\nhost: x\r\nx-long: "
            said = await closed(served, head + b"x" * (MAX_HEADER + 65_536))
            assert said.startswith(b"HTTP/1.1 400 ") or said == b""
            answer = await served.http.get("/admin-api/health", headers={"x-long": "x" * (MAX_HEADER - 1024)})
            assert answer.status_code == 200

    run(main)


def test_pipelined_requests_are_answered_in_order() -> None:
    async def main() -> None:
        async with serving() as served:
            last = HEALTH.replace(b"host: x", b"host: x\r\nconnection: close")
            said = await closed(served, HEALTH * 3 + last)
            assert said.count(b"HTTP/1.1 200 OK") == 4

    run(main)
