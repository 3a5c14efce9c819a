"""A network of nodes on this machine: each a supervisor process of its own, on loopback, with ports the system picks.

The nodes are tethered to this process: when it ends, however it ends, they stop. Node 1 is the coordinator and runs
the registry; every node knows the addresses of those before it.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from nacl.signing import SigningKey

from node.errors import Unreachable
from node.primitives import to_base58

READY_TIMEOUT: Final = 60.0
"""Seconds that all nodes together may take to start; a few are normal."""

STOP_TIMEOUT: Final = 15.0
"""Seconds that a node may take to stop; then its process group is killed."""

PORTS: Final = range(20_000, 32_000)
"""Where the demo's ports are chosen. An outgoing connection may take any port above, just before a node binds it."""

CONTRACT: Final = "v0-6.config.calimero-context.testnet"
LOG_LINES: Final = 5
LOG_FILTER: Final = "info,httpx=warning,uvicorn=warning"
_PEER_PREFIX: Final = b"\x00\x24\x08\x01\x12\x20"
_KEY_PREFIX: Final = b"\x08\x01\x12\x40"


@dataclass(frozen=True, slots=True)
class Ports:
    """The ports of one node; ``registry`` only on the coordinator."""

    swarm: int
    server: int
    registry: int


@dataclass(slots=True)
class NodeProcess:
    """A node that this process started. ``url`` is its API."""

    number: int
    home: Path
    url: str
    process: asyncio.subprocess.Process
    tether: socket.socket
    writer: asyncio.StreamWriter | None = None
    """Kept, because a forgotten writer closes the tether, which stops the node."""
    ended: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    def worker_pid(self, name: str) -> int:
        """Pid of a worker, 0 when it does not run."""
        return int(self.details.get("workers", {}).get(name, {}).get("pid", 0))

    def kill(self, name: str) -> None:
        """SIGKILL a worker; the supervisor starts it again."""
        os.kill(self.worker_pid(name), signal.SIGKILL)


class Network:
    """Nodes that run together. Make one with :meth:`start`, end it with :meth:`stop`."""

    def __init__(self, nodes: list[NodeProcess]) -> None:
        self.nodes = nodes

    @classmethod
    async def start(cls, count: int, home: Path, *, report: Callable[[str], None] = lambda _: None) -> Network:
        """Start ``count`` nodes with their directories below ``home``; directories of an earlier run are used again.

        Raises :class:`Unreachable` with the end of the log of a node that does not start; then none is left running.
        """
        configure(count, home)
        report(f"starting {count} nodes")
        network = cls([])
        try:
            for number in range(1, count + 1):
                network.nodes.append(await _spawn(number, _node_home(home, number)))
            async with asyncio.timeout(READY_TIMEOUT):
                await asyncio.gather(*(_until_ready(node) for node in network.nodes))
        except TimeoutError as error:
            late = [node for node in network.nodes if not node.url]
            await network.stop()
            raise Unreachable(f"not ready after {READY_TIMEOUT:.0f} s: {_describe(late)}") from error
        except BaseException:
            await network.stop()
            raise
        return network

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    async def stop(self) -> None:
        """Stop every node and wait until its processes are gone."""
        await asyncio.gather(*(_stop(node) for node in self.nodes))


# -- processes


async def _spawn(number: int, home: Path) -> NodeProcess:
    ours, theirs = socket.socketpair()
    with theirs, (home / "node.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "workers.supervisor", "--home", str(home),
            "--status-fd", str(theirs.fileno()), "--tethered",
            stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log,
            pass_fds=[theirs.fileno()], start_new_session=True, cwd=_root(), env=_environment(),
        )  # fmt: skip
    return NodeProcess(number, home, "", process, ours)


def _root() -> Path:
    """The directory that the packages are imported from; children must see the same ones."""
    return Path(__file__).resolve().parents[2]


