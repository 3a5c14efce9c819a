"""The network between simulated nodes: connections, gossip frames, streams, and what goes wrong with them.

Gossip frames of a connection arrive in order unless a fault reorders them; frames of a stream always do, because a real
transport either delivers in order or loses the stream.
"""

from __future__ import annotations

import itertools
import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, Protocol

from node.gossip.protobuf import decode_varint
from node.gossip.rpc import decode_rpc
from node.sync.events import Event, FrameReceived, StreamClosed, StreamOpened
from tests.simulation.clock import MILLI, SECOND, Timeline

OPEN_TIMEOUT: Final = 3 * SECOND
LOSS_NOTICED: Final = 12 * SECOND
"""After this time without contact a connection counts as lost; keep-alives of the transport find it."""

REDIAL: Final = 2 * SECOND


class Station(Protocol):
    """A node as the network sees it."""

    up: bool
    peer: str

    def event(self, event: Event) -> None: ...
    def gossip_frame(self, peer: str, body: bytes) -> None: ...
    def connected(self, peer: str, *, outbound: bool) -> None: ...
    def disconnected(self, peer: str) -> None: ...


@dataclass(slots=True)
class Wire:
    """One direction between two nodes."""

    cut: bool = False
    drop: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    delay: int = 0
    free_at: int = 0
    """Frames in order do not overtake each other."""


@dataclass(slots=True)
class Stream:
    """One end of a stream; ``number`` is the other end's."""

    owner: int
    other: int
    number: int
    arriving: deque[Event] = field(default_factory=deque)
    open: bool = True


