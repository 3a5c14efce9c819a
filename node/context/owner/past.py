"""The past of a context for people: the deltas newest first, the entries at any delta, differences, and who wrote what.

Reads rows and the graph; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import dropwhile, islice

from node.context.owner.content import changes_of
from node.context.owner.rows import ContextRows
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta
from node.dag.history import Change, Difference, Entries, Version, blame, diff, state_at
from node.errors import NotFound
from node.primitives import DeltaId, EntityId, PublicKey


class Past:
    """Reads the history of one context."""

    def __init__(self, state: ContextState) -> None:
        self._state = state

    def window(self, after: DeltaId | None, limit: int) -> tuple[list[CausalDelta], DeltaId | None]:
        """Up to ``limit`` applied deltas behind ``after``, children before parents, and the cursor of the next window.

        Raises :class:`NotFound` for a cursor that is no applied delta.
        """
        dag, rows = self._state.dag, self._state.rows
        links = dag.newest()
        if after is not None:
            links = islice(dropwhile(lambda link: link.id != after, links), 1, None)
            if dag.parents(after) is None:
                raise NotFound(f"delta {after} is not applied here")
        ids = [link.id for link in islice(links, limit + 1)]
        found = [delta for delta_id in ids[:limit] if (delta := rows.causal(delta_id)) is not None]
        return found, ids[limit - 1] if len(ids) > limit else None

    def entries(self, delta_id: DeltaId) -> Entries:
        """Every entry as it was right after ``delta_id``. Raises :class:`NotFound`."""
        return state_at(self._state.dag, delta_id, self.changes)

    def difference(self, old: DeltaId, new: DeltaId) -> list[Difference]:
        """Entries whose bytes differ between two deltas. Raises :class:`NotFound`."""
        return diff(self._state.dag, old, new, self.changes)

    def writes(self, entity: EntityId) -> list[Version]:
        """Every write of an entry, the one that holds now first."""
        return blame(self._state.dag, entity, self._state.dag.heads, self.changes)

    def author(self, delta_id: DeltaId) -> PublicKey | None:
        """Who made a delta; None if a stream brought it, which does not say."""
        origin = self._state.rows.origin(delta_id)
        return None if origin is None else origin.author

    def changes(self, delta_id: DeltaId) -> Iterable[Change]:
        """The entries that a delta wrote; none for what a snapshot brought."""
        rows: ContextRows = self._state.rows
        row = rows.delta(delta_id)
        return () if row is None else changes_of(row.actions)
