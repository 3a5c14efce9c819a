"""Small workers with real processes and channels, for the supervisor to start, lose and stop.

A worker reads ``<home>/<name>.fault`` at its start to misbehave on purpose. ``python -m tests.workers.supervisor.small
HOME`` runs a node of them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import time
from pathlib import Path
from typing import Any

from node.errors import CalimeroError, NotFound
from workers.channels.peers import ignore
from workers.messages import Message, Request
from workers.messages.control import ListWorkers, Ping, Pong, WorkerList
from workers.roles import ROLES, Role
from workers.run_asyncio import Worker as AsyncWorker
from workers.run_asyncio import run_asyncio
from workers.run_blocking import Worker as BlockingWorker
from workers.run_blocking import run_blocking
from workers.start import WorkerStart
from workers.supervisor import policy
from workers.supervisor.__main__ import options
from workers.supervisor.command import main_process

_log = logging.getLogger("small")

NAME = "tests.workers.supervisor"
SMALL = {
    name: Role(name, f"{NAME}.{'small_runtime' if name == 'runtime' else 'small_loop'}", role.peers, role.stop_stage)
    for name, role in ROLES.items()
}


def fault(start: WorkerStart) -> str:
    """How this worker shall misbehave: empty for not at all."""
    file = start.home / f"{start.name}.fault"
    return file.read_text() if file.exists() else ""


def misbehave(start: WorkerStart) -> None:
    """Before it is ready."""
    match fault(start):
        case "exit":
            raise NotFound(f"{start.name} shall fail")
        case "die":
            os._exit(9)
        case "never ready":
            hang()


def hang() -> None:
    time.sleep(60)


def runtime_main(start: WorkerStart) -> None:
    def serve(worker: BlockingWorker) -> None:
        misbehave(start)
        worker.open(lambda _, request: answer(start, request), ignore)
        worker.ready({"pid": os.getpid()})
        _log.info("serving")
        worker.serve()
        _log.info("served")

    run_blocking(start, serve)


def answer(start: WorkerStart, request: Request[Any]) -> Message:
    if isinstance(request, Ping):
        return Pong(float(os.getpid()))
    raise NotFound(f"{type(request).__name__} of {start.name}")


def loop_main(start: WorkerStart) -> None:
    async def serve(worker: AsyncWorker) -> None:
        misbehave(start)
        peers = worker.open(lambda _, request: later(start, request), ignore)
        if start.role == "server":
            asking = asyncio.create_task(keep_asking(worker, peers, start.home))
        worker.ready({"pid": os.getpid()})
        _log.info("serving")
        await worker.stopping.wait()
        if fault(start) == "never stops":
            hang()
        if start.role == "server":
            asking.cancel()

    run_asyncio(start, serve)


async def later(start: WorkerStart, request: Request[Any]) -> Message:
    return answer(start, request)


async def keep_asking(worker: AsyncWorker, peers: Any, home: Path) -> None:
    """Ask every peer for its process id again and again, and write down what comes back."""
    with (home / "answers").open("w", buffering=1) as file:
        while True:
            for name in worker.start.peers:
                try:
                    pong = await peers.request(name, Ping(), timeout=10)
                    file.write(f"{name} {int(pong.age)}\n")
                except CalimeroError as error:
                    file.write(f"{name} {type(error).__name__}\n")
            workers: WorkerList = await worker.supervisor(ListWorkers())
            file.write(f"list {' '.join(f'{w.role}:{w.pid}:{w.state}:{w.restarts}' for w in workers.workers)}\n")
            await asyncio.sleep(0.01)


def run(arguments: list[str]) -> int:
    chosen = options(arguments)
    if (few := chosen.home / "restarts").exists():
        policy.MAX_RESTARTS = int(few.read_text())  # type: ignore[misc]
    return main_process(chosen, roles=SMALL)


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
