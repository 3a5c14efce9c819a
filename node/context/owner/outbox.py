"""Event handlers that this node owes: run after the delta is applied, at least once, each a call of its own.

An entry is written with the delta that causes it and shrinks in the same batch as the handler's own effects, so a kill
between two handlers repeats none that moved the state. A handler that keeps failing is given up after a few tries and
stays listed; it stops no other handler.
Source of the events: core 0.10.0: crates/node/src/handlers/state_delta.rs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from node.context.owner.execute import Executed, Executor
from node.context.owner.state import ContextState
from node.errors import CalimeroError, DecodeError, StorageError
from node.events import AppEvent, events_from_bytes
from node.primitives import DeltaId
from node.store.base import Batch
from node.store.values import OutboxEntry

HANDLER_ATTEMPTS: Final = 3
"""Tries of one handler. A method that refuses its input will refuse it again; a full disk may have room next time."""


class Outbox:
    """Runs owed handlers, oldest delta first."""

    def __init__(self, state: ContextState, executor: Executor, owed: dict[DeltaId, OutboxEntry]) -> None:
        self._state = state
        self._executor = executor
        self._owed = owed

    @property
    def pending(self) -> int:
        """Deltas with a handler that is still to be tried."""
        return sum(entry.attempts < HANDLER_ATTEMPTS for entry in self._owed.values())

    def given_up(self) -> list[OutboxEntry]:
        """Entries whose next handler failed too often: the dead letters."""
        return [entry for entry in self._owed.values() if entry.attempts >= HANDLER_ATTEMPTS]

    def run(self, made: Callable[[Executed], None], limit: int | None = None) -> int:
        """Run up to ``limit`` handlers; ``made`` is told of each result. Answers how many were tried."""
        tried = 0
        for delta_id in list(self._owed):
            while limit is None or tried < limit:
                entry = self._owed.get(delta_id)
                if entry is None or entry.attempts >= HANDLER_ATTEMPTS:
                    break
                tried += 1
                if not self._step(entry, made):
                    break
        return tried

    def _step(self, entry: OutboxEntry, made: Callable[[Executed], None]) -> bool:
        """One event of an entry. False: it failed and is tried again later."""
        event = _next_event(entry)
        following = replace(entry, done=entry.done + 1, attempts=0)
        if event is None or not event.handler:
            self._write(entry.delta_id, following if event is not None else None)
            return True
        batch = Batch()
        rest = following if _next_event(following) is not None else None
        self._stage(batch, entry.delta_id, rest)
        me = self._state.me()
        try:
            if me is None:
                raise StorageError("this node has no identity here to run the handler as")
            result = self._executor.execute(event.handler, event.data, me, extra=batch, depth=1)
        except CalimeroError:
            self._state.counts["handler failed"] += 1
            self._write(entry.delta_id, replace(entry, attempts=entry.attempts + 1))
            return False
        self._follow(entry.delta_id, rest)
        self._state.counts["handler run"] += 1
        made(result)
        return True

    def _write(self, delta_id: DeltaId, entry: OutboxEntry | None) -> None:
        batch = Batch()
        self._stage(batch, delta_id, entry)
        self._state.commit(batch)
        self._follow(delta_id, entry)

    def _stage(self, batch: Batch, delta_id: DeltaId, entry: OutboxEntry | None) -> None:
        if entry is None:
            self._state.rows.drop_outbox(batch, delta_id)
        else:
            self._state.rows.put_outbox(batch, entry)

    def _follow(self, delta_id: DeltaId, entry: OutboxEntry | None) -> None:
        if entry is None:
            self._owed.pop(delta_id, None)
        else:
            self._owed[delta_id] = entry


def _next_event(entry: OutboxEntry) -> AppEvent | None:
    try:
        events = events_from_bytes(entry.events)
    except DecodeError:
        return None
    return events[entry.done] if entry.done < len(events) else None
