"""Contexts spread over a fixed number of databases, so that each has one writer and cores can be added.

The shard of a context never changes, because its number is a function of the id alone; which process owns a shard may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from node.errors import StorageError
from node.primitives import ContextId
from node.store.base import Store

SHARDS: Final = 8
"""Number of databases of a node. More workers than shards would idle; each open shard costs a few MiB."""


def shard_of(context_id: ContextId) -> int:
    """Number of the shard that holds a context; rows of the whole node (the zero context) are in shard 0.

    Context ids are public keys, hence uniform in their low byte.
    """
    return context_id[-1] % SHARDS


def worker_of(shard: int, workers: int) -> int:
    """Which of ``workers`` runtime workers owns a shard; worker 0 owns shard 0 and with it the node-wide rows."""
    return shard % workers


class Shards:
    """The shards of one worker, each opened when it is first needed.

    ``exists`` tells whether a shard was ever written; iterating leaves out those that were not, since to make eight
    empty databases costs a new node more time than everything else at its start.
    """

    def __init__(
        self,
        owned: Iterable[int],
        open_shard: Callable[[int], Store],
        exists: Callable[[int], bool] = lambda _: True,
    ) -> None:
        self._open_shard = open_shard
        self._exists = exists
        self.on_made: Callable[[int, Store], None] | None = None
        """Called with a shard that was opened for the first time ever, to give it what every shard has."""
        self._owned = frozenset(owned)
        self._open: dict[int, Store] = {}

    @property
    def owned(self) -> list[int]:
        return sorted(self._owned)

    def owns(self, context_id: ContextId) -> bool:
        return shard_of(context_id) in self._owned

    def store(self, shard: int) -> Store:
        """Raises :class:`StorageError` for a shard of another worker, and what opening raises."""
        if shard not in self._owned:
            raise StorageError(f"shard {shard} belongs to another runtime worker; this one owns {self.owned}")
        if shard not in self._open:
            made = not self._exists(shard)
            self._open[shard] = self._open_shard(shard)
            if made and self.on_made is not None:
                self.on_made(shard, self._open[shard])
        return self._open[shard]

    def of(self, context_id: ContextId) -> Store:
        return self.store(shard_of(context_id))

    def __iter__(self) -> Iterator[Store]:
        return (self.store(shard) for shard in self.owned if shard in self._open or self._exists(shard))

    def close(self) -> None:
        for store in self._open.values():
            store.close()
        self._open.clear()
