from __future__ import annotations

from typing import Any

import msgspec
import pytest

from node.api.route import ADMIN, OWN
from node.config.model import EmbeddedAuth, Jwt, Module, Server, WebSocket
from node.errors import ConfigError
from tests.workers.server.scripted import LOOPBACK, node_config, run, serving
from workers.server.main import DRAIN_SECONDS, bind, check, chosen, path_prefix, url


def with_server(**tables: Any) -> Any:
    return msgspec.structs.replace(node_config(), server=Server(listen=(LOOPBACK,), **tables))


def paths(config: Any) -> set[str]:
    routes, sockets = chosen(config)
    return {route.path for route in routes} | {f"ws:{socket.path}" for socket in sockets}


def test_a_module_without_its_table_is_off() -> None:
    assert paths(with_server()) == {"/metrics", "/health", "/ready", "/api-docs"}


def test_each_module_switches_its_own_routes() -> None:
    admin = paths(with_server(admin=Module()))
    assert f"{ADMIN}/contexts" in admin
    assert f"{OWN}/workers" in admin
    assert "/jsonrpc" not in admin
    assert "/jsonrpc" in paths(with_server(jsonrpc=Module()))
    assert {"ws:/ws", "/ws", f"ws:{OWN}/events"} <= paths(with_server(websocket=WebSocket()))
    assert "/sse" in paths(with_server(sse=Module()))
    assert "/sse" not in paths(with_server(sse=Module(enabled=False)))


def test_a_read_only_node_runs_no_calls() -> None:
    config = msgspec.structs.replace(with_server(jsonrpc=Module()), mode="readonly")
    assert "/jsonrpc" not in paths(config)


def test_a_guarded_mode_that_is_not_offered_never_starts_open() -> None:
    check(with_server())
    with pytest.raises(ConfigError, match=r"auth_mode.*embedded"):
        check(with_server(auth_mode="embedded", embedded_auth=EmbeddedAuth(jwt=Jwt(issuer="x"))))


@pytest.mark.parametrize(("text", "prefix"), [("", ""), ("/", ""), ("a", "/a"), ("/a/b/", "/a/b")])
def test_the_path_prefix_has_one_form(text: str, prefix: str) -> None:
    assert path_prefix({"NODE_PATH_PREFIX": text}) == prefix
    assert path_prefix({}) == ""


def test_port_0_takes_a_free_port_and_tells_it() -> None:
    (sock,) = bind((LOOPBACK,))
    with sock:
        host, port = sock.getsockname()
        assert url(sock) == f"http://{host}:{port}"
        assert port > 0


def test_an_address_that_cannot_be_had_is_fatal_only_as_the_last_hope(caplog: pytest.LogCaptureFixture) -> None:
    foreign = "/ip4/192.0.2.1/tcp/0"
    (sock,) = bind((foreign, LOOPBACK))
    sock.close()
    assert "192.0.2.1" in caplog.text
    with pytest.raises(ConfigError, match=r"192\.0\.2\.1"):
        bind((foreign,))
    with pytest.raises(ConfigError, match=r"server\.listen is empty"):
        bind(())


def test_calls_under_way_get_their_answers_when_the_node_stops() -> None:
    import asyncio

    from node.primitives import Hash
    from tests.node.api.ids import CTX, PK
    from tests.workers.server.scripted import until
    from workers.messages import Message, runtime

    go = asyncio.Event()

    async def execute(_: runtime.Execute) -> Message:
        await go.wait()
        return runtime.Executed(b"1", Hash(bytes(32)))

    async def main() -> None:
        async with serving({runtime.Execute: execute}) as served:
            params = {"contextId": str(CTX), "method": "m", "argsJson": {}, "executorPublicKey": str(PK)}
            request = {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params}
            call = asyncio.create_task(served.http.post("/jsonrpc", json=request))
            await until(lambda: served.script.asked)
            await served.stop(DRAIN_SECONDS)
            await until(lambda: not served.server.servers or not served.server.servers[0].is_serving())
            go.set()
            assert (await call).json()["result"] == {"output": 1}

    run(main)
