"""Serving the tree of a context: our comparison by buckets, and the two forms of the reference.

A leaf that has no CRDT type cannot be expressed in the reference's form; like the reference, this node then refuses,
and the peer falls back to deltas. Source: core 0.10.0: crates/node/src/sync/{hash_comparison_protocol,level_sync}.rs.
"""

from __future__ import annotations

from collections.abc import Sized
from typing import Final

from node.codec import borsh
from node.context.owner.repair import Part, Place
from node.context.owner.tree import StateNode
from node.errors import NotFound, RemoteProtocolError
from node.primitives import EntityId, Hash
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.kernel import Ask
from node.sync.ports import GetTreeNodes, ReadBuckets, ReadPlaces, ReadRows
from node.sync.streams import Link
from node.sync.wire import (
    LeafMetadata,
    LevelNode,
    LevelWiseRequest,
    LevelWiseResponse,
    Message,
    MessagePayload,
    TreeBucketsRequest,
    TreeBucketsResponse,
    TreeLeafData,
    TreeNode,
    TreeNodeRequest,
    TreeNodeResponse,
    TreePlacesRequest,
    TreePlacesResponse,
    TreeRowsRequest,
    TreeRowsResponse,
)

MAX_ASKED: Final = 256
"""Entities of one request of ours."""

MAX_LEVEL: Final = 64
MAX_PARENTS: Final = 1000
MAX_NODES: Final = 1000
"""Nodes of one HashComparison answer, as in the reference."""

MAX_LEVEL_NODES: Final = 10_000
"""Nodes of one LevelWise answer, as in the reference."""

MAX_LEVEL_BYTES: Final = 4 * 1024 * 1024
"""Values of one LevelWise answer: half a frame."""


# -- ours


async def buckets(core: Core, context: Followed, link: Link, asked: TreeBucketsRequest) -> None:
    _check(link, asked.entities)
    found = await Ask(ReadBuckets(context.id, tuple((entity, None) for entity in asked.entities)))
    await _send(core, link, TreeBucketsResponse(*found))


async def rows(core: Core, context: Followed, link: Link, asked: TreeRowsRequest) -> None:
    _check(link, asked.parts)
    found = await Ask(ReadRows(context.id, asked.parts))
    await _send(core, link, TreeRowsResponse(*found))


async def places(core: Core, context: Followed, link: Link, asked: TreePlacesRequest) -> None:
    _check(link, asked.entities)
    found = await Ask(ReadPlaces(context.id, asked.entities))
    await _send(core, link, TreePlacesResponse(*found))


def _check(link: Link, asked: Sized) -> None:
    if len(asked) > MAX_ASKED:
        raise RemoteProtocolError(f"peer {link.peer} asks for {len(asked)} entities, at most {MAX_ASKED}")


# -- the reference's


async def nodes(core: Core, context: Followed, link: Link, asked: TreeNodeRequest) -> None:
    """HashComparison: one entity and, if asked for, its children. The root hash stands for the root entity."""
    heads = await core.read_heads(context)
    entity = None if asked.node_id == heads.root else EntityId(asked.node_id)
    tree = await Ask(GetTreeNodes(context.id, entity, 1 if asked.max_depth else 0))
    found = [tree_node(borsh.decode(StateNode, raw)) for raw in tree.nodes[:MAX_NODES]]
    await _send(core, link, TreeNodeResponse(tuple(found), not_found=not found))


async def level(core: Core, context: Followed, link: Link, asked: LevelWiseRequest) -> None:
    """LevelWise: the children of some entities; level 0 are the children of the root."""
    if asked.level > MAX_LEVEL or len(asked.parent_ids or ()) > MAX_PARENTS:
        raise RemoteProtocolError(f"peer {link.peer} asks for level {asked.level} of too many parents", score=1)
    parents: tuple[EntityId | None, ...] = asked.parent_ids or () if asked.level else (None,)
    found: list[LevelNode] = []
    for parent in dict.fromkeys(parents):
        places = await _children(context, parent, MAX_LEVEL_NODES - len(found))
        found += [node for place in places if (node := _level_node(place, parent)) is not None]
    found = found[: _fitting(found)]
    more = any(node.leaf_data is None for node in found)
    await _send(core, link, LevelWiseResponse(asked.level, tuple(found), has_more_levels=more))


async def _children(context: Followed, parent: EntityId | None, limit: int) -> list[Place]:
    """The children of an entity, read in pieces: a level may be wider than what the owner answers at once."""
    if limit <= 0:
        return []
    (listed,) = (await Ask(ReadRows(context.id, (Part(parent or EntityId(context.id), 0, (0,)),))))[1]
    ids = tuple(dict.fromkeys(row.id for row in listed))[:limit]
    places: list[Place] = []
    while ids:
        read = (await Ask(ReadPlaces(context.id, ids[:MAX_ASKED])))[1]
        places += [place for place in read if place is not None]
        ids = ids[len(read) :]
    return places


def _fitting(nodes: list[LevelNode]) -> int:
    """How many of the nodes fit an answer, by the bytes of their values."""
    size = 0
    for number, node in enumerate(nodes):
        size += len(node.leaf_data.value) if node.leaf_data is not None else 0
        if size > MAX_LEVEL_BYTES:
            return number
    return len(nodes)


def _level_node(place: Place, parent: EntityId | None) -> LevelNode | None:
    """None for a leaf without an entry, as in the reference."""
    index = place.node.index
    if place.children:
        return LevelNode(index.id, Hash(index.full_hash), parent, None)
    if place.node.data is None:
        return None
    return LevelNode(index.id, Hash(index.full_hash), parent, _leaf(place.node, place.node.data))


def tree_node(state: StateNode) -> TreeNode:
    """An entity in the reference's form. Raises :class:`NotFound` for a leaf that has no CRDT type."""
    index = state.index
    children = tuple(child.id for child in index.children or ())
    leaf = None
    if not children and state.data is not None:
        leaf = _leaf(state, state.data)
    return TreeNode(index.id, Hash(index.full_hash), children, leaf)


def _leaf(state: StateNode, data: bytes) -> TreeLeafData:
    index = state.index
    if index.metadata.crdt_type is None:
        raise NotFound(f"Missing CRDT type metadata for leaf entity {index.id.hex()}: data integrity issue")
    metadata = LeafMetadata(index.metadata.crdt_type, index.metadata.updated_at, 0, bytes(32), None)
    return TreeLeafData(index.id, data, metadata)


async def _send(core: Core, link: Link, payload: MessagePayload) -> None:
    await link.send(Message(0, payload, core.random_bytes(12)))
