"""What of a failed exchange is the peer's fault, and what it costs. No state, busy and too slow cost nothing."""

from __future__ import annotations

from typing import Final

from node.errors import CalimeroError, DecodeError, InvalidDelta, InvalidSignature, RemoteProtocolError, SealError
from node.sync.events import Blame

__all__ = ["blame_of"]

_COSTS: Final[dict[type[CalimeroError], tuple[str, int]]] = {
    DecodeError: ("sync-malformed", 5),
    InvalidSignature: ("sync-signature", 20),
    SealError: ("sync-seal", 1),  # low: the key may be ours that is out of date
    InvalidDelta: ("sync-delta", 1),  # low: the peer may only have passed it on
}


def blame_of(peer: str, error: CalimeroError) -> Blame | None:
    """The blame for an error that came up while a peer's bytes were worked on; None when it broke no rule."""
    if isinstance(error, RemoteProtocolError):
        return Blame(peer, "sync-protocol", error.score, str(error)) if peer and error.score else None
    for kind, (reason, cost) in _COSTS.items():
        if peer and isinstance(error, kind):
            return Blame(peer, reason, cost, str(error))
    return None
