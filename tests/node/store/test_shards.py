"""Which database holds a context, and who may open it."""

from __future__ import annotations

import pytest

from node.errors import StorageError
from node.primitives import ZERO_CONTEXT, ContextId
from node.store.base import Store
from node.store.memory import MemoryStore
from node.store.shards import SHARDS, Shards, shard_of, worker_of


def test_node_wide_rows_are_in_shard_zero() -> None:
    assert shard_of(ZERO_CONTEXT) == 0
    assert {shard_of(ContextId(bytes(31) + bytes([n]))) for n in range(256)} == set(range(SHARDS))


def test_shards_are_spread_over_the_workers() -> None:
    assert [worker_of(shard, 3) for shard in range(SHARDS)] == [0, 1, 2, 0, 1, 2, 0, 1]


def test_shards_open_when_needed_and_close_together() -> None:
    opened: list[int] = []

    def open_shard(number: int) -> Store:
        opened.append(number)
        return MemoryStore()

    shards = Shards([1, 5], open_shard)
    assert opened == []
    first = ContextId(bytes(31) + b"\x01")
    assert shards.owns(first)
    assert shards.of(first) is shards.store(1)
    assert opened == [1]
    assert len(list(shards)) == 2
    assert opened == [1, 5]
    assert not shards.owns(ZERO_CONTEXT)
    with pytest.raises(StorageError, match=r"shard 0 belongs to another runtime worker; this one owns \[1, 5\]"):
        shards.of(ZERO_CONTEXT)
    shards.close()
    shards.store(1)
    assert opened == [1, 5, 1]


def test_iterating_leaves_out_what_was_never_made() -> None:
    made: set[int] = set()
    opened: list[int] = []

    def open_shard(shard: int) -> MemoryStore:
        made.add(shard)
        return MemoryStore()

    shards = Shards([1, 3, 5], open_shard, made.__contains__)
    shards.on_made = lambda shard, _: opened.append(shard)
    assert list(shards) == []
    store = shards.store(3)
    assert list(shards) == [store]
    assert opened == [3]
