"""The peer book: who follows which context, who proved which identity, and whom to leave alone for a while.

It is fed by subscriptions, key shares and sessions, and decides nothing else than whom to ask next.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from node.primitives import ContextId, PublicKey
from node.sync.kernel import SECOND

FAILURES_BEFORE_PAUSE: Final = 3
"""Failures in a row after which a peer is paused for a context: one is a lost connection, three are a pattern."""

FIRST_PAUSE: Final = 1 * SECOND
MAX_PAUSE: Final = 30 * SECOND
"""Pauses double up to here. Longer than a heartbeat interval would keep two healed nodes apart for no gain."""

MAX_PEERS: Final = 1024
"""Peers remembered per context; a context has 2 to 20 members, and a flood of ids must not fill the memory."""


@dataclass(slots=True)
class Standing:
    """What is known of one peer in one context. Times in ns."""

    subscribed: bool = False
    proven: set[PublicKey] = field(default_factory=set)
    """Identities that the peer proved to hold since this node started."""
    failures: int = 0
    paused_until: int = 0
    asked_at: int = 0
    answer: str = ""
    """What the last session with the peer came to."""
    heartbeat_at: int = 0
    """When a heartbeat of the peer last started work here."""
    beat_waits: bool = False
    """A later heartbeat of the peer waits for the gap to pass; only the newest one counts."""


class PeerBook:
    """Standings by context and peer."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._books: defaultdict[ContextId, dict[str, Standing]] = defaultdict(dict)

    def standing(self, context_id: ContextId, peer: str) -> Standing:
        book = self._books[context_id]
        found = book.get(peer)
        if found is None:
            if len(book) >= MAX_PEERS:
                self._evict(book)
            found = book[peer] = Standing()
        return found

    @staticmethod
    def _evict(book: dict[str, Standing]) -> None:
        """Forget the first peer that neither follows the context nor proved anything, else the oldest."""
        idle = next((peer for peer, known in book.items() if not known.subscribed and not known.proven), None)
        del book[idle if idle is not None else next(iter(book))]

    def subscribed(self, context_id: ContextId, peer: str) -> None:
        self.standing(context_id, peer).subscribed = True

    def unsubscribed(self, context_id: ContextId, peer: str) -> None:
        self.standing(context_id, peer).subscribed = False

    def gone(self, peer: str) -> list[ContextId]:
        """The peer has no connection any more; returns the contexts that it followed."""
        left = []
        for context_id, book in self._books.items():
            known = book.get(peer)
            if known is not None and known.subscribed:
                known.subscribed = False
                left.append(context_id)
        return left

    def proved(self, context_id: ContextId, peer: str, identity: PublicKey) -> None:
        self.standing(context_id, peer).proven.add(identity)

    def doubt(self, context_id: ContextId, peer: str) -> None:
        """Let the peer prove itself again."""
        self.standing(context_id, peer).proven.clear()

    def has_proved(self, context_id: ContextId, peer: str, members: Iterable[PublicKey]) -> bool:
        """True if the peer proved an identity that is a member now."""
        return not self.standing(context_id, peer).proven.isdisjoint(members)

    def holders(self, context_id: ContextId, identity: PublicKey) -> list[str]:
        """Peers that proved this identity."""
        return [peer for peer, known in self._books[context_id].items() if identity in known.proven]

    def succeeded(self, context_id: ContextId, peer: str, now: int, answer: str) -> None:
        known = self.standing(context_id, peer)
        known.failures, known.paused_until = 0, 0
        known.asked_at, known.answer = now, answer

    def failed(self, context_id: ContextId, peer: str, now: int, answer: str) -> None:
        """Count a failure; from the third in a row on the peer is paused, each time twice as long."""
        known = self.standing(context_id, peer)
        known.failures += 1
        known.asked_at, known.answer = now, answer
        over = known.failures - FAILURES_BEFORE_PAUSE
        if over >= 0:
            known.paused_until = now + min(MAX_PAUSE, FIRST_PAUSE << min(over, 16))

    def forgive(self, context_id: ContextId, peer: str) -> None:
        """A sign of life (a subscription, a fresh connection) ends the pause, not the count."""
        self.standing(context_id, peer).paused_until = 0

    def candidates(self, context_id: ContextId, now: int) -> list[str]:
        """Peers of the context that may be asked, in random order: each is first equally often."""
        found = [
            peer
            for peer, known in self._books[context_id].items()
            if (known.subscribed or known.proven) and known.paused_until <= now
        ]
        found.sort()
        self._rng.shuffle(found)
        found.sort(key=lambda peer: not self._books[context_id][peer].subscribed)
        return found

    def of(self, context_id: ContextId) -> dict[str, Standing]:
        """A copy of the context's book, for explanations."""
        return dict(self._books[context_id])

    def forget(self, context_id: ContextId) -> None:
        self._books.pop(context_id, None)