class Links:
    """All connections and streams. Nodes are numbers."""

    def __init__(self, timeline: Timeline, rng: random.Random) -> None:
        self._time = timeline
        self._rng = rng
        self.stations: dict[int, Station] = {}
        self._wires: dict[tuple[int, int], Wire] = {}
        self._connected: set[tuple[int, int]] = set()
        self._epochs: dict[tuple[int, int], int] = {}
        self._streams: dict[int, Stream] = {}
        self._numbers = itertools.count(1)
        self.tamper: Callable[[int, bytes], bytes] = lambda sender, data: data
        self.bytes = 0
        self.frames = 0

    def wire(self, sender: int, receiver: int) -> Wire:
        return self._wires.setdefault((sender, receiver), Wire())

    def number_of(self, peer: str) -> int:
        return next(number for number, station in self.stations.items() if station.peer == peer)

    # connections

    def keep_connected(self) -> None:
        """Look every second: nodes dial each other again, and notice lost connections."""
        for left, right in itertools.combinations(sorted(self.stations), 2):
            self._look(left, right)
        self._time.later(SECOND, self.keep_connected)

    def _look(self, left: int, right: int) -> None:
        pair = (left, right)
        working = self._working(left, right)
        if working and pair not in self._connected:
            self._connect(pair)
        elif pair in self._connected and not working:
            epoch = self._epochs.get(pair, 0)
            self._time.later(LOSS_NOTICED, lambda: self._lose(pair, epoch))

    def _working(self, left: int, right: int) -> bool:
        up = self.stations[left].up and self.stations[right].up
        return up and not self.wire(left, right).cut and not self.wire(right, left).cut

    def _connect(self, pair: tuple[int, int]) -> None:
        left, right = pair
        self._connected.add(pair)
        self._epochs[pair] = self._epochs.get(pair, 0) + 1
        self.stations[left].connected(self.stations[right].peer, outbound=True)
        self.stations[right].connected(self.stations[left].peer, outbound=False)

    def _lose(self, pair: tuple[int, int], epoch: int) -> None:
        if self._epochs.get(pair) == epoch and pair in self._connected and not self._working(*pair):
            self.disconnect(pair)

    def disconnect(self, pair: tuple[int, int]) -> None:
        """Both ends learn that the connection is gone; streams on it end."""
        if pair not in self._connected:
            return
        self._connected.discard(pair)
        self.reset_streams(*pair)
        left, right = pair
        for own, other in ((left, right), (right, left)):
            if self.stations[own].up:
                self.stations[own].disconnected(self.stations[other].peer)

    def drop_node(self, number: int) -> None:
        """A process ended: its connections close at once."""
        for pair in sorted(self._connected):
            if number in pair:
                self.disconnect(pair)

    def is_connected(self, left: int, right: int) -> bool:
        return (min(left, right), max(left, right)) in self._connected

    # gossip

    def send_gossip(self, sender: int, receiver: int, frame: bytes) -> None:
        wire = self.wire(sender, receiver)
        if wire.cut or not self.is_connected(sender, receiver):
            return
        self.frames += 1
        self.bytes += len(frame)
        if wire.drop and self._rng.random() < wire.drop and _carries_messages(frame):
            return
        self._deliver_gossip(sender, receiver, frame, wire)
        if wire.duplicate and self._rng.random() < wire.duplicate:
            self._deliver_gossip(sender, receiver, frame, wire)

    def _deliver_gossip(self, sender: int, receiver: int, frame: bytes, wire: Wire) -> None:
        pair = (min(sender, receiver), max(sender, receiver))
        epoch = self._epochs.get(pair)
        peer = self.stations[sender].peer
        body = frame[_prefix(frame) :]

        def arrive() -> None:
            if self._epochs.get(pair) == epoch and self.stations[receiver].up and not wire.cut:
                self.stations[receiver].gossip_frame(peer, body)

        self._time.at(self._arrival(wire, overtake=self._rng.random() < wire.reorder), arrive)

    def _arrival(self, wire: Wire, *, overtake: bool = False) -> int:
        when = self._time.now + wire.delay + self._rng.randrange(MILLI, 20 * MILLI)
        if overtake:
            return when + self._rng.randrange(200 * MILLI)
        wire.free_at = when = max(when, wire.free_at)
        return when

    # streams

    def open_stream(self, sender: int, receiver: int, done: Callable[[int | None], None]) -> None:
        """``done`` gets the number of the stream, or None when the peer cannot be reached."""
        if not (self._working(sender, receiver) and self.is_connected(sender, receiver)):
            self._time.later(OPEN_TIMEOUT // 10 + self._rng.randrange(OPEN_TIMEOUT), lambda: done(None))
            return
        mine, theirs = next(self._numbers), next(self._numbers)
        self._streams[mine] = Stream(sender, receiver, theirs)
        self._streams[theirs] = Stream(receiver, sender, mine)
        peer = self.stations[sender].peer
        self._transport(sender, receiver, theirs, StreamOpened(theirs, peer))
        self._time.at(self._arrival(self.wire(receiver, sender)), lambda: done(mine if mine in self._streams else None))

    def send_frame(self, sender: int, number: int, data: bytes) -> bool:
        """False if the stream is gone."""
        stream = self._streams.get(number)
        if stream is None or not stream.open:
            return False
        self.frames += 1
        self.bytes += len(data)
        self._transport(sender, stream.other, stream.number, FrameReceived(stream.number, self.tamper(sender, data)))
        return True

    def close_stream(self, number: int, *, reset: bool) -> None:
        stream = self._streams.get(number)
        if stream is None or not stream.open:
            return
        stream.open = False
        self._transport(stream.owner, stream.other, stream.number, StreamClosed(stream.number, reset))

    def _transport(self, sender: int, receiver: int, number: int, event: Event) -> None:
        """In order; a cut link holds the data back until the connection is given up."""

        wire = self.wire(sender, receiver)
        stream = self._streams.get(number)
        if stream is None:
            return
        arriving = stream.arriving
        arriving.append(event)

        def arrive() -> None:
            if number not in self._streams or not self.stations[receiver].up:
                return
            if wire.cut:
                self._time.later(SECOND // 2, arrive)
                return
            self.stations[receiver].event(arriving.popleft())

        self._time.at(self._arrival(wire), arrive)

    def reset_streams(self, left: int, right: int) -> None:
        """Streams between two nodes end at both sides."""
        for number, stream in list(self._streams.items()):
            if {stream.owner, stream.other} == {left, right}:
                del self._streams[number]
                if self.stations[stream.owner].up:
                    self.stations[stream.owner].event(StreamClosed(number, reset=True))


def _prefix(frame: bytes) -> int:
    found = decode_varint(frame)
    assert found is not None
    return found[1]


def _carries_messages(frame: bytes) -> bool:
    """Losing a subscription would be losing the connection; the drop fault takes messages only."""
    return bool(decode_rpc(frame[_prefix(frame) :]).messages)
