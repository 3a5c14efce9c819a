"""Routers joined by perfect or lossy links under a virtual clock."""

from __future__ import annotations

import random
from collections import deque

import base58
from nacl.signing import SigningKey

from node.gossip import (
    DEFAULT_PARAMS,
    Deliver,
    Effect,
    Event,
    GossipParams,
    Heartbeat,
    PeerAdded,
    PeerRemoved,
    Published,
    Refuse,
    Router,
    RpcReceived,
    Send,
)
from node.gossip.params import SECOND
from node.gossip.protobuf import decode_varint
from node.gossip.signing import peer_id_of, signer


def public_key(seed: bytes) -> bytes:
    return bytes(SigningKey(seed).verify_key)


def body_of(frame: bytes) -> bytes:
    """A frame without its length; the length must be right."""
    found = decode_varint(frame)
    assert found is not None
    assert found[0] == len(frame) - found[1] <= 65_536
    return frame[found[1] :]


class Node:
    """A router with its name, what it delivered and what it refused."""

    def __init__(self, number: int, params: GossipParams) -> None:
        self.seed = number.to_bytes(32, "big")
        peer_id = peer_id_of(public_key(self.seed))
        self.name = base58.b58encode(peer_id).decode()
        self.router = Router(
            peer_id, signer(self.seed), started=1_700_000_000 * SECOND, rng=random.Random(number), params=params
        )
        self.delivered: list[bytes] = []
        self.refused: list[Refuse] = []


class Network:
    """Nodes and links. Frames travel in order per link; :meth:`settle` runs until nothing is on the way."""

    def __init__(self, count: int, params: GossipParams = DEFAULT_PARAMS) -> None:
        self.now = 0
        self.nodes = [Node(number, params) for number in range(1, count + 1)]
        self.by_name = {node.name: node for node in self.nodes}
        self.links: set[frozenset[str]] = set()
        self.queue: deque[tuple[str, str, bytes]] = deque()
        self.frames = 0
        self.drop_to: set[str] = set()

    def do(self, node: Node, event: Event) -> list[Effect]:
        effects = node.router.receive(event, self.now)
        for effect in effects:
            if isinstance(effect, Send) and frozenset((node.name, effect.peer)) in self.links:
                self.queue.append((node.name, effect.peer, body_of(effect.frame)))
            elif isinstance(effect, Deliver):
                node.delivered.append(effect.data)
            elif isinstance(effect, Refuse):
                node.refused.append(effect)
        return effects

    def settle(self) -> None:
        while self.queue:
            source, target, body = self.queue.popleft()
            self.frames += 1
            if target not in self.drop_to:
                self.do(self.by_name[target], RpcReceived(source, body))

    def link(self, a: Node, b: Node) -> None:
        self.links.add(frozenset((a.name, b.name)))
        self.do(a, PeerAdded(b.name, outbound=True))
        self.do(b, PeerAdded(a.name))
        self.settle()

    def unlink(self, a: Node, b: Node) -> None:
        self.links.discard(frozenset((a.name, b.name)))
        self.do(a, PeerRemoved(b.name))
        self.do(b, PeerRemoved(a.name))

    def full_mesh(self) -> None:
        for index, node in enumerate(self.nodes):
            for other in self.nodes[index + 1 :]:
                self.link(node, other)

    def beat(self, times: int = 1) -> None:
        for _ in range(times):
            self.now += SECOND
            for node in self.nodes:
                self.do(node, Heartbeat())
            self.settle()

    def all_do(self, event: Event) -> None:
        for node in self.nodes:
            self.do(node, event)
        self.settle()


def published(effects: list[Effect]) -> int:
    """The number of peers a publish went to."""
    return next(effect.peers for effect in effects if isinstance(effect, Published))
