"""The process of a runtime worker: opens its shards, recovers, serves its channels until it is told to stop."""

from __future__ import annotations

import os
import secrets
import time
from typing import Final

from node.config.model import Runtime
from node.context.bundle import module_of
from node.primitives import BlobId, ContextId
from node.runtime.config import RuntimeConfig
from node.store.base import Store
from node.store.places import check_data, shard_dir
from node.store.rocks import Durability, Memory, RocksStore, examine
from node.store.shards import SHARDS, Shards, worker_of
from workers.channels.blocking import Hub
from workers.channels.peers import ignore
from workers.messages import Note
from workers.messages.runtime import BlobAnnounced
from workers.run_blocking import Worker, run_blocking
from workers.runtime.engine import WasmGuest
from workers.runtime.operations import OPERATIONS
from workers.runtime.worker import Ports, RuntimeWorker
from workers.start import WorkerStart

RETRY: Final = 5.0
"""Seconds between two tries of deltas that wait for an application, a state or a disk."""

PRIVATE_FILES: Final = 0o077
"""What the engine and this process create is readable by its owner alone."""

DURABILITY: Final[dict[str, Durability]] = {"buffered": "default", "sync": "strict"}
"""The setting ``store.durability`` in the words of the store."""


def main(start: WorkerStart) -> None:
    """Entry of the process."""
    os.umask(PRIVATE_FILES)
    run_blocking(start, lambda worker: serve(worker, start))


def serve(worker: Worker, start: WorkerStart) -> None:
    """Recover first, then serve: a request never meets a context that is half loaded."""
    shards = open_shards(start)
    guest = WasmGuest(start.home / "cache" / "modules", guest_config(start.config.runtime))
    outbox: list[Hub] = []

    def tell(peer: str, note: Note) -> bool:
        return bool(outbox) and outbox[0].note(peer, note)

    def announce(blob_id: BlobId, context_id: ContextId) -> bool:
        return tell("sync", BlobAnnounced(context_id, blob_id))

    quota = start.config.store.blob_quota
    ports = Ports(tell, time.time_ns, secrets.token_bytes, module_of, announce, guest.prepare, quota)
    runtime = RuntimeWorker(shards, guest, start.blob_dir, ports, OPERATIONS)
    try:
        hub = worker.open(runtime.handle, ignore)
        outbox.append(hub)
        contexts = runtime.recover()
        Loop(hub, runtime).start()
        worker.ready({"contexts": len(contexts), "shards": shards.owned})
        worker.serve()
    finally:
        runtime.close()
        guest.close()


class Loop:
    """Fits the worker's own work between requests, a slice at a time."""

    def __init__(self, hub: Hub, runtime: RuntimeWorker) -> None:
        self._hub = hub
        self._runtime = runtime
        self._scheduled = False
        runtime.on_work = self.schedule

    def start(self) -> None:
        self.schedule()
        self._hub.call_later(RETRY, self._retry)

    def schedule(self) -> None:
        if not self._scheduled and not self._runtime.idle:
            self._scheduled = True
            self._hub.call_soon(self._slice)

    def _slice(self) -> None:
        self._scheduled = False
        self._runtime.work()
        self.schedule()

    def _retry(self) -> None:
        self._runtime.retry()
        self._hub.call_later(RETRY, self._retry)


def open_shards(start: WorkerStart) -> Shards:
    """The shards of this worker: directories below the data directory, opened when first needed.

    All are looked at before one is opened: a directory that is refused stays as it is, and so do the others.
    """
    check_data(start.data_dir)
    memory, durability = Memory(), DURABILITY[start.config.store.durability]
    owned = [shard for shard in range(SHARDS) if worker_of(shard, start.runtimes) == start.index]

    for shard in owned:
        examine(shard_dir(start.data_dir, shard))

    def open_shard(shard: int) -> Store:
        return RocksStore(shard_dir(start.data_dir, shard), shard, durability=durability, memory=memory)

    shards = Shards(owned, open_shard, lambda shard: shard_dir(start.data_dir, shard).exists())
    shards.store(owned[0])  # another process on this directory is noticed at the start, not at the first write
    return shards


def guest_config(settings: Runtime) -> RuntimeConfig:
    """The guest's part of the settings."""
    return RuntimeConfig(deadline_ms=settings.deadline_ms, metering=settings.metering, fuel_limit=settings.fuel)
