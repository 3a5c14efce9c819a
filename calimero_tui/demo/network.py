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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from calimero_tui.launch import init_node, supervisor_command, supervisor_environment
from node.errors import Unreachable

READY_TIMEOUT: Final = 60.0
"""Seconds that all nodes together may take to start; a few are normal."""

STOP_TIMEOUT: Final = 15.0
"""Seconds that a node may take to stop; then its process group is killed."""

PORTS: Final = range(20_000, 32_000)
"""Where the demo's ports are chosen. An outgoing connection may take any port above, just before a node binds it."""

LOG_LINES: Final = 5
LOG_FILTER: Final = "info,httpx=warning,uvicorn=warning"


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
        settings = configure(count, home)
        report(f"starting {count} nodes")
        network = cls([])
        try:
            for number, own in enumerate(settings, start=1):
                network.nodes.append(await _spawn(number, node_home(home, number), own))
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


async def _spawn(number: int, home: Path, settings: Mapping[str, str]) -> NodeProcess:
    ours, theirs = socket.socketpair()
    command = supervisor_command(home, settings, "--status-fd", str(theirs.fileno()), "--tethered")
    with theirs, (home / "node.log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[theirs.fileno()],
            start_new_session=True, env=_environment(),
        )  # fmt: skip
    return NodeProcess(number, home, "", process, ours)


def _environment() -> dict[str, str]:
    """Without the user's own CALIMERO_ settings, which are meant for another node."""
    return {name: value for name, value in supervisor_environment().items() if not name.startswith("CALIMERO_")}


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


def configure(count: int, home: Path) -> list[dict[str, str]]:
    """Make the nodes that are not there yet; the settings of this run. Ports are chosen anew at every start."""
    ports = _free_ports(3 * count)
    relayer = f"http://127.0.0.1:{ports[2]}"
    known: list[str] = []
    settings = []
    for number in range(1, count + 1):
        swarm, server, registry = ports[3 * number - 3 : 3 * number]
        made = init_node(node_home(home, number), {"boot_network": "none", "mdns": False, "relayer_url": relayer})
        settings.append(_settings(swarm, server, registry, relayer, known, coordinator=number == 1))
        known.append(f"/ip4/127.0.0.1/tcp/{swarm}/p2p/{made['peer_id']}")
    return settings


def node_home(home: Path, number: int) -> Path:
    """The directory of one node of the network."""
    return home / f"node{number}"


def _settings(
    swarm: int, server: int, registry: int, relayer: str, known: Sequence[str], *, coordinator: bool
) -> dict[str, str]:
    return {
        "swarm.listen": f"/ip4/127.0.0.1/tcp/{swarm}",
        "server.listen": f"/ip4/127.0.0.1/tcp/{server}",
        "bootstrap.nodes": ",".join(known),
        "context.config.signer.relayer.url": relayer,
        "registry.enabled": json.dumps(coordinator),
        "registry.listen": f"/ip4/127.0.0.1/tcp/{registry}",
        "log.filter": os.environ.get("CALIMERO_LOG", LOG_FILTER),
    }


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
