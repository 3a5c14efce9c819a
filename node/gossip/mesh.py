"""Who is on which topic: subscriptions of peers, the mesh, and back-offs. Decides degrees; sends nothing itself."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass, field

from node.gossip.params import GossipParams

__all__ = ["Mesh", "Peer"]


@dataclass(slots=True)
class Peer:
    """What is known about a peer with an open gossip stream. The counters are per heartbeat."""

    idontwant: bool
    outbound: bool
    topics: set[str] = field(default_factory=set)
    unwanted: dict[bytes, int] = field(default_factory=dict)
    """Ids the peer does not want, with the time it said so."""
    ihaves: int = 0
    ids_asked: int = 0


class Mesh:
    """Subscribers and mesh members per topic, with the back-offs that forbid a GRAFT.

    Invariant: a mesh member is a connected peer that is subscribed to the topic, and the topic is one of ours.
    """

    def __init__(self, params: GossipParams, rng: random.Random) -> None:
        self.peers: dict[str, Peer] = {}
        self.subscribers: dict[str, set[str]] = {}
        self.members: dict[str, set[str]] = {}
        self._params = params
        self._rng = rng
        self._backoffs: dict[tuple[str, str], int] = {}

    def remove_peer(self, peer: str) -> Peer | None:
        """Forget the peer. Its back-offs stay, so that a reconnect does not shorten them."""
        known = self.peers.pop(peer, None)
        for topic in known.topics if known else ():
            self._unlink(topic, peer)
        return known

    def leave(self, peer: str, topic: str) -> None:
        """The peer left the topic."""
        self.peers[peer].topics.discard(topic)
        self._unlink(topic, peer)

    def join(self, peer: str, topic: str) -> None:
        """The peer follows the topic."""
        self.peers[peer].topics.add(topic)
        self.subscribers.setdefault(topic, set()).add(peer)

    def _unlink(self, topic: str, peer: str) -> None:
        self.members.get(topic, set()).discard(peer)
        followers = self.subscribers.get(topic, set())
        followers.discard(peer)
        if not followers:
            self.subscribers.pop(topic, None)

    # -- back-offs

    def set_backoff(self, peer: str, topic: str, until: int) -> None:
        """No GRAFT to ``peer`` for ``topic`` before ``until``; never shortens an earlier one."""
        key = (peer, topic)
        self._backoffs[key] = max(until, self._backoffs.get(key, 0))

    def clear_backoff(self, peer: str, topic: str) -> None:
        self._backoffs.pop((peer, topic), None)

    def in_backoff(self, peer: str, topic: str, now: int) -> bool:
        return self._backoffs.get((peer, topic), 0) > now

    def expire_backoffs(self, now: int) -> None:
        for key in [key for key, until in self._backoffs.items() if until <= now]:
            del self._backoffs[key]

    # -- degrees

    def room(self, topic: str) -> bool:
        """Whether a peer that asks may be let in."""
        return len(self.members[topic]) < self._params.mesh_high

    def thin(self, topic: str) -> bool:
        """Whether the mesh is below its low mark, so that a new subscriber is grafted at once."""
        return len(self.members[topic]) < self._params.mesh_low

    def to_graft(self, topic: str, now: int) -> list[str]:
        """Subscribers to add so that the mesh reaches its degree and keeps enough peers that we dialled ourselves.

        With fewer subscribers than the low mark, as in groups of two or three nodes, that is simply all of them.
        """
        members = self.members[topic]
        free = [
            peer
            for peer in sorted(self.subscribers.get(topic, set()) - members)
            if not self.in_backoff(peer, topic, now)
        ]
        if len(members) < self._params.mesh_low:
            return self.pick(free, self._params.mesh_n - len(members))
        ours = sum(self.peers[peer].outbound for peer in members)
        lack = self._params.mesh_outbound_min - ours
        return self.pick([peer for peer in free if self.peers[peer].outbound], lack)

    def to_prune(self, topic: str) -> list[str]:
        """Members beyond the high mark, down to the degree; peers that we dialled stay first."""
        members = self.members[topic]
        if len(members) <= self._params.mesh_high:
            return []
        ours = self.pick(sorted(p for p in members if self.peers[p].outbound), self._params.mesh_outbound_min)
        rest = sorted(members - set(ours))
        return self.pick(rest, len(members) - self._params.mesh_n)

    def to_gossip(self, topic: str) -> list[str]:
        """Subscribers outside the mesh that are told about recent ids."""
        outside = sorted(self.subscribers.get(topic, set()) - self.members[topic])
        return self.pick(outside, max(self._params.lazy, int(len(outside) * self._params.lazy_share)))

    def pick(self, items: Iterable[str], count: int) -> list[str]:
        """At most ``count`` of ``items`` at random."""
        pool = list(items)
        return self._rng.sample(pool, min(max(count, 0), len(pool)))
