"""Real nodes without a server: runtime, network and sync worker processes, and the test in the server's and the
supervisor's place."""

from __future__ import annotations

import asyncio
import hashlib
import json
import multiprocessing
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import base58
import msgspec

from node.config.model import (
    BlobStore,
    Bootstrap,
    ContextClients,
    Contexts,
    DataStore,
    Discovery,
    Identity,
    NodeConfig,
    Registry,
    RelayerSigner,
    Server,
    Signer,
    Swarm,
    Sync,
)
from node.crypto import ed25519
from node.primitives import ApplicationId, ContextId, Hash, PrivateKey, PublicKey
from tests.workers.runtime.nodes import WASM
from workers.channels.asyncio_ import Channel, Peers
from workers.channels.link import socket_pair
from workers.channels.peers import parse_peer
from workers.messages import Message, Note, Request
from workers.messages import network as n
from workers.messages import runtime as r
from workers.messages import sync as s
from workers.messages.control import Attach, Ready, Stop
from workers.start import WorkerStart

R = TypeVar("R", bound=Message)
LOOPBACK = "/ip4/127.0.0.1/tcp/0"
LINKS = {"sync": ("runtime[0]", "network"), "runtime[0]": ("sync",), "network": ("sync",)}
READY_TIMEOUT = 30.0
"""Ten processes start at the same time; on a machine with eight times too much to do that took 13 s."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([f"workers.{role}.main" for role in ("network", "registry", "runtime", "sync")])
"""Ten processes of one cluster import everything once, not ten times: on a busy machine that alone took 15 s."""


def _child(module: str, start: WorkerStart) -> None:
    import_module(module).main(start)


def config_of(number: int, relayer: str, *, registry: bool = False, boot: tuple[str, ...] = ()) -> NodeConfig:
    seed = hashlib.sha256(b"node %d" % number).digest()
    public = ed25519.public_key(PrivateKey(seed))
    keypair = base58.b58encode(bytes.fromhex("08011240") + seed + public).decode()
    return NodeConfig(
        swarm=Swarm(listen=(LOOPBACK,)),
        server=Server(listen=(LOOPBACK,)),
        datastore=DataStore(path="data"),
        blobstore=BlobStore(path="blobs"),
        sync=Sync(),
        identity=Identity(peer_id="", keypair=keypair),
        bootstrap=Bootstrap(nodes=boot),
        discovery=Discovery(mdns=False),
        context=Contexts(config=ContextClients(signer=Signer(relayer=RelayerSigner(url=relayer)))),
        registry=Registry(enabled=registry, listen=LOOPBACK),
    )


class Worker:
    """One worker process, and the supervisor's end of its control channel."""

    def __init__(self, role: str, home: Path, config: NodeConfig, peers: dict[str, socket.socket]) -> None:
        self.role = role
        ours, theirs = socket_pair()
        start = WorkerStart(role, 0, home, config, theirs, peers, "warning")
        self.process = _FORKS.Process(target=_child, args=(f"workers.{role}.main", start), daemon=True)
        self.process.start()
        theirs.close()
        for end in peers.values():
            end.close()
        self.ready: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self.log: list[Note] = []
        self.control = Channel(role, ours, _serves_nothing, self._on_note)

    def _on_note(self, _: str, note: Note) -> None:
        if isinstance(note, Ready):
            self.ready.set_result(json.loads(note.details))
        else:
            self.log.append(note)

    def attach(self, peer: str, sock: socket.socket) -> None:
        """Hand the worker a new channel."""
        self.control._core.note(Attach(*parse_peer(peer)), sock)
        self.control._flush()

    async def stop(self) -> None:
        if self.process.is_alive():
            self.control.note(Stop(2.0))
            await asyncio.to_thread(self.process.join, 5)
        if self.process.is_alive():
            self.process.kill()
            await asyncio.to_thread(self.process.join, 5)
        self.control.close()


async def _serves_nothing(_: str, request: Request[Any]) -> Message:
    raise AssertionError(request)


