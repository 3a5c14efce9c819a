"""Collects the figures of the whole node for ``/metrics``. A worker that does not answer costs its own figures only."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Iterator
from typing import Any, Final, TypeVar

from node.errors import CalimeroError
from workers.messages import network, runtime
from workers.messages.control import WorkerRecord
from workers.server import libp2p
from workers.server.api import Api
from workers.server.metrics import Sample, render

__all__ = ["figures", "worker_name"]

PATIENCE: Final = 2.0
"""Seconds for one worker's figures; a scraper gives up after ten."""

T = TypeVar("T")
_READY: Final = "ready"


async def figures(api: Api) -> str:
    """Every figure that can be had now."""
    workers, peers, counts, stats = await asyncio.gather(
        _soon(api.backend.workers()),
        _soon(api.backend.network(network.ListPeers())),
        _soon(api.backend.network(network.CountNetwork())),
        _soon(api.backend.every_owner(runtime.RuntimeStats())),
    )
    found, more = [*_server(api), *_workers(workers or [])], list[str]()
    if peers is not None:
        found += _peers(peers)
    if peers is not None and counts is not None:
        more = libp2p.lines(libp2p.read_counts(counts.counts), peers)
    if stats is not None:
        found += _runtime([json.loads(answer.stats) for answer in stats])
    failed = sum(part is None for part in (workers, peers, stats))
    found.append(_gauge("calimero_scrape_failures", "Workers whose figures are missing.", failed))
    return render(api.metrics, found, more)


async def _soon(wanted: Awaitable[T]) -> T | None:
    try:
        async with asyncio.timeout(PATIENCE):
            return await wanted
    except (CalimeroError, TimeoutError):
        return None


def _gauge(name: str, text: str, value: float, **labels: str) -> Sample:
    return name, "gauge", text, value, labels


def _counter(name: str, text: str, value: float, **labels: str) -> Sample:
    return name, "counter", text, value, labels


def _server(api: Api) -> Iterator[Sample]:
    hub, connections = api.hub, api.connections
    yield _gauge("network_event_channel_depth", "Notes that wait for the server.", 0)
    yield _counter("network_event_channel_received_total", "Notes received by the server.", hub.events)
    yield _counter("network_event_channel_processed_total", "Notes handled by the server.", hub.events)
    yield _counter("network_event_channel_dropped_total", "Notes that the server dropped.", 0)
    yield _gauge("calimero_event_clients", "Open event streams.", hub.clients)
    yield _counter("calimero_events_sent", "Messages queued for event streams.", hub.sent)
    yield _counter("calimero_event_clients_cut", "Event streams cut off because they were too slow.", hub.cut)
    yield _gauge("calimero_connections", "Open connections.", connections.total)
    yield _counter("calimero_connections_refused", "Connections refused by the caps.", connections.refused)
    for phase, count in sorted(connections.cut.items()):
        yield _counter("calimero_connections_cut", "Connections cut off by a deadline.", count, phase=phase)
    yield _counter("calimero_request_faults", "Requests that failed by a bug.", api.metrics.faults)


def worker_name(worker: WorkerRecord) -> str:
    return f"{worker.role}[{worker.index}]" if worker.role == "runtime" else worker.role


def _workers(workers: list[WorkerRecord]) -> list[Sample]:
    """Series by series, as the text form wants them."""
    rows = [(worker_name(worker), worker) for worker in workers]
    return [
        *(_gauge("calimero_worker_ready", "Whether a worker serves.", w.state == _READY, worker=n) for n, w in rows),
        *(_counter("calimero_worker_restarts", "Restarts of a worker.", w.restarts, worker=n) for n, w in rows),
        *(_gauge("calimero_worker_memory_bytes", "Memory of a worker.", w.memory, worker=n) for n, w in rows),
        *(_counter("calimero_worker_cpu_seconds", "CPU time of a worker.", w.cpu, worker=n) for n, w in rows),
    ]


def _peers(listed: network.PeerList) -> Iterator[Sample]:
    connected = [peer for peer in listed.peers if peer.connected]
    yield _gauge("calimero_peers", "Connected peers.", len(connected))
    yield _gauge("calimero_peer_streams", "Open streams of all peers.", sum(peer.streams for peer in connected))
    yield _gauge(
        "calimero_peer_received_bytes", "Bytes received from connected peers.", sum(p.received for p in connected)
    )
    yield _gauge("calimero_peer_sent_bytes", "Bytes sent to connected peers.", sum(p.sent for p in connected))


def _runtime(stats: list[dict[str, Any]]) -> Iterator[Sample]:
    """All runtime workers together."""
    work, deltas = Counter[str](), Counter[str]()
    for part in stats:
        work.update(part["worker"])
        deltas.update(part["deltas"])
    yield _gauge("calimero_contexts_loaded", "Contexts in memory.", sum(part["contexts"] for part in stats))
    for name, count in sorted(work.items()):
        yield _counter("calimero_runtime_work", "Requests and background work of the runtime.", count, kind=name)
    for name, count in sorted(deltas.items()):
        yield _counter("calimero_deltas", "What became of deltas.", count, outcome=name)
