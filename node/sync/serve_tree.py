"""Serving nodes of the Merkle tree, singly with their children or level by level.

Source of the messages: core 0.10.0: crates/node/src/sync/{hash_comparison,level_sync}.rs.
"""

from __future__ import annotations

from node.errors import NotFound
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.streams import Link
from node.sync.wire import LevelWiseRequest, TreeNodeRequest


async def nodes(core: Core, context: Followed, link: Link, asked: TreeNodeRequest) -> None:
    raise NotFound("no tree")


async def level(core: Core, context: Followed, link: Link, asked: LevelWiseRequest) -> None:
    raise NotFound("no tree")
