"""Borsh of causal deltas of about 1 KB: the shapes that a key-value call, a user's entry and a plain blob give."""

from __future__ import annotations

import timeit
from collections.abc import Callable, Iterator
from typing import Final

from node.codec.borsh import codec
from node.primitives import GENESIS, DeltaId, EntityId, Hash, PublicKey
from node.storage.action import Add, Update
from node.storage.delta import CausalDelta
from node.storage.entities import PUBLIC, ChildInfo, Metadata, SignatureData, StorageType, User
from node.storage.hlc import HybridTimestamp

TARGET_US: Final = 15.0
"""What encoding and decoding may take, in µs each."""

ROUNDS: Final = 3000
CALLS: Final = 25

OWNED: Final = User(PublicKey(b"u" * 32), SignatureData(b"s" * 64, 7))


def run() -> Iterator[dict[str, object]]:
    for name, delta in (("call", _delta(98, 2)), ("owned", _delta(60, 1, OWNED)), ("blob", _delta(370, 1))):
        using = codec(CausalDelta)
        raw = using.encode(delta)
        yield {"name": f"{name} size", "value": len(raw), "unit": "bytes"}
        yield _figure(f"{name} encode", lambda using=using, delta=delta: using.encode(delta))
        yield _figure(f"{name} decode", lambda using=using, raw=raw: using.decode(raw))


def _delta(size: int, entries: int, kind: StorageType = PUBLIC) -> CausalDelta:
    """Some entries of a map below the root, the state struct, the root: what one call leaves."""
    plain, owned = Metadata(1, 2), Metadata(1, 2, kind)
    root, table = (
        ChildInfo(EntityId(b"r" * 32), Hash(b"h" * 32), plain),
        ChildInfo(EntityId(b"t" * 32), Hash(b"i" * 32), plain),
    )
    added = tuple(Add(EntityId(bytes([at]) * 32), b"x" * size, (table, root), owned) for at in range(entries))
    tail = (Update(EntityId(b"v" * 32), b"s" * 64, (root,), plain), Update(root.id, b"r" * 32, (), plain))
    return CausalDelta(DeltaId(b"d" * 32), (GENESIS,), (*added, *tail)[:4], HybridTimestamp(5, 6), Hash(b"e" * 32))


def _figure(name: str, call: Callable[[], object]) -> dict[str, object]:
    best = min(timeit.repeat(call, number=CALLS, repeat=ROUNDS)) / CALLS
    return {"name": name, "value": round(best * 1e6, 2), "unit": "us", "target": TARGET_US}
