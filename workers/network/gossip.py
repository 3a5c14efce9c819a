"""The shell around the gossip router: streams, queues and the heartbeat. Every decision is the router's."""

from __future__ import annotations

import logging
import random
import time
from collections import deque
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import trio
from trio.lowlevel import ParkingLot

from node.gossip import (
    Deliver,
    Effect,
    Event,
    Heartbeat,
    PeerAdded,
    PeerRemoved,
    Publish,
    Published,
    Refuse,
    Router,
    RpcReceived,
    Send,
    Subscribe,
    TopicJoined,
    TopicLeft,
    Unsubscribe,
)
from node.gossip.rpc import MAX_RPC_SIZE
from node.gossip.signing import signer
from workers.messages.base import Note
from workers.messages.network import GossipReceived, PeerSubscribed, PeerUnsubscribed
from workers.network import limits, multistream
from workers.network.channel import EndOfStream, read_prefixed
from workers.network.connection import Connection, StreamLost, YamuxStream
from workers.network.secure import Identity

__all__ = ["PROTOCOLS", "GossipShell"]

log = logging.getLogger(__name__)

PROTOCOLS: Final = ("/meshsub/1.2.0", "/meshsub/1.1.0", "/meshsub/1.0.0")

_HEARTBEAT: Final = 1.0
_FIRST_HEARTBEAT: Final = 0.1
"""The mesh forms with the first subscriptions; the heartbeat only repairs it."""

_REOPENS: Final = 4
"""Gossip streams per connection: the reference turns gossip off for a connection at the fifth."""

_REOPEN_PAUSE: Final = 1.0

_ADDED_WAIT: Final = 10.0
"""How long an inbound gossip stream waits for our outbound one, without which nothing could be answered."""


class _Outbox:
    """Frames for one peer, bounded in bytes. ``stuck`` is set when a frame that must not be lost did not fit."""

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.size = 0
        self.dropped = 0
        self.stuck = trio.Event()
        self.added = trio.Event()
        self._lot = ParkingLot()

    def put(self, frame: bytes, *, droppable: bool) -> bool:
        """Queue a frame; False when it was dropped."""
        if self.size + len(frame) > limits.GOSSIP_QUEUE_BYTES:
            self.dropped += 1
            if not droppable:
                self.stuck.set()
            return False
        self.frames.append(frame)
        self.size += len(frame)
        self._lot.unpark_all()
        return True

    async def take(self) -> bytes:
        """All that waits, as one piece; each frame in it stays an RPC of its own."""
        while not self.frames:
            await self._lot.park()
        data = b"".join(self.frames)
        self.frames.clear()
        self.size = 0
        return data


