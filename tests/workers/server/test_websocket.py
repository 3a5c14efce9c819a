from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from node.config.model import WebSocket
from node.primitives import ContextId, Hash
from tests.node.api.ids import CTX
from tests.workers.server.scripted import Served, node_config, raw_request, run, serving, until
from workers.messages import runtime
from workers.server import hub as hub_module
from workers.server.hub import Hub, Subscriber

OTHER = ContextId(b"\x09" * 32)
ROOT = Hash(b"\x03" * 32)
EVENTS = b'[{"kind":"Inserted","data":[123,125],"handler":null}]'


@asynccontextmanager
async def client(served: Served, path: str = "/ws", **options: Any) -> AsyncIterator[ClientConnection]:
    async with connect(served.url.replace("http", "ws") + path, proxy=None, **options) as socket:
        yield socket


async def subscribe(socket: ClientConnection, *contexts: ContextId, method: str = "subscribe") -> Any:
    request = {"id": 1, "method": method, "params": {"contextIds": [str(context) for context in contexts]}}
    await socket.send(json.dumps(request))
    return json.loads(await socket.recv())


def test_events_of_subscribed_contexts_arrive_in_their_form() -> None:
    async def main() -> None:
        async with serving() as served, client(served) as socket:
            assert await subscribe(socket, CTX) == {"id": 1, "result": {"contextIds": [str(CTX)]}}
            served.tell(runtime.StateChanged(OTHER, ROOT, EVENTS))
            served.tell(runtime.Noticed("sync", "done", 1, CTX, b"{}"))
            served.tell(runtime.StateChanged(CTX, ROOT, EVENTS))
            assert json.loads(await socket.recv()) == {
                "id": None,
                "result": {
                    "contextId": str(CTX),
                    "type": "StateMutation",
                    "data": {
                        "newRoot": str(ROOT),
                        "events": [{"kind": "Inserted", "data": [123, 125], "handler": None}],
                    },
                },
            }
            await subscribe(socket, CTX, method="unsubscribe")
            served.tell(runtime.StateChanged(CTX, ROOT, EVENTS))
            assert (await subscribe(socket, OTHER))["result"]

    run(main)


def test_binary_messages_and_nonsense_are_dropped() -> None:
    async def main() -> None:
        async with serving() as served, client(served) as socket:
            await socket.send(b"\x00\x01")
            await socket.send("nonsense")
            await socket.send('{"id":"text","method":"subscribe"}')
            assert (await subscribe(socket, CTX))["id"] == 1

    run(main)


def test_the_dashboard_stream_has_everything() -> None:
    async def main() -> None:
        async with serving() as served, client(served, "/calimero/v1/events") as socket:
            await until(lambda: served.api.hub.clients)
            served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
            served.tell(runtime.Noticed("peer", "connected", 2_500_000_000, None, b'{"peer":"p"}'))
            first, second = json.loads(await socket.recv()), json.loads(await socket.recv())
            assert first["type"] == "StateMutation"
            assert second == {
                "contextId": None,
                "type": "Notice",
                "data": {"kind": "peer", "name": "connected", "at": 2.5, "fields": {"peer": "p"}},
            }

    run(main)


def test_a_client_that_does_not_read_is_cut_off_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "QUEUE", 50)

    async def main() -> None:
        async with serving() as served, client(served, max_queue=1, write_limit=1024) as slow, client(served) as quick:
            await subscribe(slow, CTX)
            await subscribe(quick, CTX)
            big = json.dumps([{"kind": "x", "data": [1] * 30_000, "handler": None}]).encode()
            sent = 0
            while not served.api.hub.cut:
                served.tell(runtime.StateChanged(CTX, ROOT, big))
                sent += 1
                await asyncio.wait_for(quick.recv(), 5)
            assert (served.api.hub.cut, served.api.hub.clients) == (1, 1)
            served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
            assert json.loads(await quick.recv())["result"]["data"]["events"] == []
            slow.transport.abort()

    run(main)


def test_one_event_is_framed_once_for_all() -> None:
    async def main() -> None:
        hub, made = Hub(), []

        def frame(text: str) -> str:
            made.append(text)
            return text

        readers = [Subscriber(None, frame) for _ in range(10)]
        assert all(hub.join(reader) for reader in readers)
        hub.take("runtime[0]", runtime.StateChanged(CTX, ROOT, b"[]"))
        assert len(made) == 1
        assert {await reader.get() for reader in readers} == set(made)

    run(main)


def test_queues_are_bounded_by_bytes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "QUEUE_BYTES", 100)

    async def main() -> None:
        reader = Subscriber(None)
        assert reader.put("x" * 500)
        assert not reader.put("y")
        assert await reader.get() is None

    run(main)


def test_clients_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "MAX_CLIENTS", 1)

    async def main() -> None:
        async with serving() as served, client(served) as first:
            await subscribe(first, CTX)
            async with client(served) as second:
                with pytest.raises(ConnectionClosed) as closed:
                    await second.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1013

    run(main)


def test_a_client_that_does_not_answer_pings_is_closed_with_1002() -> None:
    async def main() -> None:
        config = node_config(websocket=WebSocket(ping_interval_secs=1, pong_timeout_secs=1))
        async with serving(config=config) as served:
            reader, writer = await asyncio.open_connection(*served.address)
            writer.write(
                b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
                b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
            )
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            rest = await reader.read()
            assert rest.endswith(b"\x88\x0e\x03\xeaPing timeout")
            writer.close()

    run(main)


@pytest.mark.parametrize(
    ("headers", "text"),
    [
        (b"", b"Connection header did not include 'upgrade'"),
        (b"connection: upgrade\r\n", b"`Upgrade` header did not include 'websocket'"),
    ],
)
def test_a_request_without_upgrade_is_told_what_is_missing(headers: bytes, text: bytes) -> None:
    async def main() -> None:
        async with serving() as served:
            reader, writer = await asyncio.open_connection(*served.address)
            writer.write(b"GET /ws HTTP/1.1\r\nhost: x\r\n" + headers + b"\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 400 ")
            assert b"text/plain" in head
            assert (
                await reader.readexactly(len(b"Invalid WebSocket upgrade request: " + text))
                == b"Invalid WebSocket upgrade request: " + text
            )
            writer.close()

    run(main)


def test_a_message_beyond_the_frame_limit_ends_the_connection() -> None:
    async def main() -> None:
        async with serving() as served, client(served) as socket:
            await socket.send("x" * ((1 << 20) + 1))
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code == 1009

    run(main)


def test_streams_get_what_waits_and_end_when_the_node_stops() -> None:
    async def main() -> None:
        async with serving() as served, client(served) as socket:
            await subscribe(socket, CTX)
            served.tell(runtime.StateChanged(CTX, ROOT, b"[]"))
            await until(lambda: served.api.hub.sent)
            await served.stop()
            assert json.loads(await socket.recv())["id"] is None
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert closed.value.rcvd.code in (1001, 1012)

    run(main)


def test_a_connection_that_asks_for_nothing_else_is_answered() -> None:
    async def main() -> None:
        async with serving() as served:
            assert (await raw_request(served, b"GARBAGE\r\n\r\n")).startswith(b"HTTP/1.1 400 ")

    run(main)