class Node:
    """A node; ``ask`` is what its server would ask."""

    def __init__(self, number: int, home: Path, config: NodeConfig) -> None:
        self.number = number
        self.home = home
        self.config = config
        self.workers: dict[str, Worker] = {}
        self.notes: list[Note] = []

    async def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        links: dict[tuple[str, str], socket.socket] = {}
        for left, right in (("sync", "runtime[0]"), ("sync", "network")):
            links[left, right], links[right, left] = socket_pair()
        server: dict[str, socket.socket] = {}
        for role in ("sync", "runtime[0]", "network"):
            server[role], links[role, "server"] = socket_pair()
        for role in ("runtime[0]", "network", "sync"):
            peers = {peer: sock for (own, peer), sock in links.items() if own == role}
            self.workers[role] = Worker(role.partition("[")[0], self.home, self.config, peers)
        self.peers = Peers(server, _serves_nothing, lambda _, note: self.notes.append(note))
        for worker in self.workers.values():
            details = await asyncio.wait_for(worker.ready, READY_TIMEOUT)
            if worker.role == "network":
                self.peer, self.listen = details["peer"], details["listen"]

    @property
    def address(self) -> str:
        return f"{self.listen[0]}/p2p/{self.peer}"

    async def kill(self, role: str) -> None:
        """As by the kernel, without a word."""
        worker = self.workers[role]
        worker.process.kill()
        await asyncio.to_thread(worker.process.join, 5)
        worker.control.close()

    async def revive(self, role: str) -> None:
        """What the supervisor does after a worker's death: a new process, and new channels for those that it has."""
        linked = [peer for peer in LINKS[role] if self.workers[peer].process.is_alive()]
        ends: dict[str, socket.socket] = {}
        for peer in linked:
            ends[peer], theirs = socket_pair()
            self.workers[peer].attach(role, theirs)
        ours, ends["server"] = socket_pair()
        self.workers[role] = Worker(role.partition("[")[0], self.home, self.config, ends)
        self.peers.attach(role, ours)
        details = await asyncio.wait_for(self.workers[role].ready, READY_TIMEOUT)
        if role == "network":
            self.peer, self.listen = details["peer"], details["listen"]

    async def stop(self) -> None:
        for role in ("sync", "network", "runtime[0]"):
            await self.workers[role].stop()
        self.peers.close()

    async def ask(self, role: str, request: Request[R]) -> R:
        return await self.peers.request(role, request)

    # what a client does

    async def dial(self, other: Node) -> None:
        await self.ask("network", n.Dial(other.address))

    async def install(self, name: str = "kv") -> ApplicationId:
        installed = await self.ask("sync", s.InstallFile(str(WASM / f"{name}.wasm"), b"{}"))
        return installed.application.id

    async def create(self, application: ApplicationId) -> ContextId:
        created = await self.ask("sync", s.CreateContext("near", application, b"{}"))
        self.member, self.context = created.member, created.context_id
        return created.context_id

    async def identity(self) -> PublicKey:
        return (await self.ask("runtime[0]", r.NewIdentity())).public_key

    async def invite(self, other: Node) -> None:
        invitee = await other.identity()
        invitation = await self.ask("sync", s.InviteMember(self.context, self.member, invitee))
        assert invitation.payload is not None
        joined = await other.ask("sync", s.JoinContext(invitation.payload))
        other.member, other.context = joined.member, joined.context_id

    async def call(self, method: str, **args: object) -> Any:
        raw = json.dumps(args).encode()
        done = await self.ask("runtime[0]", r.Execute(self.context, method, raw, self.member))
        return None if done.returns is None else json.loads(done.returns)

    async def set(self, key: str, value: str) -> None:
        await self.call("set", key=key, value=value)

    async def root(self) -> Hash:
        return (await self.ask("runtime[0]", r.GetHeads(self.context))).root

    async def why(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((await self.ask("sync", s.ExplainContext(self.context))).why)
        return found

    def complaints(self) -> list[Note]:
        return [line for worker in self.workers.values() for line in worker.log]


class Coordinator:
    """The registry process; it comes back at the address that it had."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self._listen = LOOPBACK
        self._worker: Worker | None = None

    async def start(self) -> str:
        config = msgspec.structs.replace(
            config_of(0, "http://unused"), registry=Registry(enabled=True, listen=self._listen)
        )
        self._worker = Worker("registry", self.home, config, {})
        url = str((await asyncio.wait_for(self._worker.ready, READY_TIMEOUT))["listen"][0])
        self._listen = f"/ip4/127.0.0.1/tcp/{url.rpartition(':')[2]}"
        return url

    async def stop(self) -> None:
        if self._worker is not None:
            await self._worker.stop()

    async def kill(self) -> None:
        """As by the kernel, without a word."""
        if self._worker is not None:
            self._worker.process.kill()
            await self._worker.stop()


@asynccontextmanager
async def cluster(home: Path, count: int, registry: Coordinator | None = None) -> AsyncIterator[list[Node]]:
    """Nodes that know each other's addresses, and one registry."""
    registry = registry or Coordinator(home / "registry")
    url = await registry.start()
    nodes = [Node(number, home / f"node{number}", config_of(number, url)) for number in range(1, count + 1)]
    try:
        await asyncio.gather(*(node.start() for node in nodes))
        for index, node in enumerate(nodes):
            for other in nodes[:index]:
                await node.dial(other)
        yield nodes
    finally:
        await asyncio.gather(*(node.stop() for node in nodes if node.workers), registry.stop())


async def until(check: Callable[[], Awaitable[bool]], seconds: float) -> float:
    """Look again and again; the seconds that it took. Raises :class:`TimeoutError`."""
    began = time.monotonic()
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - what it waits for happens in other processes
            await asyncio.sleep(0.01)
    return time.monotonic() - began


async def converged(nodes: list[Node]) -> bool:
    roots = [await node.root() for node in nodes]
    return len(set(roots)) == 1 and not roots[0].is_zero
