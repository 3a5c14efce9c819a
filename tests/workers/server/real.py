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
def node(home: Path) -> Iterator[httpx.Client]:
    """A client of a coordinator node that runs until the end."""
    registry = _free_port()
    choices = {
        "swarm_hosts": ("127.0.0.1",), "swarm_port": 0, "server_hosts": ("127.0.0.1",), "server_port": 0,
        "boot_network": "none", "mdns": False, "registry_listen": f"/ip4/127.0.0.1/tcp/{registry}",
        "relayer_url": f"http://127.0.0.1:{registry}",
    }  # fmt: skip
    launch.init_node(home, choices)
    launch.start_detached(home, {})
    try:
        (url,) = launch.node_status(home)["api"]
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            yield client
    finally:
        launch.stop_node(home)


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

    def call(self, method: str, args: Any, **more: Any) -> dict[str, Any]:
        """The ``result`` or ``error`` object."""
        params = {"contextId": self.id, "method": method, "argsJson": args, "executorPublicKey": self.member, **more}
        request = {"jsonrpc": "2.0", "id": 1, "method": "execute", "params": params}
        answer = self.client.post("/jsonrpc", json=request)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found.get("result") or found["error"]
