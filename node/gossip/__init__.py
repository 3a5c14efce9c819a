"""Gossipsub 1.2 as a pure state machine: bytes of peers in, bytes for peers and deliveries out.

It knows topics and peers, not contexts; it has no streams, no clock and no source of randomness of its own.
"""

from node.gossip.events import (
    Deliver,
    Effect,
    Event,
    Heartbeat,
    PeerAdded,
    PeerRemoved,
    Publish,
    Published,
    Refuse,
    RpcReceived,
    Send,
    Subscribe,
    TopicJoined,
    TopicLeft,
    Unsubscribe,
)
from node.gossip.params import DEFAULT_PARAMS, GossipParams
from node.gossip.router import Router

__all__ = [
    "DEFAULT_PARAMS",
    "Deliver",
    "Effect",
    "Event",
    "GossipParams",
    "Heartbeat",
    "PeerAdded",
    "PeerRemoved",
    "Publish",
    "Published",
    "Refuse",
    "Router",
    "RpcReceived",
    "Send",
    "Subscribe",
    "TopicJoined",
    "TopicLeft",
    "Unsubscribe",
]
