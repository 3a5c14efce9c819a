"""The past of a context for people: the deltas newest first, the entries at any delta, differences, and who wrote what.

Reads rows and the graph; changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import dropwhile, islice

from node.context.owner import originals
from node.context.owner.content import begins, changes_of
from node.context.owner.rows import ContextRows
from node.context.owner.state import ContextState
from node.dag.delta import CausalDelta, Link
from node.dag.history import Change, Difference, Entries, Version, blame, diff, state_at
from node.errors import NotFound
from node.primitives import GENESIS, DeltaId, EntityId, PublicKey
from node.storage.keys import index_key, root_id


class Past:
    """Reads the history of one context."""

    def __init__(self, state: ContextState) -> None:
        self._state = state
        self._leftovers: dict[DeltaId, frozenset[EntityId]] = {}

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
        self._require(delta_id)
        return state_at(self._state.dag, delta_id, self.changes, base=self._brought())

    def difference(self, old: DeltaId, new: DeltaId) -> list[Difference]:
        """Entries whose bytes differ between two deltas. Raises :class:`NotFound`."""
        self._require(old)
        self._require(new)
        return diff(self._state.dag, old, new, self.changes, base=self._brought())

    def writes(self, entity: EntityId) -> list[Version]:
        """Every write of an entry, the one that holds now first; what a snapshot brought of it comes last."""
        found = blame(self._state.dag, entity, self._state.dag.heads, self.changes)
        version = self._brought().get(entity)
        return found if version is None else [*found, version]

    def author(self, delta_id: DeltaId) -> PublicKey | None:
        """Who made a delta; None if a stream brought it, which does not say."""
        origin = self._state.rows.origin(delta_id)
        return None if origin is None else origin.author

    def changes(self, delta_id: DeltaId) -> Iterable[Change]:
        """The entries that a delta wrote; none for what a snapshot brought."""
        rows: ContextRows = self._state.rows
        row = rows.delta(delta_id)
        if row is None:
            return ()
        found = changes_of(row.actions)
        if row.parents == (GENESIS,):
            gone = self._leftovers_of(delta_id, found)
            return [change for change in found if change.entity not in gone]
        return found

    def _require(self, delta_id: DeltaId) -> None:
        """Raises :class:`NotFound` for a delta whose effects are known only together with later ones."""
        if self._state.dag.covers(delta_id) and self._state.rows.delta(delta_id) is None:
            raise NotFound(
                f"delta {delta_id} lies behind the snapshot with which this node joined; ask an older member"
            )

    def _brought(self) -> Entries:
        """The entries of the snapshot with which this node joined, as of the first delta that it has."""
        dag = self._state.dag
        if not dag.partial:
            return {}
        written = {change.entity for link in dag.applied() for change in self.changes(link.id)}
        first: Link = next(dag.applied())
        return originals.brought(self._state.rows, written, first.id)

    def _leftovers_of(self, delta_id: DeltaId, found: list[Change]) -> frozenset[EntityId]:
        """What ``init`` made under ids that it gave up: its delta adds them, and no state ever had them."""
        if delta_id not in self._leftovers:
            rows, delta = self._state.rows, self._state.rows.causal(delta_id)
            starts = delta is not None and begins(delta, root_id(self._state.context_id))
            absent = {c.entity for c in found if rows.state(index_key(c.entity)) is None} if starts else set()
            self._leftovers[delta_id] = frozenset(absent - self._deleted(absent, delta_id))
        return self._leftovers[delta_id]

    def _deleted(self, entities: set[EntityId], but: DeltaId) -> set[EntityId]:
        """Those that a delta deleted: their tombstones may have been collected since."""
        rows = (self._state.rows.delta(link.id) for link in self._state.dag.applied() if entities and link.id != but)
        changes = (change for row in rows if row is not None for change in changes_of(row.actions))
        return {change.entity for change in changes if change.data is None and change.entity in entities}
