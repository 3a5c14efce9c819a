"""A real node with all its processes, for tests that are no coroutines."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from calimero_tui import launch

WASM = Path(__file__).parents[2] / "apps" / "wasm"


@contextmanager
def node(home: Path, relayer: str | None = None, settings: tuple[str, ...] = ()) -> Iterator[httpx.Client]:
    """A client of a node that runs until the end: a coordinator, or one that uses the registry at ``relayer``.

    ``settings`` are ``KEY=VALUE`` of its configuration.
    """
    choices: dict[str, Any] = {
        "swarm_hosts": ("127.0.0.1",), "swarm_port": 0, "server_hosts": ("127.0.0.1",), "server_port": 0,
        "boot_network": "none", "mdns": False,
    }  # fmt: skip
    if relayer is None:
        choices["registry_listen"] = f"/ip4/127.0.0.1/tcp/{_free_port()}"
    else:
        choices["relayer_url"] = relayer
    launch.init_node(home, choices)
    if settings:
        launch.change_config(home, settings)
    launch.start_detached(home, {})
    try:
        (url,) = launch.node_status(home)["api"]
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            yield client
    finally:
        launch.stop_node(home)


@contextmanager
def pair(folder: Path, settings: tuple[str, ...] = ()) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """A coordinator and a second node that is connected to it; ``settings`` are of both."""
    with node(folder / "first", settings=settings) as first:
        (relayer,) = launch.node_status(folder / "first")["registry"]
        with node(folder / "second", relayer, settings) as second:
            address = launch.node_status(folder / "first")["swarm"][0]
            peer = first.get("/calimero/v1/peers").json()["data"]["peer"]
            answer = second.post("/calimero/v1/peers", json={"address": f"{address}/p2p/{peer}"})
            assert answer.status_code == 200, answer.text
            yield first, second


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Context:
    """A context of an application, and calls in it."""

    def __init__(self, client: httpx.Client, application: str = "kv") -> None:
        self.client = client
        body: dict[str, Any] = {"path": str(WASM / f"{application}.wasm"), "metadata": []}
        made = client.post("/admin-api/install-dev-application", json=body)
        self.application = made.json()["data"]["applicationId"]
        body = {"protocol": "near", "applicationId": self.application, "initializationParams": list(b"{}")}
        joined = client.post("/admin-api/contexts", json=body).json()["data"]
        self.id, self.member = joined["contextId"], joined["memberPublicKey"]

    def invite(self, other: httpx.Client) -> str:
        """Have another node join; its member there."""
        invitee = other.post("/admin-api/identity/context").json()["data"]["publicKey"]
        body = {"contextId": self.id, "inviterId": self.member, "inviteeId": invitee}
        payload = self.client.post("/admin-api/contexts/invite", json=body).json()["data"]
        joined = other.post("/admin-api/contexts/join", json={"invitationPayload": payload})
        assert joined.status_code == 200, joined.text
        return str(joined.json()["data"]["memberPublicKey"])

    def call(self, method: str, args: Any, **more: Any) -> dict[str, Any]:
        """The ``result`` or ``error`` object."""
        params = {"contextId": self.id, "method": method, "argsJson": args, "executorPublicKey": self.member, **more}
        request = {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params}
        answer = self.client.post("/jsonrpc", json=request)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found.get("result") or found["error"]
