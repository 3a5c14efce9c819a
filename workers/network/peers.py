"""What is known about peers: addresses, whom to keep, when to dial again, scores. Pure: time comes in as seconds.

A peer is kept connected for one of two reasons: somebody asked for it (``keep``), or it follows a topic of ours, which
makes it a member of one of our contexts (``member``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from workers.network import limits

__all__ = ["PeerBook", "PeerEntry"]


@dataclass(slots=True)
class PeerEntry:
    """One peer. ``addresses`` are multiaddrs without the peer id, freshest first."""

    addresses: list[str] = field(default_factory=list)
    keep: bool = False
    member: bool = False
    agent: str = ""
    protocols: list[str] = field(default_factory=list)
    next_dial: float = 0.0
    backoff: float = limits.REDIAL_FIRST
    gone_since: float | None = None
    """When the peer was lost, or the first dial failed; None while it is connected."""
    score: float = 0.0
    scored_at: float = 0.0
    banned_until: float = 0.0
    refusals: dict[str, int] = field(default_factory=dict)

    @property
    def wanted(self) -> bool:
        """Whether to dial it when it is not connected."""
        return self.keep or self.member


class PeerBook:
    """Entries by peer id (text). Bounded: the longest unused entries of unwanted peers go first."""

    def __init__(self) -> None:
        self._entries: dict[str, PeerEntry] = {}

    def entry(self, peer: str) -> PeerEntry:
        """The entry of a peer, made when there is none; counts as used."""
        found = self._entries.pop(peer, None) or PeerEntry()
        self._entries[peer] = found
        if len(self._entries) > limits.MAX_KNOWN_PEERS:
            self._drop_one()
        return found

    def get(self, peer: str) -> PeerEntry | None:
        return self._entries.get(peer)

    def wanted(self) -> list[str]:
        """Peers to keep connected."""
        return [peer for peer, entry in self._entries.items() if entry.wanted]

    def set_member(self, peer: str, *, member: bool) -> bool:
        """Whether the peer shares a context with this node; True when that is news. Members beyond
        :data:`limits.MAX_MEMBERS` are served and not dialled."""
        entry = self.entry(peer)
        if member == entry.member or (member and self._members() >= limits.MAX_MEMBERS):
            return False
        entry.member = member
        return True

    def _members(self) -> int:
        return sum(entry.member for entry in self._entries.values())

    def _drop_one(self) -> None:
        victim = next((peer for peer, entry in self._entries.items() if not entry.wanted), None)
        if victim is not None:
            del self._entries[victim]

    # -- addresses

    def learn(self, peer: str, *addresses: str) -> None:
        """Remember addresses as the freshest of the peer, the best first. Those through relays come last."""
        entry = self.entry(peer)
        known = dict.fromkeys([*addresses, *entry.addresses])
        entry.addresses = sorted(known, key=lambda text: "/p2p-circuit" in text)[: limits.MAX_ADDRESSES_PER_PEER]

    # -- dialling

    def due(self, connected: set[str], now: float) -> list[str]:
        """Wanted peers that are not connected and whose back-off is over."""
        return [
            peer
            for peer, entry in self._entries.items()
            if entry.wanted and entry.addresses and peer not in connected and entry.next_dial <= now
        ]

    def next_due(self, connected: set[str]) -> float:
        """When the next wanted peer is due; infinity when none is missing."""
        times = [
            entry.next_dial
            for peer, entry in self._entries.items()
            if entry.wanted and entry.addresses and peer not in connected
        ]
        return min(times, default=float("inf"))

    def dial_failed(self, peer: str, now: float, jitter: float) -> None:
        """Double the back-off, as far as the time for which the peer is gone allows. ``jitter`` in 0…1 spreads the
        dials of nodes that lost each other together."""
        entry = self.entry(peer)
        if entry.gone_since is None:
            entry.gone_since = now
        entry.next_dial = now + entry.backoff * (0.75 + jitter / 2)
        longest = max(limits.REDIAL_SOON, (now - entry.gone_since) / limits.REDIAL_SHARE)
        entry.backoff = min(entry.backoff * 2, longest, limits.REDIAL_LIMIT)

    def connected(self, peer: str) -> None:
        """A connection stands: the next loss starts with a short back-off again."""
        entry = self.entry(peer)
        entry.backoff = limits.REDIAL_FIRST
        entry.next_dial = 0.0
        entry.gone_since = None

    def lost(self, peer: str, now: float) -> None:
        entry = self.entry(peer)
        entry.gone_since = now
        entry.next_dial = now + entry.backoff

    # -- scores

    def refuse(self, peer: str, reason: str, cost: int, now: float) -> bool:
        """Count a broken rule. True when it is the one that gets the peer disconnected, and banned for a while."""
        entry = self.entry(peer)
        entry.refusals[reason] = entry.refusals.get(reason, 0) + 1
        entry.score = self.score(peer, now) + cost
        entry.scored_at = now
        if round(entry.score) < limits.SCORE_DISCONNECT or entry.banned_until > now:
            return False
        entry.banned_until = now + limits.BAN_TIME
        return True

    def score(self, peer: str, now: float) -> float:
        """The present score; it halves every :data:`limits.SCORE_HALF_LIFE`."""
        entry = self._entries.get(peer)
        if entry is None:
            return 0.0
        return float(entry.score * 0.5 ** ((now - entry.scored_at) / limits.SCORE_HALF_LIFE))

    def banned(self, peer: str, now: float) -> bool:
        entry = self._entries.get(peer)
        return entry is not None and entry.banned_until > now

    def shut_out(self, now: float) -> list[str]:
        """Peers that are not let in at present."""
        return [peer for peer, entry in self._entries.items() if entry.banned_until > now]
