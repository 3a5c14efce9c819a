"""The contexts of one worker: their owners, made when first needed, and contexts that are being created."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from node.context.owner import lifecycle
from node.context.owner.host import Host
from node.context.owner.lifecycle import Staged
from node.context.owner.owner import ContextOwner
from node.context.owner.rows import context_ids
from node.errors import ContextError
from node.primitives import ContextId
from node.storage.hlc import HybridClock
from node.store.shards import Shards
from node.store.values import ContextConfig

MAX_STAGED = 64
"""Contexts that were initialised and neither committed nor aborted; beyond it the oldest is forgotten."""


class Contexts:
    """Owners by context id. ``clock`` makes the hybrid clock of one context."""

    def __init__(self, shards: Shards, host: Host, clock: Callable[[], HybridClock]) -> None:
        self._shards = shards
        self._host = host
        self._clock = clock
        self._owners: dict[ContextId, ContextOwner] = {}
        self._staged: dict[ContextId, Staged] = {}

    def get(self, context_id: ContextId) -> ContextOwner:
        """Raises :class:`UnknownContext`, and :class:`StorageError` for a context of another worker."""
        owner = self._owners.get(context_id)
        if owner is None:
            owner = ContextOwner(context_id, self._shards.of(context_id), self._host, self._clock())
            self._owners[context_id] = owner
        return owner

    def ids(self) -> list[ContextId]:
        return [context_id for store in self._shards for context_id in context_ids(store)]

    def __iter__(self) -> Iterator[ContextOwner]:
        return (self.get(context_id) for context_id in self.ids())

    def loaded(self) -> list[ContextOwner]:
        return list(self._owners.values())

    def forget(self, context_id: ContextId) -> None:
        """Its rows changed behind the owner's back, or are gone: read them again when it is needed."""
        owner = self._owners.pop(context_id, None)
        if owner is not None:
            owner.close()

    # creation

    def stage(self, staged: Staged) -> None:
        while len(self._staged) >= MAX_STAGED:
            del self._staged[next(iter(self._staged))]
        self._staged[staged.context_id] = staged

    def commit(self, context_id: ContextId, config: ContextConfig) -> ContextOwner:
        """Write a staged context. Raises :class:`ContextError` when it was not staged or exists already."""
        staged = self._staged.get(context_id)
        if staged is None:
            raise ContextError(f"context {context_id} is not being created here; start again")
        lifecycle.commit_created(self._shards.of(context_id), staged, config)
        del self._staged[context_id]
        return self.get(context_id)

    def abort(self, context_id: ContextId) -> None:
        self._staged.pop(context_id, None)

    def clock(self) -> HybridClock:
        return self._clock()

    def close(self) -> None:
        for context_id in list(self._owners):
            self.forget(context_id)
