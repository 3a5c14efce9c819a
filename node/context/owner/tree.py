"""The Merkle tree of a context for comparison with another replica: nodes read, merged entities applied.

Reads and writes go through the same view and the same batch, and the root that results is committed with them: there is
no moment at which the state and the root disagree.
Source of the tree: core 0.10.0: crates/storage/src/index.rs, crates/node/src/sync/helpers.rs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from node.codec import borsh
from node.context.owner.state import ContextState
from node.primitives import EntityId
from node.storage.action import Action, Add, DeleteRef
from node.storage.entities import ChildInfo, EntityIndex, Metadata
from node.storage.keys import entry_key, index_key, root_id

MAX_DEPTH: Final = 16
"""Levels of one answer, as in the reference."""

MAX_NODES: Final = 1000
"""Nodes of one answer, as in the reference: with values of usual size they fit a frame."""


class StateNode(msgspec.Struct, frozen=True):
    """An entity with its place in the tree; ``data`` None: it has no entry here (deleted, or only a link).

    Everything that a replica needs to hold the same entity: the full chain is found by following ``parent_id``, and
    ``created_at``, which orders children in the hash of their parent, is in the rows.
    """

    index: EntityIndex
    data: bytes | None


def actions_of(node: StateNode, chain: Sequence[EntityIndex]) -> list[Action]:
    """What another replica must apply to hold ``node`` as it is here; ``chain`` runs from its parent to the root.

    One Add for each row that the parent has of it. Two nodes that create the same entry at once keep two rows with
    different ``created_at``, or one, depending on the order in which they heard of each other, and only the first row
    is kept current; so the roots differ although all entries are equal. Applied in both directions, twice, these
    actions give both sides all rows with the current hash. A tombstone becomes its deletion.
    """
    index = node.index
    if index.deleted_at is not None:
        return [DeleteRef(index.id, index.deleted_at, index.metadata)]
    if node.data is None:
        return []
    ancestors = tuple(ChildInfo(link.id, link.full_hash, link.metadata) for link in chain)
    rows = [row for row in chain[0].children or () if row.id == index.id] if chain else []
    created = [row.metadata.created_at for row in rows] or [index.metadata.created_at]
    return [Add(index.id, node.data, ancestors, _created(index.metadata, at)) for at in created]


def _created(metadata: Metadata, at: int) -> Metadata:
    return msgspec.structs.replace(metadata, created_at=at)


class Tree:
    """The tree of one context."""

    def __init__(self, state: ContextState) -> None:
        self._state = state

    def nodes(self, start: EntityId | None, depth: int) -> list[bytes]:
        """Borsh :class:`StateNode` of ``start`` (None: the root) and ``depth`` levels below it, parents first.

        Tombstones are given when asked for by id; children lists do not name them. An unknown id gives an empty list.
        """
        level = [start or root_id(self._state.context_id)]
        found: list[StateNode] = []
        for _ in range(min(max(depth, 0), MAX_DEPTH) + 1):
            read = [node for entity in level[: MAX_NODES - len(found)] if (node := self.node(entity)) is not None]
            found.extend(read)
            level = [row.id for node in read for row in node.index.children or ()]
        return [borsh.encode(node) for node in found]

    def node(self, entity: EntityId) -> StateNode | None:
        """One entity, or None."""
        rows = self._state.rows
        raw = rows.state(index_key(entity))
        return None if raw is None else StateNode(borsh.decode(EntityIndex, raw), rows.state(entry_key(entity)))
