"""Operations and events of the network worker. It knows bytes and peers, not contexts."""

from __future__ import annotations

from workers.messages.base import Done, Message, Note, Record, Request

__all__ = [
    "Blame",
    "CloseStream",
    "CountNetwork",
    "Dial",
    "Dialled",
    "ForgetPeer",
    "FrameReceived",
    "GetRecord",
    "GossipReceived",
    "ListPeers",
    "NetworkCounts",
    "OpenStream",
    "PeerConnected",
    "PeerDisconnected",
    "PeerList",
    "PeerRecord",
    "PeerSubscribed",
    "PeerUnsubscribed",
    "PingPeer",
    "Ponged",
    "Publish",
    "Published",
    "PutRecord",
    "RecordAnswer",
    "SendFrame",
    "StreamClosed",
    "StreamCredit",
    "StreamOpened",
    "StreamReady",
    "Subscribe",
    "Unsubscribe",
]


# -- gossip


class Subscribe(Request[Done], frozen=True):
    topic: str


class Unsubscribe(Request[Done], frozen=True):
    topic: str


class Publish(Request["Published"], frozen=True):
    topic: str
    data: bytes


class Published(Message, frozen=True):
    """``peers`` that the message was handed to; 0 means that nobody is on the topic yet."""

    peers: int


class GossipReceived(Note, frozen=True):
    """``source`` signed the message, ``via`` handed it over; both are peer ids (text)."""

    topic: str
    data: bytes
    source: str
    via: str


# -- peers


class Dial(Request["Dialled"], frozen=True):
    """Connect to a multiaddr that ends in ``/p2p/<peer id>``; ``keep``: dial again with back-off when it is lost."""

    address: str
    keep: bool = True


class Dialled(Message, frozen=True):
    peer: str


class ForgetPeer(Request[Done], frozen=True):
    """Stop to keep a peer connected, and close its connections."""

    peer: str


class Blame(Note, frozen=True):
    """To network: the peer broke a rule of what travels in frames or gossip. ``cost``: points of its score."""

    peer: str
    reason: str
    cost: int
    detail: str


class PingPeer(Request["Ponged"], frozen=True):
    peer: str


class Ponged(Message, frozen=True):
    """Round-trip time in seconds."""

    seconds: float


class ListPeers(Request["PeerList"], frozen=True):
    pass


class PeerRecord(Record, frozen=True):
    """A connected, wanted or shut out peer. Traffic in bytes, ``latency`` in seconds (0: not measured)."""

    peer: str
    addresses: list[str]
    connected: bool
    inbound: bool = False
    agent: str = ""
    protocols: list[str] = []
    topics: list[str] = []
    streams: int = 0
    received: int = 0
    sent: int = 0
    latency: float = 0.0
    score: int = 0
    refusals: dict[str, int] = {}


class PeerList(Message, frozen=True):
    """``peer`` is this node's own id, ``listen`` its addresses without the peer id."""

    peer: str
    listen: list[str]
    peers: list[PeerRecord]


class CountNetwork(Request["NetworkCounts"], frozen=True):
    """What the worker has counted since its start."""


class NetworkCounts(Message, frozen=True):
    """JSON of ``workers.network.counts.Counts``."""

    counts: bytes


class PeerConnected(Note, frozen=True):
    peer: str
    address: str
    inbound: bool


class PeerDisconnected(Note, frozen=True):
    peer: str


class PeerSubscribed(Note, frozen=True):
    peer: str
    topic: str


class PeerUnsubscribed(Note, frozen=True):
    peer: str
    topic: str


# -- streams; ids are chosen by the network worker and unique within its life


class OpenStream(Request["StreamReady"], frozen=True):
    """Open a stream; connects first where an address is known."""

    peer: str
    protocol: str


class StreamReady(Message, frozen=True):
    stream: int


class StreamOpened(Note, frozen=True):
    """A peer opened a stream to us."""

    stream: int
    peer: str
    protocol: str


class SendFrame(Request[Done], frozen=True):
    """Write one frame; answered when it is handed to the transport, which is the back-pressure."""

    stream: int
    data: bytes


class FrameReceived(Note, frozen=True):
    """One frame from the peer. At most a window of frames is sent ahead; :class:`StreamCredit` opens it again."""

    stream: int
    data: bytes


class StreamCredit(Note, frozen=True):
    """To network: this many frames of the stream were consumed."""

    stream: int
    frames: int


class CloseStream(Note, frozen=True):
    """To network: finish our direction; ``reset`` drops both at once."""

    stream: int
    reset: bool = False


class StreamClosed(Note, frozen=True):
    """The peer finished its direction (``reset``: or dropped the stream); no more frames follow."""

    stream: int
    reset: bool = False


# -- DHT records for blobs


class PutRecord(Request[Done], frozen=True):
    key: bytes
    value: bytes


class GetRecord(Request["RecordAnswer"], frozen=True):
    key: bytes


class RecordAnswer(Message, frozen=True):
    value: bytes | None
