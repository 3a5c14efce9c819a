"""What goes into the sync machine and, besides requests, what comes out of it. Peers are peer ids as text."""

from __future__ import annotations

from dataclasses import dataclass

from node.events import Notice
from node.primitives import BlobId, ContextId
from node.sync.kernel import Call
from node.sync.ports import OpenDelta

__all__ = [
    "Answered",
    "Blame",
    "BlobDone",
    "BlobWanted",
    "CloseStream",
    "ContextGone",
    "ContextReady",
    "Credit",
    "DeltaCommitted",
    "Effect",
    "Event",
    "FrameReceived",
    "GossipReceived",
    "KeysChanged",
    "PeerGone",
    "PeerSubscribed",
    "PeerUnsubscribed",
    "RegistryChanged",
    "StreamClosed",
    "StreamOpened",
    "SyncDone",
    "SyncWanted",
    "Tell",
    "Tick",
    "Why",
    "WhyWanted",
]


# -- events


@dataclass(frozen=True, slots=True)
class Answered:
    """The report on a :class:`node.sync.kernel.Call`: a value, or the error that it failed with."""

    token: int
    value: object = None
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class GossipReceived:
    """``source`` signed the message. ``context_id`` is what the topic stands for."""

    context_id: ContextId
    data: bytes
    source: str


@dataclass(frozen=True, slots=True)
class PeerSubscribed:
    peer: str
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class PeerUnsubscribed:
    peer: str
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class PeerGone:
    """No connection to the peer is left."""

    peer: str


@dataclass(frozen=True, slots=True)
class StreamOpened:
    """A peer opened a stream to us. ``blob``: with the blob protocol."""

    stream: int
    peer: str
    blob: bool = False


@dataclass(frozen=True, slots=True)
class FrameReceived:
    stream: int
    data: bytes


@dataclass(frozen=True, slots=True)
class StreamClosed:
    """The peer finished its direction, or (``reset``) dropped the stream."""

    stream: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class DeltaCommitted:
    """A local call made this delta; it is durable and wants to be told to the members."""

    context_id: ContextId
    delta: OpenDelta


@dataclass(frozen=True, slots=True)
class ContextReady:
    """Follow a context: at start, and after it was created or joined."""

    context_id: ContextId


@dataclass(frozen=True, slots=True)
class ContextGone:
    context_id: ContextId


@dataclass(frozen=True, slots=True)
class KeysChanged:
    """Members or keys of a context changed behind the machine's back."""

    context_id: ContextId


@dataclass(frozen=True, slots=True)
class RegistryChanged:
    """This node changed members or application of a context at the registry: have the other members read it."""

    context_id: ContextId


@dataclass(frozen=True, slots=True)
class SyncWanted:
    """Somebody wants a sync now. With a ``token``, :class:`SyncDone` answers it; without a context, for all."""

    context_id: ContextId | None = None
    token: int | None = None


@dataclass(frozen=True, slots=True)
class BlobWanted:
    """Fetch a blob of a context from whoever holds it; :class:`BlobDone` answers."""

    context_id: ContextId
    blob_id: BlobId
    token: int


@dataclass(frozen=True, slots=True)
class WhyWanted:
    """:class:`Why` answers it."""

    context_id: ContextId
    token: int


@dataclass(frozen=True, slots=True)
class Tick:
    """Time passed."""


Event = (
    Answered
    | GossipReceived
    | PeerSubscribed
    | PeerUnsubscribed
    | PeerGone
    | StreamOpened
    | FrameReceived
    | StreamClosed
    | DeltaCommitted
    | ContextReady
    | ContextGone
    | KeysChanged
    | RegistryChanged
    | SyncWanted
    | WhyWanted
    | BlobWanted
    | Tick
)


# -- effects


@dataclass(frozen=True, slots=True)
class Credit:
    """So many frames of the stream were consumed."""

    stream: int
    frames: int


@dataclass(frozen=True, slots=True)
class CloseStream:
    """Finish our direction; ``reset`` drops both at once."""

    stream: int
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Blame:
    """The peer broke a rule: to be counted under ``reason``, and to cost it so many points of its score."""

    peer: str
    reason: str
    cost: int
    detail: str


@dataclass(frozen=True, slots=True)
class Tell:
    """For the observers of the node."""

    notice: Notice


@dataclass(frozen=True, slots=True)
class SyncDone:
    """The answer to :class:`SyncWanted`: per context the session report, flat JSON values."""

    token: int
    reports: tuple[dict[str, str | int | float | bool | None], ...]


@dataclass(frozen=True, slots=True)
class Why:
    """The answer to :class:`WhyWanted`: JSON values, or why there are none."""

    token: int
    explanation: dict[str, object]
    error: BaseException | None = None


@dataclass(frozen=True, slots=True)
class BlobDone:
    """The answer to :class:`BlobWanted`: the blob is here, or why it is not."""

    token: int
    error: BaseException | None = None


Effect = Call | Credit | CloseStream | Blame | Tell | SyncDone | Why | BlobDone
