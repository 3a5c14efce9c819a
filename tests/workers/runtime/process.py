"""A runtime worker in a process of its own, asked over its channels as the server and the sync worker do it."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path
from typing import Any, TypeVar

from node.config.model import BlobStore, DataStore, NodeConfig, Runtime, Server, Swarm, Sync
from workers.channels.blocking import Hub
from workers.channels.link import socket_pair
from workers.messages import Message, Note, Request
from workers.messages.control import LogLine, Ready, Stop
from workers.runtime.main import main
from workers.start import WorkerStart

R = TypeVar("R", bound=Message)


def node_config(workers: int = 1) -> NodeConfig:
    return NodeConfig(
        swarm=Swarm(listen=()),
        server=Server(listen=()),
        datastore=DataStore(path="data"),
        blobstore=BlobStore(path="blobs"),
        sync=Sync(),
        runtime=Runtime(workers=workers),
    )


class RuntimeProcess:
    """Started and ready, or an error."""

    def __init__(self, home: Path, *, index: int = 0, workers: int = 1) -> None:
        self.notes: list[tuple[str, Note]] = []
        self._ready = False
        self.hub = Hub(self._asked, self._told, runtimes=workers)
        control, theirs = socket_pair()
        server, server_end = socket_pair()
        sync, sync_end = socket_pair()
        peers = {"server": server_end, "sync": sync_end}
        start = WorkerStart("runtime", index, home, node_config(workers), theirs, peers)
        self.process = multiprocessing.get_context("spawn").Process(target=main, args=(start,))
        self.process.start()
        for end in (theirs, server_end, sync_end):
            end.close()
        self.hub.attach("control", control, parcels=True)
        self.hub.attach("server", server)
        self.hub.attach("sync", sync)
        try:
            self.turn(lambda: self._ready)
        except TimeoutError:
            self._end()
            raise

    def _asked(self, peer: str, request: Request[Any]) -> Message:
        raise AssertionError(f"{peer} asked {request}")

    def _told(self, peer: str, note: Note) -> None:
        if isinstance(note, Ready):
            self._ready = True
        self.notes.append((peer, note))

    def turn(self, until: Any, seconds: float = 15.0) -> None:
        """Serve the channels until something has happened."""
        end = time.monotonic() + seconds

        def look() -> None:
            if until() or time.monotonic() > end or not self.process.is_alive():
                self.hub.stop()
            else:
                self.hub.call_later(0.002, look)

        self.hub.call_soon(look)
        self.hub.run()
        if not until():
            self.process.join(1)
            self.hub.drain("control")  # its last words may not have been read when it was seen to be gone
            raise TimeoutError(f"the worker did not answer; exit code {self.process.exitcode}; it said: {self.said()}")

    def said(self) -> list[str]:
        return [note.text for _, note in self.notes if isinstance(note, LogLine)]

    def ask(self, request: Request[R], timeout: float = 15.0) -> R:
        """As the server does."""
        return self.hub.request("server", request, timeout=timeout)

    def told(self, kind: type[Note]) -> list[Note]:
        self.turn(lambda: any(isinstance(note, kind) for _, note in self.notes))
        return [note for _, note in self.notes if isinstance(note, kind)]

    def kill(self) -> None:
        if self.process.pid is not None:
            os.kill(self.process.pid, signal.SIGKILL)
        self._end()

    def stop(self) -> None:
        self.hub.note("control", Stop(2.0))
        self._end()

    def _end(self) -> None:
        self.process.join(10)
        self.hub.close()
        self.process.close()
