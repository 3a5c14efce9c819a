from __future__ import annotations

import asyncio
import socket

import pytest

from node.config.address import parse_listen
from node.errors import ConfigError
from workers.http import listen

LOOPBACK = parse_listen("/ip4/127.0.0.1/tcp/0", "server.listen")


def test_connections_do_not_wait_for_nagle() -> None:
    async def body() -> int:
        found: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accepted(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            connection = writer.get_extra_info("socket")
            found.set_result(connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        sock = listen(LOOPBACK)
        async with await asyncio.start_server(accepted, sock=sock):
            _, writer = await asyncio.open_connection(*sock.getsockname())
            answer = await found
            writer.close()
            await writer.wait_closed()
        return answer

    assert asyncio.run(body()) != 0


def test_a_port_in_use_is_named_with_its_cure() -> None:
    with listen(LOOPBACK) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"{port} on 127\.0\.0\.1.*in use; stop the program"):
            listen(parse_listen(f"/ip4/127.0.0.1/tcp/{port}", "server.listen"))


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(ConfigError, match="no such address"):
        listen(parse_listen("/ip4/192.0.2.1/tcp/0", "server.listen"))
