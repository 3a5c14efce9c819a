"""The state of a context by entity and by delta: tree, history of an entry, differences. All of it is ours."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from node.api.errors import BadRequest
from node.codec import borsh
from node.context.owner.tree import StateNode
from node.primitives import ContextId, DeltaId, EntityId
from workers.messages import runtime
from workers.server.api import Api
from workers.server.replies import data, path_id, query_id, query_int

__all__ = ["blame", "compare", "shown", "state_at", "tree"]

MAX_SHOWN: Final = 4096
"""Bytes of a value that are shown; whoever wants more reads the state through the application."""

MAX_DEPTH: Final = 16


def shown(raw: bytes) -> str:
    """The beginning of a value in hex."""
    return raw[:MAX_SHOWN].hex()


async def tree(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    entity = query_id(EntityId, request, "entity")
    depth = query_int(request, "depth", 2, high=MAX_DEPTH)
    found = await api.backend.owner(context_id, runtime.GetTreeNodes(context_id, entity, depth))
    nodes = [borsh.decode(StateNode, raw) for raw in found.nodes]
    return data({"root": str(found.root), "nodes": [_node_json(node) for node in nodes]})


def _node_json(node: StateNode) -> dict[str, Any]:
    index = node.index
    return {
        "id": str(index.id),
        "parent": None if index.parent_id is None else str(index.parent_id),
        "fullHash": index.full_hash.hex(),
        "ownHash": index.own_hash.hex(),
        "deletedAt": index.deleted_at,
        "children": [str(child.id) for child in index.children or ()],
        "size": len(node.data or b""),
        "value": None if node.data is None else shown(node.data),
    }


async def state_at(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    wanted = runtime.StateAt(context_id, path_id(DeltaId, request, "delta"))
    return data({"entries": [_entry(row) for row in (await api.backend.owner(context_id, wanted)).entries]})


async def blame(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    wanted = runtime.BlameEntry(context_id, path_id(EntityId, request, "entity"))
    return data({"entries": [_entry(row) for row in (await api.backend.owner(context_id, wanted)).entries]})


async def compare(api: Api, request: Request, body: Any) -> Response:
    context_id = path_id(ContextId, request, "context")
    old, new = query_id(DeltaId, request, "old"), query_id(DeltaId, request, "new")
    if old is None or new is None:
        raise BadRequest("name two deltas: ?old=ID&new=ID")
    found = await api.backend.owner(context_id, runtime.CompareDeltas(context_id, old, new))
    return data({"entries": [_difference(row) for row in found.entries]})


def _difference(row: runtime.EntryDifference) -> dict[str, Any]:
    before, after = row.before, row.after
    return {
        "entity": str(row.entity),
        "before": None if before is None else _entry(before),
        "after": None if after is None else _entry(after),
    }


def _entry(row: runtime.EntryVersion) -> dict[str, Any]:
    return {
        "entity": str(row.entity),
        "delta": str(row.delta_id),
        "author": None if row.author is None else str(row.author),
        "at": row.at_ns / 1e9,
        "size": len(row.data or b""),
        "value": None if row.data is None else shown(row.data),
    }
