"""The gossip router: ``receive(event, now) -> effects``.

Rules it enforces: strict signing, each message delivered once, own messages to every subscriber (flood publish),
foreign ones to the mesh, one message per frame, no frame above 64 KiB. It never waits and never forgets a control
message; what a slow peer costs is for the shell to decide, which may drop ``droppable`` frames.
Interoperates with rust-libp2p's gossipsub 0.49 as core 0.10.0 configures it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from node.errors import DecodeError, InvalidSignature, LocalProtocolError
from node.gossip import signing
from node.gossip.cache import MessageCache, SeenIds
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
from node.gossip.mesh import Mesh, Peer
from node.gossip.params import (
    DEFAULT_PARAMS,
    IDS_PER_FRAME,
    LARGE_MESSAGE,
    MAX_SEEN,
    MAX_TOPICS_PER_PEER,
    SECOND,
    GossipParams,
)
from node.gossip.rpc import (
    MAX_RPC_SIZE,
    Control,
    IHave,
    Message,
    Prune,
    Rpc,
    Subscription,
    decode_rpc,
    encode_frame,
    encode_rpc,
)
from node.primitives import to_base58

__all__ = ["Router"]

_SUBSCRIPTIONS_PER_FRAME: Final = 500
"""Own subscriptions per hello frame; 500 of 256 bytes would be 130 KB, 500 of the usual 44 are 25 KB."""

_COST_MALFORMED: Final = 20
_COST_SIGNATURE: Final = 10
_COST_FLOOD: Final = 5
_MAX_BACKOFF: Final = 3_600 * SECOND
"""A peer cannot keep us out of its mesh for longer than an hour by one PRUNE."""


class Router:
    """One node's gossipsub.

    ``peer_id`` is this node's id in bytes, ``sign`` its Ed25519 signature, ``started`` unix time in ns: sequence
    numbers start there, so that a restarted node does not repeat ids that its peers have seen. Times given to
    :meth:`receive` are ns of any clock that does not run backwards.
    """

    def __init__(
        self,
        peer_id: bytes,
        sign: signing.Sign,
        *,
        started: int,
        rng: random.Random,
        params: GossipParams = DEFAULT_PARAMS,
    ) -> None:
        self._self = peer_id
        self._sign = sign
        self._seqno = started
        self._params = params
        self._mesh = Mesh(params, rng)
        self._seen = SeenIds(params.seen_ttl, MAX_SEEN)
        self._cache = MessageCache(params.history, params.gossip_windows)
        self._asked: dict[bytes, int] = {}
        self._ticks = 0
        self._out: list[Effect] = []
        self._now = 0
        self._handlers: dict[type, Callable[..., None]] = {
            PeerAdded: self._on_peer_added,
            PeerRemoved: self._on_peer_removed,
            RpcReceived: self._on_rpc,
            Subscribe: self._on_subscribe,
            Unsubscribe: self._on_unsubscribe,
            Publish: self._on_publish,
            Heartbeat: self._on_heartbeat,
        }

    def receive(self, event: Event, now: int) -> list[Effect]:
        """Take one event in and return what has to be done, in order.

        Raises :class:`LocalProtocolError` for a publish that does not fit into a frame; nothing changes then.
        """
        self._out = []
        self._now = now
        self._handlers[type(event)](event)
        return self._out

    # -- what others may ask

    @property
    def topics(self) -> frozenset[str]:
        """Topics that this node follows."""
        return frozenset(self._mesh.members)

    def mesh_of(self, topic: str) -> frozenset[str]:
        """Mesh members of a topic; empty when it is not followed."""
        return frozenset(self._mesh.members.get(topic, ()))

    def topics_of(self, peer: str) -> frozenset[str]:
        """Topics that a peer follows; empty when it has no gossip stream."""
        known = self._mesh.peers.get(peer)
        return frozenset(known.topics) if known else frozenset()

    # -- peers

    def _on_peer_added(self, event: PeerAdded) -> None:
        """Say hello. A known peer reopened its stream: what it follows stays, the mesh with it is made again."""
        old = self._mesh.remove_peer(event.peer)
        self._mesh.peers[event.peer] = Peer(event.idontwant, event.outbound)
        topics = sorted(self._mesh.members)
        for start in range(0, len(topics), _SUBSCRIPTIONS_PER_FRAME):
            part = topics[start : start + _SUBSCRIPTIONS_PER_FRAME]
            self._send(event.peer, Rpc(tuple(Subscription(topic, subscribe=True) for topic in part)))
        for topic in sorted(old.topics) if old else ():
            self._mesh.join(event.peer, topic)
            self._graft_if_thin(event.peer, topic)

    def _on_peer_removed(self, event: PeerRemoved) -> None:
        known = self._mesh.remove_peer(event.peer)
        for topic in sorted(known.topics) if known else ():
            self._out.append(TopicLeft(event.peer, topic))

    # -- own topics

    def _on_subscribe(self, event: Subscribe) -> None:
        if event.topic in self._mesh.members:
            return
        self._mesh.members[event.topic] = set()
        self._tell_all(Subscription(event.topic, subscribe=True))
        self._graft(event.topic, self._mesh.to_graft(event.topic, self._now))

    def _on_unsubscribe(self, event: Unsubscribe) -> None:
        members = self._mesh.members.pop(event.topic, None)
        if members is None:
            return
        self._tell_all(Subscription(event.topic, subscribe=False))
        for peer in sorted(members):
            self._prune(peer, event.topic, self._params.unsubscribe_backoff)

    def _tell_all(self, change: Subscription) -> None:
        frame = encode_frame(Rpc((change,)))
        self._out += [Send(peer, frame) for peer in self._mesh.peers]

    # -- publishing

    def _on_publish(self, event: Publish) -> None:
        seqno = self._seqno.to_bytes(signing.SEQNO_LENGTH, "big")
        message = signing.signed(Message(self._self, event.data, seqno, event.topic), self._sign)
        rpc = Rpc(messages=(message,))
        size = len(encode_rpc(rpc))
        if size > MAX_RPC_SIZE:
            raise LocalProtocolError(
                f"gossip message of {len(event.data)} bytes makes a frame of {size}, "
                f"at most {MAX_RPC_SIZE} are allowed; send it over a stream"
            )
        self._seqno += 1
        self._remember(signing.message_id(self._self, seqno), message)
        peers = self._mesh.subscribers.get(event.topic, set())
        frame = encode_frame(rpc)
        self._out += [Send(peer, frame) for peer in sorted(peers)]
        self._out.append(Published(len(peers)))

    def _remember(self, mid: bytes, message: Message) -> None:
        self._seen.add(mid, self._now)
        self._cache.put(mid, message)

    # -- receiving

    def _on_rpc(self, event: RpcReceived) -> None:
        peer = self._mesh.peers.get(event.peer)
        if peer is None:
            return
        try:
            rpc = decode_rpc(event.body)
        except DecodeError as error:
            self._refuse(event.peer, "gossip-malformed", _COST_MALFORMED, str(error))
            return
        for change in rpc.subscriptions:
            self._take_subscription(event.peer, peer, change)
        for message in rpc.messages:
            self._take_message(event.peer, message)
        self._take_control(event.peer, peer, rpc.control)

    def _take_subscription(self, peer: str, known: Peer, change: Subscription) -> None:
        if not change.subscribe:
            if change.topic in known.topics:
                self._mesh.leave(peer, change.topic)
                self._out.append(TopicLeft(peer, change.topic))
            return
        if change.topic in known.topics:
            return
        if len(known.topics) >= MAX_TOPICS_PER_PEER:
            self._refuse(peer, "gossip-topics", _COST_FLOOD, f"more than {MAX_TOPICS_PER_PEER} topics")
            return
        self._mesh.join(peer, change.topic)
        self._out.append(TopicJoined(peer, change.topic))
        self._graft_if_thin(peer, change.topic)

    def _take_message(self, via: str, message: Message) -> None:
        if message.topic not in self._mesh.members or message.source == self._self:
            return
        mid = signing.message_id(message.source, message.seqno[: signing.SEQNO_LENGTH])
        if mid in self._seen:
            return
        try:
            signing.check(message)
        except InvalidSignature as error:
            self._refuse(via, "gossip-signature", _COST_SIGNATURE, str(error))
            return
        self._asked.pop(mid, None)
        self._remember(mid, message)
        source = to_base58(message.source)
        self._say_unwanted(via, mid, message)
        self._forward(via, source, mid, message)
        self._out.append(Deliver(message.topic, message.data, source, via))

    def _forward(self, via: str, source: str, mid: bytes, message: Message) -> None:
        members = sorted(self._mesh.members[message.topic] - {via, source})
        targets = [peer for peer in members if mid not in self._mesh.peers[peer].unwanted]
        if targets:
            frame = encode_frame(Rpc(messages=(message,)))
            self._out += [Send(peer, frame, droppable=True) for peer in targets]

    def _say_unwanted(self, via: str, mid: bytes, message: Message) -> None:
        if len(message.data) <= LARGE_MESSAGE:
            return
        members = sorted(self._mesh.members[message.topic] - {via})
        targets = [peer for peer in members if self._mesh.peers[peer].idontwant]
        if targets:
            frame = encode_frame(Rpc(control=Control(idontwant=(mid,))))
            self._out += [Send(peer, frame, droppable=True) for peer in targets]

    # -- control

    def _take_control(self, peer: str, known: Peer, control: Control) -> None:
        for topic in control.graft:
            self._take_graft(peer, known, topic)
        for prune in control.prune:
            self._take_prune(peer, prune)
        if control.ihave:
            self._take_ihave(peer, known, control.ihave)
        for mid in control.iwant:
            self._answer_iwant(peer, mid)
        if control.idontwant:
            self._take_idontwant(peer, known, control.idontwant)

    def _take_graft(self, peer: str, known: Peer, topic: str) -> None:
        """Let everybody in while there is room, also during a back-off: refusing makes a reference node stop to
        broadcast (it publishes only if its own mesh is not empty)."""
        members = self._mesh.members.get(topic)
        if members is None:
            return
        if topic not in known.topics:
            self._mesh.join(peer, topic)
            self._out.append(TopicJoined(peer, topic))
        if peer in members:
            return
        if not self._mesh.room(topic):
            self._prune(peer, topic, self._params.prune_backoff)
            return
        self._mesh.clear_backoff(peer, topic)
        members.add(peer)

    def _take_prune(self, peer: str, prune: Prune) -> None:
        self._mesh.members.get(prune.topic, set()).discard(peer)
        backoff = min(prune.backoff * SECOND, _MAX_BACKOFF) if prune.backoff else self._params.prune_backoff
        self._mesh.set_backoff(peer, prune.topic, self._now + backoff + self._params.backoff_slack)

    def _take_ihave(self, peer: str, known: Peer, items: Sequence[IHave]) -> None:
        known.ihaves += 1
        if known.ihaves > self._params.max_ihave_per_heartbeat:
            self._refuse(peer, "gossip-ihave", 1, "too many IHAVE in one heartbeat")
            return
        budget = self._params.max_ids_per_heartbeat - known.ids_asked
        wanted = [mid for item in items if item.topic in self._mesh.members for mid in item.ids if self._lacks(mid)]
        wanted = list(dict.fromkeys(wanted))[:budget]
        known.ids_asked += len(wanted)
        for mid in wanted:
            self._asked[mid] = self._now + self._params.iwant_followup
        for part in _parts(wanted):
            self._send(peer, Rpc(control=Control(iwant=part)))

    def _lacks(self, mid: bytes) -> bool:
        return mid not in self._seen and self._asked.get(mid, 0) <= self._now

    def _answer_iwant(self, peer: str, mid: bytes) -> None:
        found = self._cache.serve(mid, peer)
        if found is None:
            return
        message, times = found
        if times > self._params.max_retransmissions:
            self._refuse(peer, "gossip-iwant", 1, "asked for the same message too often")
            return
        self._send(peer, Rpc(messages=(message,)), droppable=True)

    def _take_idontwant(self, peer: str, known: Peer, ids: Sequence[bytes]) -> None:
        if len(known.unwanted) + len(ids) > self._params.max_ids_per_heartbeat:
            self._refuse(peer, "gossip-idontwant", 1, "too many IDONTWANT at a time")
            return
        known.unwanted.update(dict.fromkeys(ids, self._now))

    # -- heartbeat

    def _on_heartbeat(self, _: Heartbeat) -> None:
        self._ticks += 1
        self._expire()
        again = self._ticks % self._params.regraft_heartbeats == 0
        for topic in sorted(self._mesh.members):
            self._balance(topic, again=again)
            self._gossip(topic)
        self._cache.shift()

    def _expire(self) -> None:
        self._seen.expire(self._now)
        self._mesh.expire_backoffs(self._now)
        self._asked = {mid: until for mid, until in self._asked.items() if until > self._now}
        horizon = self._now - self._params.iwant_followup
        for peer in self._mesh.peers.values():
            peer.ihaves = peer.ids_asked = 0
            if peer.unwanted:
                peer.unwanted = {mid: at for mid, at in peer.unwanted.items() if at > horizon}

    def _balance(self, topic: str, *, again: bool) -> None:
        for peer in self._mesh.to_prune(topic):
            self._mesh.members[topic].discard(peer)
            self._prune(peer, topic, self._params.prune_backoff)
        old = sorted(self._mesh.members[topic]) if again else []
        self._graft(topic, [*old, *self._mesh.to_graft(topic, self._now)])

    def _gossip(self, topic: str) -> None:
        ids = self._cache.recent(topic)[: self._params.max_ids_per_heartbeat]
        if not ids:
            return
        peers = self._mesh.to_gossip(topic)
        for part in _parts(ids):
            frame = encode_frame(Rpc(control=Control(ihave=(IHave(topic, part),))))
            self._out += [Send(peer, frame, droppable=True) for peer in peers]

    # -- sending

    def _graft_if_thin(self, peer: str, topic: str) -> None:
        """Take a subscriber into a mesh below its low mark without waiting for a heartbeat, as the reference does."""
        ours = topic in self._mesh.members
        if ours and self._mesh.thin(topic) and not self._mesh.in_backoff(peer, topic, self._now):
            self._graft(topic, [peer])

    def _graft(self, topic: str, peers: Iterable[str]) -> None:
        frame = encode_frame(Rpc(control=Control(graft=(topic,))))
        for peer in peers:
            self._mesh.members[topic].add(peer)
            self._out.append(Send(peer, frame))

    def _prune(self, peer: str, topic: str, backoff: int) -> None:
        self._mesh.set_backoff(peer, topic, self._now + backoff + self._params.backoff_slack)
        self._send(peer, Rpc(control=Control(prune=(Prune(topic, backoff // SECOND),))))

    def _send(self, peer: str, rpc: Rpc, *, droppable: bool = False) -> None:
        self._out.append(Send(peer, encode_frame(rpc), droppable))

    def _refuse(self, peer: str, reason: str, cost: int, detail: str) -> None:
        self._out.append(Refuse(peer, reason, cost, detail))


def _parts(ids: Sequence[bytes]) -> list[tuple[bytes, ...]]:
    return [tuple(ids[start : start + IDS_PER_FRAME]) for start in range(0, len(ids), IDS_PER_FRAME)]
