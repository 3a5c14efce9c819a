"""Nodes of both kinds for one test: ours, and a binary with merod's command line. All on loopback, stopped at the end.

Where the binary is and where the logs are kept comes from the environment, which ``tests/interop/run`` sets.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, Final

import httpx
import tomlkit

from calimero_tui import launch

BINARY: Final = "INTEROP_BINARY"
LOGS: Final = "INTEROP_LOGS"
READY_TIMEOUT: Final = 60.0
PORTS: Final = range(20_000, 32_000)
"""Below those that the system gives to outgoing connections: a node comes back at the port that it had."""

REFERENCE_LOG: Final = "info,calimero_=debug,libp2p_gossipsub=info"


class House(ABC):
    """A node with its directory. It can be stopped and started again, and keeps its addresses."""

    kind: str

    def __init__(self, name: str, folder: Path, relayer: str, known: tuple[str, ...] = ()) -> None:
        self.name = name
        self.folder = folder
        self.swarm, self.server = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.server}"
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=60)
        self.peer_id = self.make(relayer, known)

    @property
    def home(self) -> Path:
        return self.folder / self.name

    @property
    def address(self) -> str:
        return f"/ip4/127.0.0.1/tcp/{self.swarm}/p2p/{self.peer_id}"

    @abstractmethod
    def make(self, relayer: str, known: tuple[str, ...]) -> str:
        """Write the settings; the peer id."""

    @abstractmethod
    def start(self) -> None:
        """Start and wait until the API answers."""

    @abstractmethod
    def stop(self) -> None:
        """Stop, if it runs."""

    @abstractmethod
    def log(self) -> Path: ...

    def peers(self) -> int:
        return int(self.get("/admin-api/peers")["count"])

    def get(self, path: str) -> Any:
        return _read(self.client.get(path))

    def post(self, path: str, body: Any = None) -> Any:
        return _read(self.client.post(path, json=body))


class Ours(House):
    """A node of this repository with all its processes; with ``registry`` also the coordinator."""

    kind = "ours"
    registry: int = 0

    def make(self, relayer: str, known: tuple[str, ...]) -> str:
        choices: dict[str, Any] = {
            "swarm_hosts": ("127.0.0.1",), "swarm_port": self.swarm, "server_hosts": ("127.0.0.1",),
            "server_port": self.server, "boot_network": "none", "boot_nodes": known, "mdns": False,
        }  # fmt: skip
        if not relayer:
            self.registry = free_port()
            choices["registry_listen"] = f"/ip4/127.0.0.1/tcp/{self.registry}"
        choices["relayer_url"] = relayer or f"http://127.0.0.1:{self.registry}"
        self.relayer = choices["relayer_url"]
        return str(launch.init_node(self.home, choices)["peer_id"])

    def start(self) -> None:
        launch.start_detached(self.home, {"log.filter": "info"})

    def stop(self) -> None:
        launch.stop_node(self.home)

    def log(self) -> Path:
        return self.home / launch.LOG_FILE


class Theirs(House):
    """A node of the reference."""

    kind = "theirs"
    process: subprocess.Popen[bytes] | None = None

    def make(self, relayer: str, known: tuple[str, ...]) -> str:
        self.home.parent.mkdir(parents=True, exist_ok=True)
        options = [
            "--swarm-host=127.0.0.1", f"--swarm-port={self.swarm}", "--server-host=127.0.0.1",
            f"--server-port={self.server}", f"--relayer-url={relayer}", "--no-mdns",
        ]  # fmt: skip
        subprocess.run([*self._command(), "init", *options], check=True, capture_output=True, timeout=60)
        file = self.home / "config.toml"
        document: Any = tomlkit.parse(file.read_text())
        # merod has no option that leaves its public boot nodes out.
        document["bootstrap"]["nodes"] = list(known)
        document["swarm"]["listen"] = [f"/ip4/127.0.0.1/tcp/{self.swarm}"]
        file.write_text(tomlkit.dumps(document))
        return str(document["identity"]["peer_id"])

    def _command(self) -> list[str]:
        return [binary(), "--home", str(self.folder), "--node", self.name]

    def start(self) -> None:
        environment = {**os.environ, "RUST_LOG": os.environ.get("RUST_LOG", REFERENCE_LOG), "NO_COLOR": "1"}
        with self.log().open("ab") as sink:
            self.process = subprocess.Popen(
                [*self._command(), "run"], stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, env=environment,
                start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + READY_TIMEOUT
        while not self._answers():
            assert self.process.poll() is None, f"{self.name} ended: {self.log().read_text(errors='replace')[-2000:]}"
            assert time.monotonic() < deadline, f"{self.name} does not answer; its log is {self.log()}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            return self.client.get("/admin-api/health").is_success
        except httpx.TransportError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(30)
            self.process = None

    def log(self) -> Path:
        return self.folder / f"{self.name}.log"


class Street:
    """The nodes of one test. Each knows the addresses of those before it, so the later one dials."""

    def __init__(self, folder: Path, relayer: str, name: str) -> None:
        self.folder = folder
        self.relayer = relayer
        self.name = name
        self.houses: list[House] = []

    def open(self, *kinds: type[House]) -> list[House]:
        """Start a node of each kind, in order."""
        return [self.add(kind) for kind in kinds]

    def add(self, kind: type[House]) -> House:
        known = tuple(house.address for house in self.houses)
        house = kind(f"{kind.kind}{len(self.houses) + 1}", self.folder, self.relayer, known)
        self.houses.append(house)
        house.start()
        return house

    def close(self) -> None:
        for house in self.houses:
            house.stop()
            house.client.close()
        if (kept := os.environ.get(LOGS)) is not None:
            target = Path(kept) / self.name
            target.mkdir(parents=True, exist_ok=True)
            for house in self.houses:
                shutil.copy(house.log(), target / f"{house.name}.log")


def binary() -> str:
    found = os.environ.get(BINARY)
    assert found, f"no reference node: start these tests with tests/interop/run, or set {BINARY}"
    return found


def free_port() -> int:
    while True:
        try:
            with socket.create_server(("127.0.0.1", secrets.choice(PORTS))) as sock:
                return int(sock.getsockname()[1])
        except OSError:
            continue


def _read(response: httpx.Response) -> Any:
    assert response.is_success, f"{response.request.url}: {response.status_code} {response.text}"
    return response.json() if response.content else None
