"""What goes into the gossip router and what comes out of it. Peers are peer ids in base58 text."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "Deliver",
    "Effect",
    "Event",
    "Heartbeat",
    "PeerAdded",
    "PeerRemoved",
    "Publish",
    "Published",
    "Refuse",
    "RpcReceived",
    "Send",
    "Subscribe",
    "TopicJoined",
    "TopicLeft",
    "Unsubscribe",
]


# -- events


@dataclass(frozen=True, slots=True)
class PeerAdded:
    """A gossip stream towards ``peer`` is open. ``idontwant``: it speaks 1.2. ``outbound``: this node dialled it."""

    peer: str
    idontwant: bool = True
    outbound: bool = False


@dataclass(frozen=True, slots=True)
class PeerRemoved:
    """No gossip stream towards ``peer`` is left."""

    peer: str


@dataclass(frozen=True, slots=True)
class RpcReceived:
    """The body of one RPC from ``peer``, without its length prefix."""

    peer: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Subscribe:
    topic: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    topic: str


@dataclass(frozen=True, slots=True)
class Publish:
    topic: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """One second passed."""


Event = PeerAdded | PeerRemoved | RpcReceived | Subscribe | Unsubscribe | Publish | Heartbeat


# -- effects


@dataclass(frozen=True, slots=True)
class Send:
    """Write ``frame`` (length prefix included) to the gossip stream of ``peer``.

    ``droppable``: losing it costs a detour at most (forwarded messages, gossip about ids).
    """

    peer: str
    frame: bytes
    droppable: bool = False


@dataclass(frozen=True, slots=True)
class Deliver:
    """A message on a subscribed topic, seen for the first time. ``source`` signed it, ``via`` handed it over."""

    topic: str
    data: bytes
    source: str
    via: str


@dataclass(frozen=True, slots=True)
class Published:
    """The answer to :class:`Publish`: how many peers the message goes to."""

    peers: int


@dataclass(frozen=True, slots=True)
class TopicJoined:
    """``peer`` follows ``topic`` from now on."""

    peer: str
    topic: str


@dataclass(frozen=True, slots=True)
class TopicLeft:
    peer: str
    topic: str


@dataclass(frozen=True, slots=True)
class Refuse:
    """``peer`` broke a rule: ``reason`` is a counter name, ``cost`` what it adds to the peer's score."""

    peer: str
    reason: str
    cost: int
    detail: str = ""


Effect = Send | Deliver | Published | TopicJoined | TopicLeft | Refuse
