"""What must be true in the end, kept apart from the code under test: the acknowledged writes and who wins.

The later write of a key wins, by the time that the writing node stamped; a write whose caller never got an answer may
count or not. It reads deltas, and shares no merge code with the nodes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from node.dag.delta import CausalDelta
from node.primitives import DeltaId, EntityId
from node.storage.action import ACTIONS, Action, Add, DeleteRef, Update
from tests.simulation.guest import ITEMS, entry_of


@dataclass(frozen=True, slots=True)
class Stamp:
    """One change of an entry. ``data`` None: removed."""

    at: int
    data: bytes | None


@dataclass(slots=True)
class Oracle:
    """Acknowledged deltas by id, with the changes that they carry.

    An id covers no times: two nodes that remove one key on the same heads make two deltas with one id, and both count.
    """

    changes: dict[DeltaId, list[tuple[EntityId, Stamp]]] = field(default_factory=dict)
    loose: list[tuple[EntityId, Stamp]] = field(default_factory=list)

    def acknowledged(self, delta: CausalDelta) -> None:
        self.changes.setdefault(delta.id, []).extend(changes_of(delta))

    def unexplained(self, action: Action) -> None:
        """A change of one node's state that no delta carries; the comparison of states spreads it."""
        stamps = changes_in((action,))
        self.loose.extend(stamps)

    def winners(self, applied: Iterable[CausalDelta]) -> dict[EntityId, Stamp]:
        """The last change of each entry; ``applied`` are the deltas of the nodes, acknowledged or not."""
        every: defaultdict[EntityId, list[Stamp]] = defaultdict(list)
        for changes in (*self.changes.values(), self.loose, *map(changes_of, applied)):
            _collect(every, changes)
        return {entity: max(stamps, key=lambda s: (s.at, s.data is None)) for entity, stamps in every.items()}


def _collect(every: dict[EntityId, list[Stamp]], changes: list[tuple[EntityId, Stamp]]) -> None:
    for entity, stamp in changes:
        every[entity].append(stamp)


def changes_of(delta: CausalDelta) -> list[tuple[EntityId, Stamp]]:
    """Entries of the map that a delta sets or removes."""
    return changes_in(ACTIONS.decode(delta.payload))


def changes_in(actions: Iterable[Action]) -> list[tuple[EntityId, Stamp]]:
    """The same for some actions."""
    found: list[tuple[EntityId, Stamp]] = []
    for action in actions:
        if isinstance(action, DeleteRef):
            found.append((action.id, Stamp(action.deleted_at, None)))
        elif isinstance(action, Add | Update) and any(link.id == ITEMS for link in action.ancestors[:1]):
            found.append((action.id, Stamp(action.metadata.updated_at, action.data)))
    return found


def entries(keys: list[str]) -> dict[EntityId, str]:
    """Entity id to key."""
    return {entry_of(key): key for key in keys}