class GossipShell:
    """Gossip of one node. ``sink`` takes notes for the node and may wait; ``refuse`` counts broken rules."""

    def __init__(
        self,
        identity: Identity,
        seed: bytes,
        sink: Callable[[Note], Awaitable[None]],
        refuse: Callable[[str, str, int, str], None],
    ) -> None:
        self.router = Router(identity.peer_id, signer(seed), started=time.time_ns(), rng=random.SystemRandom())
        self._sink = sink
        self._refuse = refuse
        self._outboxes: dict[str, _Outbox] = {}

    # -- the node's wishes

    def subscribe(self, topic: str) -> None:
        self._apply(Subscribe(topic))

    def unsubscribe(self, topic: str) -> None:
        self._apply(Unsubscribe(topic))

    def publish(self, topic: str, data: bytes) -> int:
        """Returns how many peers the message was handed to. Raises ``LocalProtocolError`` when it is too large."""
        return sum(effect.peers for effect in self._apply(Publish(topic, data)) if isinstance(effect, Published))

    async def heartbeats(self) -> None:
        """Beat until cancelled."""
        await trio.sleep(_FIRST_HEARTBEAT)
        while True:
            await self._run(Heartbeat())
            await trio.sleep(_HEARTBEAT)

    # -- connections

    async def serve(self, connection: Connection) -> None:
        """Keep a gossip stream towards the peer open as long as the connection lives."""
        for attempt in range(_REOPENS):
            if attempt:
                await trio.sleep(_REOPEN_PAUSE)
            try:
                await self._speak(connection)
            except multistream.Unsupported:
                return
            except (StreamLost, EndOfStream, trio.TooSlowError) as error:
                log.info("gossip stream to %s ended: %s", connection.peer, str(error) or "timed out")
        log.warning("gossip stream to %s ended %d times; giving up on this connection", connection.peer, _REOPENS)

    async def forget(self, peer: str) -> None:
        """The last connection to a peer is gone."""
        self._outboxes.pop(peer, None)
        await self._run(PeerRemoved(peer))

    async def _speak(self, connection: Connection) -> None:
        stream = connection.open_stream()
        try:
            with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
                protocol = await multistream.propose(stream, PROTOCOLS)
            old = self._outboxes.get(connection.peer)
            outbox = self._outboxes[connection.peer] = _Outbox()
            if old is not None:
                outbox.added = old.added
            await self._run(PeerAdded(connection.peer, protocol == PROTOCOLS[0], connection.outbound))
            outbox.added.set()
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._watch, stream, nursery.cancel_scope)
                nursery.start_soon(self._drain, stream, outbox, nursery.cancel_scope)
                nursery.start_soon(self._police, stream, outbox, nursery.cancel_scope)
        finally:
            stream.reset()

    async def _drain(self, stream: YamuxStream, outbox: _Outbox, scope: trio.CancelScope) -> None:
        with suppress(StreamLost):
            while True:
                await stream.send_all(await outbox.take())
        scope.cancel()

    async def _police(self, stream: YamuxStream, outbox: _Outbox, scope: trio.CancelScope) -> None:
        """End the stream when a frame that must not be lost did not fit into the queue."""
        await outbox.stuck.wait()
        self._refuse(stream.connection.peer, "gossip-slow", 1, "does not take gossip as fast as it arrives")
        scope.cancel()

    async def _watch(self, stream: YamuxStream, scope: trio.CancelScope) -> None:
        """The peer sends nothing on our stream; its end tells that it stopped to listen."""
        with suppress(StreamLost):
            while await stream.receive_some():
                pass
        scope.cancel()

    async def on_stream(self, stream: YamuxStream) -> None:
        """Read a gossip stream that the peer opened until it ends."""
        peer = stream.connection.peer
        with trio.fail_after(_ADDED_WAIT):
            await self._outboxes.setdefault(peer, _Outbox()).added.wait()
        bucket, last = float(limits.GOSSIP_RATE), trio.current_time()
        while not await stream.at_end():
            body = await read_prefixed(stream, MAX_RPC_SIZE)
            await self._run(RpcReceived(peer, body))
            now = trio.current_time()
            bucket = min(bucket + (now - last) * limits.GOSSIP_RATE, limits.GOSSIP_RATE) - 1
            last = now
            if bucket < 0:
                await trio.sleep(-bucket / limits.GOSSIP_RATE)
        stream.finish()

    # -- effects

    async def _run(self, event: Event) -> None:
        """Feed the router; frames are queued before anything waits, so that their order is the router's."""
        for effect in self._apply(event):
            note = _note(effect)
            if note is not None:
                await self._sink(note)

    def _apply(self, event: Event) -> list[Effect]:
        effects = self.router.receive(event, time.monotonic_ns())
        for effect in effects:
            if isinstance(effect, Send):
                self._queue(effect)
            elif isinstance(effect, Refuse):
                self._refuse(effect.peer, effect.reason, effect.cost, effect.detail)
        return effects

    def _queue(self, effect: Send) -> None:
        outbox = self._outboxes.get(effect.peer)
        if outbox is not None and not outbox.put(effect.frame, droppable=effect.droppable):
            log.debug("gossip for %s dropped, %d so far", effect.peer, outbox.dropped)


def _note(effect: Effect) -> Note | None:
    match effect:
        case Deliver(topic, data, source, via):
            return GossipReceived(topic, data, source, via)
        case TopicJoined(peer, topic):
            return PeerSubscribed(peer, topic)
        case TopicLeft(peer, topic):
            return PeerUnsubscribed(peer, topic)
    return None
