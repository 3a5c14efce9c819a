"""The numbers of the gossip router. Times are nanoseconds, as all times of the core.

Values are those of the reference (rust-libp2p's gossipsub 0.49 defaults, which core 0.10.0 uses unchanged) except where
a line says why not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

SECOND: Final = 1_000_000_000

LARGE_MESSAGE: Final = 1_000
"""Bytes above which IDONTWANT is worth its own frame."""

MAX_TOPICS_PER_PEER: Final = 5_000
"""Topics that are remembered of one peer; a node follows one per context, so this is far beyond any real one."""

MAX_SEEN: Final = 200_000
"""Message ids in the duplicate cache; at 120 s of 1 500 messages per second the oldest go early."""

IDS_PER_FRAME: Final = 500
"""Message ids per IHAVE or IWANT frame: about 75 bytes each, so a frame stays below 64 KiB with room to spare."""


@dataclass(frozen=True, slots=True)
class GossipParams:
    """Mesh degrees, periods and limits of a :class:`~node.gossip.router.Router`."""

    mesh_n: int = 6
    mesh_low: int = 5
    mesh_high: int = 12
    mesh_outbound_min: int = 2
    lazy: int = 6
    lazy_share: float = 0.25
    history: int = 5
    gossip_windows: int = 3
    seen_ttl: int = 60 * SECOND
    prune_backoff: int = 60 * SECOND
    unsubscribe_backoff: int = 1 * SECOND
    """What is announced when a topic is left. The reference says 10 s; a short one lets a context be left and joined
    again without a gap, and a reference node honours what it is told."""
    backoff_slack: int = 1 * SECOND
    iwant_followup: int = 3 * SECOND
    max_retransmissions: int = 3
    max_ihave_per_heartbeat: int = 10
    max_ids_per_heartbeat: int = 5_000
    regraft_heartbeats: int = 60
    """Every so many heartbeats a GRAFT is repeated to the mesh. The reference ignores it where it agrees; where the two
    views differ it heals them."""


DEFAULT_PARAMS: Final = GossipParams()
