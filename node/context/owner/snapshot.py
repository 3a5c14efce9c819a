"""Whole states: served from a view that does not move, installed only after the rows were verified.

Serving: root, heads and rows come from one view, so writes may go on. Installing: rows are collected aside, the root is
recomputed from them, and state, root, heads and checkpoints change in one batch; a peer's word is never the root.
Source of the exchange: core 0.10.0: crates/node/src/sync/snapshot.rs (which trusts the peer's root).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from node.context.owner.rows import ContextRows
from node.context.owner.state import ContextState
from node.context.owner.verify import verified_root
from node.dag.delta import CausalDelta, checkpoint
from node.errors import NotFound, StateInconsistency, StorageError, UnknownContext
from node.primitives import GENESIS, DeltaId, Hash, PublicKey
from node.store.base import Batch, Row, View
from node.store.columns import Column
from node.store.values import OutboxEntry

MAX_OPEN: Final = 4
"""Views pinned per context; each keeps old rows from being compacted. A fifth closes the one that was idle longest."""

MAX_PAGE: Final = 1 << 20
"""Most bytes of rows in one answer, whatever a peer asks for: eight pages fit a frame of the wire."""

MAX_INSTALL: Final = 512 << 20
"""Most bytes of rows that are collected for one install. They become one batch, so they must fit in memory."""


@dataclass(slots=True)
class OpenView:
    """A pinned state."""

    view: View
    root: Hash
    heads: tuple[DeltaId, ...]
    rows: int


class SnapshotServer:
    """Serves the state of one context."""

    def __init__(self, state: ContextState) -> None:
        self._state = state
        self._open: dict[int, OpenView] = {}
        self._next = 1

    def open(self) -> tuple[int, OpenView]:
        """Pin the state as it is now. Raises :class:`NotFound` while there is none."""
        if not self._state.initialised:
            raise NotFound(f"context {self._state.context_id} has no state yet that could be served")
        while len(self._open) >= MAX_OPEN:
            self.close(next(iter(self._open)))
        view = self._state.store.snapshot()
        rows = ContextRows(view, self._state.context_id)
        meta = rows.meta()
        if meta is None:
            raise UnknownContext(f"context {self._state.context_id} is not on this node")
        found = OpenView(view, meta.root_hash, meta.dag_heads, sum(1 for _ in rows.state_rows()))
        handle, self._next = self._next, self._next + 1
        self._open[handle] = found
        return handle, found

    def read(self, handle: int, after: bytes | None, byte_limit: int) -> tuple[list[Row], bytes | None]:
        """Rows behind ``after``, at least one, then as many as fit ``byte_limit``; the cursor of the next page or None.

        Raises :class:`NotFound` for a handle that was closed; the receiver starts again.
        """
        found = self._open.pop(handle, None)
        if found is None:
            raise NotFound("this snapshot is closed; open a new one")
        self._open[handle] = found  # last used, last closed
        limit = max(1, min(byte_limit, MAX_PAGE))
        return page(ContextRows(found.view, self._state.context_id), after, limit)

    def close(self, handle: int) -> None:
        found = self._open.pop(handle, None)
        if found is not None:
            found.view.close()

    def close_all(self) -> None:
        for handle in list(self._open):
            self.close(handle)


def page(
    rows: ContextRows, after: bytes | None, limit: int, max_rows: int | None = None
) -> tuple[list[Row], bytes | None]:
    """One page of state rows in the reference's record size: 32 bytes of key, 4 of length, the value."""
    taken: list[Row] = []
    size = 0
    for key, value in rows.state_rows(after):
        size += 36 + len(value)
        if taken and (size > limit or len(taken) == max_rows):
            return taken, taken[-1][0]
        taken.append((key, value))
    return taken, None


Owe: TypeAlias = Callable[[Batch, CausalDelta, PublicKey | None], OutboxEntry | None]
"""Notes the handlers of a covered delta in the batch that covers it."""


@dataclass(slots=True)
class Install:
    """Rows received so far, and what the peer says they are."""

    root: Hash
    heads: tuple[DeltaId, ...]
    rows: dict[bytes, bytes] = field(default_factory=dict)
    size: int = 0


class SnapshotInstaller:
    """Receives a state for a context that has none."""

    def __init__(self, state: ContextState, owe: Owe) -> None:
        self._state = state
        self._owe = owe
        self._install: Install | None = None

    def begin(self, root: Hash, heads: Iterable[DeltaId]) -> None:
        """Start anew; a half-received state is dropped. Raises :class:`StateInconsistency` where there is state."""
        if self._state.initialised:
            raise StateInconsistency(
                f"context {self._state.context_id} has state already; a snapshot would undo local changes"
            )
        self._install = Install(root, tuple(head for head in heads if head != GENESIS))

    def put(self, rows: Iterable[Row]) -> None:
        """Raises :class:`StorageError` when the state is larger than this node accepts or a key is no row key."""
        install = self._current()
        for key, value in rows:
            if len(key) != 32:
                raise StorageError(f"a state row has a key of {len(key)} bytes, 32 are needed")
            install.size += len(key) + len(value)
            install.rows[key] = value
        if install.size > MAX_INSTALL:
            self.abort()
            raise StorageError(f"the state is larger than {MAX_INSTALL >> 20} MiB; it cannot be installed in one piece")

    def abort(self) -> None:
        self._install = None

    def finish(self) -> list[OutboxEntry]:
        """Verify and publish; answers the handlers that this node owes for deltas that waited and are covered now.

        Raises :class:`IndexMismatch` if the rows do not hash to the announced root; then nothing changed.
        """
        install, state = self._current(), self._state
        self._install = None
        verified_root(install.rows, state.context_id, install.root)
        batch = Batch()
        batch.delete_all(Column.STATE, (bytes(state.context_id + key) for key, _ in state.rows.state_rows()))
        for key, value in install.rows.items():
            batch.put(Column.STATE, state.context_id + key, value)
        entries = [self._cover(batch, delta) for delta in self._covered(install)]
        state.commit(batch, meta=replace(state.meta, root_hash=install.root, dag_heads=install.heads))
        state.reload()
        return [entry for entry in entries if entry is not None]

    def _covered(self, install: Install) -> list[CausalDelta]:
        """The heads, and those ancestors of them that wait here: the snapshot holds the effects of all of these."""
        rows, found, queue = self._state.rows, dict[DeltaId, CausalDelta](), list(install.heads)
        while queue:
            delta_id = queue.pop()
            if delta_id in found or delta_id == GENESIS:
                continue
            held = rows.causal(delta_id)
            if held is not None:
                found[delta_id] = held
                queue.extend(held.parents)
            elif delta_id in install.heads:
                found[delta_id] = checkpoint(delta_id, install.root)
        return list(found.values())

    def _cover(self, batch: Batch, delta: CausalDelta) -> OutboxEntry | None:
        self._state.rows.put_delta(batch, delta, applied=True)
        origin = self._state.rows.origin(delta.id)
        return self._owe(batch, delta, origin.author) if origin is not None else None

    def _current(self) -> Install:
        if self._install is None:
            raise StateInconsistency(f"no snapshot is being installed into context {self._state.context_id}")
        return self._install
