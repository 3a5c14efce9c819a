"""The store and what the owner of a context adds to a guest: commits, reads, scans, open, execute, apply."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from node.context.owner import lifecycle
from node.context.owner.apply import Received
from node.context.owner.host import Host, Runnable
from node.context.owner.owner import ContextOwner
from node.dag.delta import CausalDelta
from node.primitives import ApplicationId, ContextId, Hash, PrivateKey, PublicKey
from node.runtime.call import GuestCall, Outcome
from node.storage.action import Update
from node.storage.delta import artifact_from_payload, payload_of
from node.storage.entities import Metadata
from node.storage.hlc import HybridClock
from node.storage.keys import root_id
from node.store.base import Batch
from node.store.columns import Column, in_context
from node.store.rocks import Durability, Memory, RocksStore
from node.store.values import ContextConfig, ContextIdentity

CONTEXT = ContextId(b"\xc1" * 32)
OWNER = PublicKey(b"\x01" * 32)
PEER = PublicKey(b"\x02" * 32)
ROWS = 20
VALUE = b"v" * 200


def _median_us(action: Callable[[int], object], count: int) -> float:
    taken = []
    for n in range(count):
        started = time.perf_counter_ns()
        action(n)
        taken.append(time.perf_counter_ns() - started)
    return round(statistics.median(taken) / 1000, 1)


def run() -> Iterator[dict[str, object]]:
    with tempfile.TemporaryDirectory() as folder:
        yield from _commits(Path(folder), "default", 2000)
        yield from _commits(Path(folder), "strict", 200)
        yield from _reads(Path(folder))
        yield from _open(Path(folder))
        yield from _owner(Path(folder))


def _twenty(n: int) -> Batch:
    batch = Batch()
    for row in range(ROWS):
        batch.put(Column.STATE, in_context(CONTEXT, (n * ROWS + row).to_bytes(32, "big")), VALUE)
    return batch


def _commits(folder: Path, durability: Durability, count: int) -> Iterator[dict[str, object]]:
    store = RocksStore(folder / durability, 0, durability=durability)
    value = _median_us(lambda n: store.commit(_twenty(n)), count)
    yield {"name": f"commit of {ROWS} rows, {durability}", "value": value, "unit": "µs"}
    store.close()


def _reads(folder: Path) -> Iterator[dict[str, object]]:
    store = RocksStore(folder / "default", 0)
    keys = [key for key, _ in store.scan(Column.STATE)]
    yield {"name": "get", "value": _median_us(lambda n: store.get(Column.STATE, keys[n]), 20_000), "unit": "µs"}
    started = time.perf_counter()
    rows = sum(1 for _ in store.scan(Column.STATE, CONTEXT))
    yield {"name": "scan", "value": round(rows / (time.perf_counter() - started)), "unit": "rows/s"}
    yield {"name": "snapshot", "value": _median_us(lambda n: store.snapshot().close(), 2000), "unit": "µs"}
    store.close()


def _open(folder: Path) -> Iterator[dict[str, object]]:
    memory, before = Memory(), _resident()
    started = time.perf_counter()
    shards = [RocksStore(folder / f"shard-{n}", n, memory=memory) for n in range(8)]
    yield {"name": "make eight shards", "value": round((time.perf_counter() - started) * 1000), "unit": "ms"}
    yield {"name": "memory of eight idle shards", "value": round((_resident() - before) / 2**20, 1), "unit": "MiB"}
    for shard in shards:
        shard.close()


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


class WriteGuest:
    """Writes 20 rows and one action; costs next to nothing itself."""

    def run(self, call: GuestCall) -> Outcome:
        now = call.now_ns()
        if call.method == "get":
            return Outcome(returns=call.state(b"\1" * 32))
        writes: dict[bytes, bytes | None] = {row.to_bytes(32, "big"): VALUE for row in range(ROWS)}
        action = Update(root_id(call.context_id), now.to_bytes(8, "big"), (), Metadata(now, now))
        artifact = artifact_from_payload(payload_of([action]))
        return Outcome(root_hash=Hash(now.to_bytes(32, "big")), artifact=artifact, writes=writes)


def _make(store: RocksStore) -> ContextOwner:
    guest = WriteGuest()
    host = Host(guest, lambda app: Runnable(Hash(app), bytes), time.time_ns, os.urandom)
    app, keys = ApplicationId(b"\xa1" * 32), ContextIdentity(PrivateKey(b"\1" * 32), PrivateKey(b"\2" * 32))
    clock = HybridClock(time.time_ns, 1)
    staged = lifecycle.initialise(CONTEXT, app, Runnable(Hash(app), bytes), OWNER, keys, b"", host, clock)
    lifecycle.commit_created(store, staged, ContextConfig("near", "n", "c", "p", 0, 0))
    owner = ContextOwner(CONTEXT, store, host, clock)
    owner.update(ContextConfig("near", "n", "c", "p", 0, 0), [OWNER, PEER])
    return owner


def _owner(folder: Path) -> Iterator[dict[str, object]]:
    store, other = RocksStore(folder / "owner", 0), RocksStore(folder / "other", 0)
    owner = _make(store)
    _copy(store, other)
    views = _median_us(lambda n: owner.execute("get", b"", OWNER), 5000)
    yield {"name": "execute a view", "value": views, "unit": "µs"}
    made: list[CausalDelta | None] = []
    calls = _median_us(lambda n: made.append(owner.execute("set", b"", OWNER).delta), 2000)
    yield {"name": f"execute, {ROWS} rows changed", "value": calls, "unit": "µs"}
    deltas = [delta for delta in made if delta is not None]
    peer = ContextOwner(CONTEXT, other, owner.state.host, HybridClock(time.time_ns, 2))
    yield from _apply(peer, deltas)
    if peer.heads().heads != owner.heads().heads:
        raise AssertionError("the peer did not apply everything")
    store.close()
    other.close()


def _copy(source: RocksStore, target: RocksStore) -> None:
    batch = Batch()
    for column in Column:
        for key, value in source.scan(column):
            batch.put(column, key, value)
    target.commit(batch)


def _apply(peer: ContextOwner, deltas: list[CausalDelta]) -> Iterator[dict[str, object]]:
    half = len(deltas) // 2
    value = _median_us(lambda n: peer.apply([Received(deltas[n], OWNER)], "peer"), half)
    yield {"name": f"apply, {ROWS} rows changed", "value": value, "unit": "µs"}
    started = time.perf_counter()
    for delta in reversed(deltas[half:]):
        peer.apply([Received(delta, OWNER)], "peer")
    per_delta = (time.perf_counter() - started) / half * 1e6
    yield {"name": "keep, then apply in a cascade", "value": round(per_delta, 1), "unit": "µs"}
