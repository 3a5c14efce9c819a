"""Real nodes that can be killed, stopped, frozen and started again."""

from __future__ import annotations

import asyncio
import os
import signal
from enum import Enum
from pathlib import Path

import psutil

from calimero_tui.demo import network


class Disturbance(Enum):
    """What happens to a node: SIGKILL to all its processes, a proper stop, a frozen or a killed network worker."""

    KILL = "kill"
    STOP = "stop"
    FREEZE = "freeze"
    WORKER = "worker"


class Cluster:
    """Nodes by number, 1 and up; restarted ones keep their addresses."""

    def __init__(self, home: Path, settings: list[dict[str, str]], nodes: list[network.NodeProcess]) -> None:
        self._home = home
        self._settings = settings
        self.nodes = nodes
        self.disturbances = 0

    @classmethod
    async def start(cls, count: int, home: Path) -> Cluster:
        settings = network.configure(count, home)
        cluster = cls(home, settings, [])
        for number in range(1, count + 1):
            cluster.nodes.append(await cluster._spawn(number))
        return cluster

    async def _spawn(self, number: int) -> network.NodeProcess:
        node = await network._spawn(number, network.node_home(self._home, number), self._settings[number - 1])
        async with asyncio.timeout(network.READY_TIMEOUT):
            await network._until_ready(node)
        return node

    @property
    def urls(self) -> list[str]:
        return [node.url for node in self.nodes]

    def memory(self) -> list[float]:
        """Resident megabytes of every node, all its processes together."""
        return [round(sum(map(_rss, _processes(node.process.pid))) / 1e6, 1) for node in self.nodes]

    def memory_of(self, number: int) -> dict[str, float]:
        """Resident megabytes of the processes of one node, by name."""
        node = self.nodes[number - 1]
        pids = {"supervisor": node.process.pid}
        pids |= {name: node.worker_pid(name) for name in node.details.get("workers", {})}
        return {name: round(_rss(psutil.Process(pid)) / 1e6, 1) for name, pid in pids.items() if psutil.pid_exists(pid)}

    async def disturb(self, number: int, kind: Disturbance, *, away: float) -> None:
        """Let one node be away for so many seconds, and bring it back."""
        self.disturbances += 1
        node = self.nodes[number - 1]
        if kind is Disturbance.WORKER:
            node.kill("network")
            await asyncio.sleep(away)
        elif kind is Disturbance.FREEZE:
            worker = node.worker_pid("network")
            os.kill(worker, signal.SIGSTOP)
            await asyncio.sleep(away)
            if psutil.pid_exists(worker):
                os.kill(worker, signal.SIGCONT)
        else:
            await self._end(node, kind)
            await asyncio.sleep(away)
            self.nodes[number - 1] = await self._spawn(number)

    async def _end(self, node: network.NodeProcess, kind: Disturbance) -> None:
        if kind is Disturbance.STOP:
            await network._stop(node)
            return
        for process in _processes(node.process.pid):
            process.kill()
        await network._stop(node)

    async def all_back(self) -> None:
        """Wait until every node has said that all its workers are ready again."""
        async with asyncio.timeout(network.READY_TIMEOUT):
            while not all(node.worker_pid("network") and _alive(node) for node in self.nodes):  # noqa: ASYNC110 - pids
                await asyncio.sleep(0.2)

    async def stop(self) -> None:
        await asyncio.gather(*(network._stop(node) for node in self.nodes))


def _alive(node: network.NodeProcess) -> bool:
    return psutil.pid_exists(node.worker_pid("network"))


def _processes(pid: int) -> list[psutil.Process]:
    try:
        root = psutil.Process(pid)
        return [root, *root.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _rss(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0
