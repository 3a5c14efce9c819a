"""Blobs on two whole nodes on loopback, over HTTP: upload, download, the way to another node, and memory meanwhile.

``CALIMERO_BENCH_BLOB_MB`` is the size of the large blob (default 1024); ``CALIMERO_BENCH_TRAVEL_MB`` that of the one
which travels between the nodes (default a quarter of it).
Memory is the most that a worker had above what it had before, sampled ten times a second.
"""

from __future__ import annotations

import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import psutil

from tests.workers.server.real import Context, pair

MIB = 1 << 20
SIZE = int(os.environ.get("CALIMERO_BENCH_BLOB_MB", "1024")) * MIB
TRAVELS = int(os.environ.get("CALIMERO_BENCH_TRAVEL_MB", "0")) * MIB or SIZE // 4
BLOBS = "/admin-api/blobs"
FIRST_BYTES = 10


def run() -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder, pair(Path(folder)) as (first, second):
        first.timeout = second.timeout = httpx.Timeout(600)
        context = Context(first)
        context.invite(second)
        yield from _one_node(first)
        yield from _two_nodes(first, second, context)


def _one_node(client: httpx.Client) -> Iterator[dict[str, object]]:
    with _memory(client) as grown:
        began = time.perf_counter()
        blob = client.put(BLOBS, content=_content(SIZE, 1)).json()["data"]["blob_id"]
        yield _row("upload", SIZE, began, grown)
    with _memory(client) as grown:
        began = time.perf_counter()
        with client.stream("GET", f"{BLOBS}/{blob}") as answer:
            size = sum(len(part) for part in answer.iter_bytes(MIB))
        assert size == SIZE
        yield _row("download", SIZE, began, grown)
    client.delete(f"{BLOBS}/{blob}")


def _two_nodes(first: httpx.Client, second: httpx.Client, context: Context) -> Iterator[dict[str, object]]:
    blob = first.put(BLOBS, content=_content(TRAVELS, 2)).json()["data"]["blob_id"]
    with _memory(first) as there, _memory(second) as here:
        began = time.perf_counter()
        with second.stream("GET", f"{BLOBS}/{blob}", params={"context_id": context.id}) as answer:
            assert sum(len(part) for part in answer.iter_bytes(MIB)) == TRAVELS
        yield _row(
            "from another node", TRAVELS, began, {f"other {name}": value for name, value in there.items()} | here
        )
    yield {"case": "first byte, here", "p50_ms": _first_bytes(second, [blob] * FIRST_BYTES, {})}
    small = [
        first.put(BLOBS, content=_content(MIB, 10 + number)).json()["data"]["blob_id"] for number in range(FIRST_BYTES)
    ]
    yield {
        "case": "first byte, 1 MiB of another node",
        "p50_ms": _first_bytes(second, small, {"context_id": context.id}),
    }


def _first_bytes(client: httpx.Client, blobs: list[str], query: dict[str, str]) -> float:
    found = []
    for blob in blobs:
        began = time.perf_counter()
        with client.stream("GET", f"{BLOBS}/{blob}", params=query) as answer:
            next(answer.iter_raw(1))
            found.append((time.perf_counter() - began) * 1000)
    return sorted(found)[len(found) // 2]


def _content(size: int, seed: int) -> Iterator[bytes]:
    """Chunks that differ, or they would be stored once."""
    block = random.Random(seed).randbytes(MIB)
    for number in range(size // MIB):
        yield number.to_bytes(8, "big") + block[8:]


def _row(case: str, size: int, began: float, grown: dict[str, int]) -> dict[str, object]:
    seconds = time.perf_counter() - began
    memory = {f"{name}_grew_mib": round(most / MIB, 1) for name, most in grown.items()}
    return {"case": case, "mib": size // MIB, "mb_per_second": size / seconds / 1e6, **memory}


@contextmanager
def _memory(client: httpx.Client) -> Iterator[dict[str, int]]:
    """By worker, the bytes that it had at most above those at the start; filled in while the caller goes on."""
    rows = client.get("/calimero/v1/workers").json()["data"]["workers"]
    processes = {row["name"]: psutil.Process(row["pid"]) for row in rows if row["pid"]}
    start = {name: process.memory_info().rss for name, process in processes.items()}
    grown, over = dict.fromkeys(start, 0), threading.Event()

    def sample() -> None:
        while not over.wait(0.1):
            for name, process in processes.items():
                grown[name] = max(grown[name], process.memory_info().rss - start[name])

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield grown
    finally:
        over.set()
        sampler.join()