def _environment() -> dict[str, str]:
    """Without the user's own CALIMERO_ settings, which are meant for another node."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CALIMERO_")}


async def _until_ready(node: NodeProcess) -> None:
    """Follow the state of a node in the background; return when it is ready."""
    reader, node.writer = await asyncio.open_connection(sock=node.tether)
    ready = asyncio.get_running_loop().create_future()
    _FOLLOWERS.add(task := asyncio.create_task(_follow(node, reader, ready)))
    task.add_done_callback(_FOLLOWERS.discard)
    await ready


_FOLLOWERS: Final[set[asyncio.Task[None]]] = set()


async def _follow(node: NodeProcess, reader: asyncio.StreamReader, ready: asyncio.Future[None]) -> None:
    while line := await reader.readline():
        row = json.loads(line)
        node.details = row.get("details") or node.details
        if row["state"] == "ended":
            node.ended = str(row.get("error", ""))
        if row["state"] == "ready" and not ready.done():
            node.url = _url(row["details"])
            ready.set_result(None)
    if not ready.done():
        ready.set_exception(Unreachable(f"node {node.number} did not start: {node.ended or _tail(node)}"))


def _url(details: dict[str, Any]) -> str:
    return str(details["workers"]["server"]["listen"][0])


async def _stop(node: NodeProcess) -> None:
    if node.process.returncode is None:
        node.process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(node.process.wait(), STOP_TIMEOUT)
    except TimeoutError:
        os.killpg(node.process.pid, signal.SIGKILL)
        await node.process.wait()
    if node.writer is not None:
        node.writer.close()
    node.tether.close()


def _tail(node: NodeProcess) -> str:
    lines = (node.home / "node.log").read_text(errors="replace").splitlines()
    return " / ".join(lines[-LOG_LINES:]) or "it wrote no log"


def _describe(nodes: Sequence[NodeProcess]) -> str:
    return "; ".join(f"node {node.number}: {_tail(node)}" for node in nodes)


# -- configuration


def configure(count: int, home: Path) -> None:
    """Write the configurations of nodes that have none. Ports are chosen anew at every start."""
    ports = [Ports(*_free_ports(3)) for _ in range(count)]
    relayer = f"http://127.0.0.1:{ports[0].registry}"
    known: list[str] = []
    for number, own in enumerate(ports, start=1):
        folder = _node_home(home, number)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        seed = _seed(folder)
        _write(folder / "config.toml", _config(seed, own, relayer, known, coordinator=number == 1))
        known.append(f"/ip4/127.0.0.1/tcp/{own.swarm}/p2p/{_peer_id(seed)}")


def _node_home(home: Path, number: int) -> Path:
    return home / f"node{number}"


def _seed(folder: Path) -> bytes:
    """The node key's seed, made once; the peer id stays the same when the demo is resumed."""
    file = folder / "node.key"
    if not file.exists():
        _write(file, secrets.token_bytes(32).hex())
    return bytes.fromhex(file.read_text())


def _write(file: Path, text: str) -> None:
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as sink:
        sink.write(text)


def _public(seed: bytes) -> bytes:
    return bytes(SigningKey(seed).verify_key)


def _peer_id(seed: bytes) -> str:
    return to_base58(_PEER_PREFIX + _public(seed))


def _config(seed: bytes, ports: Ports, relayer: str, known: Sequence[str], *, coordinator: bool) -> str:
    keypair = to_base58(_KEY_PREFIX + seed + _public(seed))
    return f"""[identity]
peer_id = "{_peer_id(seed)}"
keypair = "{keypair}"

[swarm]
listen = ["/ip4/127.0.0.1/tcp/{ports.swarm}"]

[server]
listen = ["/ip4/127.0.0.1/tcp/{ports.server}"]

[server.admin]
enabled = true

[server.jsonrpc]
enabled = true

[server.websocket]
enabled = true

[server.sse]
enabled = true

[bootstrap]
nodes = {json.dumps(list(known))}

[discovery]
mdns = false

[sync]
timeout_ms = 30000
interval_ms = 5000
frequency_ms = 10000

[datastore]
path = "data"

[blobstore]
path = "blobs"

[context.config.near]
signer = "relayer"
network = "testnet"
contract_id = "{CONTRACT}"

[context.config.signer.relayer]
url = "{relayer}"

[registry]
enabled = {json.dumps(coordinator)}
listen = "/ip4/127.0.0.1/tcp/{ports.registry}"

[log]
filter = "{os.environ.get("CALIMERO_LOG", LOG_FILTER)}"
"""


def _free_ports(count: int) -> list[int]:
    """Ports that are free now, below those that the system gives to outgoing connections, held all at once."""
    held: list[socket.socket] = []
    while len(held) < count:
        try:
            held.append(socket.create_server(("127.0.0.1", secrets.choice(PORTS))))
        except OSError:
            continue
    ports = [sock.getsockname()[1] for sock in held]
    for sock in held:
        sock.close()
    return ports
