"""The Merkle tree of a context for comparison with another replica: nodes read, merged entities applied.

Reads and writes go through the same view and the same batch, and the root that results is committed with them: there is
no moment at which the state and the root disagree.
Source of the tree: core 0.10.0: crates/storage/src/index.rs, crates/node/src/sync/helpers.rs.
"""

from __future__ import annotations

from typing import Final

import msgspec

from node.codec import borsh
from node.context.owner.state import ContextState
from node.primitives import EntityId
from node.storage.entities import EntityIndex
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
