"""The past of a context, read from its graph: ancestry, order, the entries at any delta, what two deltas differ in,
and who wrote what last.

Everything is a pure function of the graph and of the changes that each delta carries; nothing here reads a store or
runs an application. Entries fold by the rule of the delta path: the later time wins, equal times go to the later delta.
Source of the fold: core 0.10.0: crates/storage/src/interface.rs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple, Protocol, TypeAlias

from node.dag.delta import Link
from node.dag.order import topological
from node.errors import NotFound
from node.primitives import GENESIS, DeltaId, EntityId


class Graph(Protocol):
    """Parents of an applied delta, or None for an unknown one."""

    def parents(self, delta_id: DeltaId) -> tuple[DeltaId, ...] | None: ...


class Change(NamedTuple):
    """One entry written (``data``) or deleted (None) at a time in unix nanoseconds."""

    entity: EntityId
    data: bytes | None
    at_ns: int


class Version(NamedTuple):
    """The state of one entry: its bytes (None: deleted), when it was written, and by which delta."""

    data: bytes | None
    at_ns: int
    delta_id: DeltaId


class Difference(NamedTuple):
    """One entry that differs between two deltas; None: not there at all."""

    entity: EntityId
    before: Version | None
    after: Version | None


Changes: TypeAlias = Callable[[DeltaId], Iterable[Change]]
"""The changes that one delta carries, in its own order."""

Entries: TypeAlias = dict[EntityId, Version]


def ancestors(graph: Graph, start: Iterable[DeltaId], *, stop: frozenset[DeltaId] = frozenset()) -> Iterator[DeltaId]:
    """``start`` and everything behind it, newest first by distance; deltas in ``stop`` are neither given nor passed."""
    seen = {GENESIS, *stop}
    queue = deque(delta_id for delta_id in dict.fromkeys(start) if delta_id not in seen)
    seen.update(queue)
    while queue:
        delta_id = queue.popleft()
        parents = graph.parents(delta_id)
        if parents is None:
            continue
        yield delta_id
        fresh = [parent for parent in parents if parent not in seen]
        seen.update(fresh)
        queue.extend(fresh)


def is_ancestor(graph: Graph, old: DeltaId, new: DeltaId) -> bool:
    """True if ``old`` is ``new`` or lies behind it. The beginning lies behind everything."""
    return old == GENESIS or old in ancestors(graph, [new])


def between(graph: Graph, old: Iterable[DeltaId], new: Iterable[DeltaId]) -> list[DeltaId]:
    """Deltas behind ``new`` that are not behind ``old``, parents before children: what a holder of ``old`` lacks."""
    known = frozenset(ancestors(graph, old))
    return [link.id for link in topological(_links(graph, ancestors(graph, new, stop=known)))]


def state_at(
    graph: Graph, delta_id: DeltaId, changes: Changes, *, base: Mapping[EntityId, Version] | None = None
) -> Entries:
    """The entries as they were right after ``delta_id``, deleted ones included (``data`` None).

    ``base`` is the state that a snapshot brought. Raises :class:`NotFound` for a delta that is not applied here.
    """
    _require(graph, delta_id)
    entries: Entries = dict(base or {})
    for member in between(graph, (), [delta_id]):
        fold(entries, member, changes(member))
    return entries


def fold(entries: Entries, delta_id: DeltaId, changes: Iterable[Change]) -> None:
    """Write the changes of one delta into ``entries``: later time wins, a tie goes to the delta folded later."""
    for change in changes:
        current = entries.get(change.entity)
        if current is None or change.at_ns >= current.at_ns:
            entries[change.entity] = Version(change.data, change.at_ns, delta_id)


def diff(
    graph: Graph, old: DeltaId, new: DeltaId, changes: Changes, *, base: Mapping[EntityId, Version] | None = None
) -> list[Difference]:
    """Entries whose bytes differ between two deltas, ordered by id; works across forks as well."""
    before, after = state_at(graph, old, changes, base=base), state_at(graph, new, changes, base=base)
    found = (Difference(key, before.get(key), after.get(key)) for key in sorted(before.keys() | after.keys()))
    return [row for row in found if _bytes(row.before) != _bytes(row.after)]


def blame(graph: Graph, entity: EntityId, heads: Iterable[DeltaId], changes: Changes) -> list[Version]:
    """Every write of one entry behind ``heads``, the one that holds now first, then older ones."""
    versions: list[Version] = []
    for member in between(graph, (), heads):
        versions.extend(Version(c.data, c.at_ns, member) for c in changes(member) if c.entity == entity)
    return sorted(versions, key=lambda version: version.at_ns)[::-1]


def _links(graph: Graph, ids: Iterable[DeltaId]) -> list[Link]:
    found = [Link(delta_id, graph.parents(delta_id) or ()) for delta_id in ids]
    found.reverse()  # oldest first, so that unrelated deltas keep their age
    return found


def _require(graph: Graph, delta_id: DeltaId) -> None:
    if delta_id != GENESIS and graph.parents(delta_id) is None:
        raise NotFound(f"delta {delta_id} is not applied here; its history cannot be shown")


def _bytes(version: Version | None) -> bytes | None:
    return None if version is None else version.data
