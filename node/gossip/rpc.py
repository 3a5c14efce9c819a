"""The gossipsub RPC: dataclasses and their protobuf bytes.

Decoding is strict: wrong wire types, topics that are not UTF-8 and lists beyond their limits are refused whole, because
a peer that sends them is broken or hostile. Fields with numbers that are not listed here are skipped, as protobuf
demands. Field numbers: libp2p gossipsub 1.2 (rust-libp2p 0.56: protocols/gossipsub/src/generated/rpc.proto).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.errors import DecodeError
from node.gossip.protobuf import (
    as_bytes,
    as_int,
    as_text,
    bytes_field,
    prefixed,
    read_fields,
    text_field,
    varint_field,
)

MAX_RPC_SIZE: Final = 65_536
"""Largest RPC body in bytes, in both directions: the reference's decoder ends the stream on anything larger."""

MAX_SUBSCRIPTIONS: Final = 2_000
"""Most subscription changes in one RPC. A 64 KiB frame holds about 1 300 of 44-character topics."""

MAX_CONTROL_IDS: Final = 5_000
"""Most message ids in one RPC, the limit of the reference for IHAVE."""

MAX_TOPIC_LENGTH: Final = 256
"""Longest topic in bytes; context topics have 44, the longest other one 30."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A peer starts (``subscribe``) or stops to follow a topic."""

    topic: str
    subscribe: bool


@dataclass(frozen=True, slots=True)
class Message:
    """A published message. Absent fields are empty; ``source`` is a peer id in bytes."""

    source: bytes
    data: bytes
    seqno: bytes
    topic: str
    signature: bytes = b""
    key: bytes = b""


@dataclass(frozen=True, slots=True)
class IHave:
    topic: str
    ids: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Prune:
    """``backoff`` in seconds; 0 when the peer named none."""

    topic: str
    backoff: int


@dataclass(frozen=True, slots=True)
class Control:
    """The control part: lists in the order of their field numbers."""

    ihave: tuple[IHave, ...] = ()
    iwant: tuple[bytes, ...] = ()
    graft: tuple[str, ...] = ()
    prune: tuple[Prune, ...] = ()
    idontwant: tuple[bytes, ...] = ()


EMPTY_CONTROL: Final = Control()


@dataclass(frozen=True, slots=True)
class Rpc:
    """One frame of the gossip stream."""

    subscriptions: tuple[Subscription, ...] = ()
    messages: tuple[Message, ...] = ()
    control: Control = EMPTY_CONTROL


# -- encoding


def encode_frame(rpc: Rpc) -> bytes:
    """The bytes of an RPC with its length prefix, ready for a stream."""
    return prefixed(encode_rpc(rpc))


def encode_rpc(rpc: Rpc) -> bytes:
    """The bytes of an RPC."""
    parts = [bytes_field(1, _encode_subscription(item)) for item in rpc.subscriptions]
    parts += [bytes_field(2, encode_message(item)) for item in rpc.messages]
    if rpc.control != EMPTY_CONTROL:
        parts.append(bytes_field(3, _encode_control(rpc.control)))
    return b"".join(parts)


def encode_message(message: Message, *, unsigned: bool = False) -> bytes:
    """The bytes of a message; ``unsigned`` leaves out signature and key, the form that is signed.

    ``data`` and ``topic`` are always written, the rest only if present, as the reference does.
    """
    parts = [bytes_field(1, message.source)] if message.source else []
    parts.append(bytes_field(2, message.data))
    if message.seqno:
        parts.append(bytes_field(3, message.seqno))
    parts.append(text_field(4, message.topic))
    if message.signature and not unsigned:
        parts.append(bytes_field(5, message.signature))
    if message.key and not unsigned:
        parts.append(bytes_field(6, message.key))
    return b"".join(parts)


def _encode_subscription(item: Subscription) -> bytes:
    return varint_field(1, int(item.subscribe)) + text_field(2, item.topic)


def _encode_control(control: Control) -> bytes:
    parts = [bytes_field(1, text_field(1, item.topic) + _encode_ids(2, item.ids)) for item in control.ihave]
    if control.iwant:
        parts.append(bytes_field(2, _encode_ids(1, control.iwant)))
    parts += [bytes_field(3, text_field(1, topic)) for topic in control.graft]
    parts += [bytes_field(4, text_field(1, item.topic) + varint_field(3, item.backoff)) for item in control.prune]
    if control.idontwant:
        parts.append(bytes_field(5, _encode_ids(1, control.idontwant)))
    return b"".join(parts)


def _encode_ids(number: int, ids: tuple[bytes, ...]) -> bytes:
    return b"".join(bytes_field(number, item) for item in ids)


# -- decoding


def decode_rpc(data: bytes) -> Rpc:
    """Read an RPC body. Raises :class:`DecodeError` for anything that is malformed or over a limit."""
    if len(data) > MAX_RPC_SIZE:
        raise DecodeError(f"RPC of {len(data)} bytes, at most {MAX_RPC_SIZE} are allowed", offset=0, field="rpc")
    subscriptions: list[Subscription] = []
    messages: list[Message] = []
    control = EMPTY_CONTROL
    for number, value in read_fields(data, "rpc"):
        if number == 1:
            subscriptions.append(_decode_subscription(as_bytes(value, "rpc.subscriptions")))
        elif number == 2:
            messages.append(decode_message(as_bytes(value, "rpc.publish")))
        elif number == 3:
            control = _decode_control(as_bytes(value, "rpc.control"))
    if len(subscriptions) > MAX_SUBSCRIPTIONS:
        raise DecodeError(f"{len(subscriptions)} subscriptions in one RPC", offset=0, field="rpc.subscriptions")
    return Rpc(tuple(subscriptions), tuple(messages), control)


def decode_message(data: bytes) -> Message:
    """Read one message. Raises :class:`DecodeError`; more than one topic is refused (pubsub 1.0's form)."""
    parts: dict[int, bytes] = {}
    topic: str | None = None
    for number, value in read_fields(data, "message"):
        if number == 4:
            if topic is not None:
                raise DecodeError("more than one topic", offset=0, field="message.topic")
            topic = _topic(value, "message.topic")
        elif number <= 6:
            parts[number] = as_bytes(value, "message")
    if topic is None:
        raise DecodeError("no topic", offset=0, field="message.topic")
    get = parts.get
    return Message(get(1, b""), get(2, b""), get(3, b""), topic, get(5, b""), get(6, b""))


def _decode_subscription(data: bytes) -> Subscription:
    subscribe, topic = False, ""
    for number, value in read_fields(data, "subscription"):
        if number == 1:
            subscribe = as_int(value, "subscription.subscribe") != 0
        elif number == 2:
            topic = _topic(value, "subscription.topic")
    if not topic:
        raise DecodeError("no topic", offset=0, field="subscription.topic")
    return Subscription(topic, subscribe)


def _decode_control(data: bytes) -> Control:
    ihave: list[IHave] = []
    iwant: list[bytes] = []
    graft: list[str] = []
    prune: list[Prune] = []
    idontwant: list[bytes] = []
    for number, value in read_fields(data, "control"):
        body = as_bytes(value, "control")
        if number == 1:
            ihave.append(_decode_ihave(body))
        elif number == 2:
            iwant += _decode_ids(body, "iwant")
        elif number == 3:
            graft.append(_decode_graft(body))
        elif number == 4:
            prune.append(_decode_prune(body))
        elif number == 5:
            idontwant += _decode_ids(body, "idontwant")
    total = len(iwant) + len(idontwant) + sum(len(item.ids) for item in ihave)
    if total > MAX_CONTROL_IDS:
        raise DecodeError(f"{total} message ids in one RPC", offset=0, field="control")
    return Control(tuple(ihave), tuple(iwant), tuple(graft), tuple(prune), tuple(idontwant))


def _decode_ihave(data: bytes) -> IHave:
    topic, ids = "", []
    for number, value in read_fields(data, "ihave"):
        if number == 1:
            topic = _topic(value, "ihave.topic")
        elif number == 2:
            ids.append(as_bytes(value, "ihave.ids"))
    return IHave(topic, tuple(ids))


def _decode_ids(data: bytes, what: str) -> list[bytes]:
    return [as_bytes(value, what) for number, value in read_fields(data, what) if number == 1]


def _decode_graft(data: bytes) -> str:
    topic = ""
    for number, value in read_fields(data, "graft"):
        if number == 1:
            topic = _topic(value, "graft.topic")
    return topic


def _decode_prune(data: bytes) -> Prune:
    topic, backoff = "", 0
    for number, value in read_fields(data, "prune"):
        if number == 1:
            topic = _topic(value, "prune.topic")
        elif number == 3:
            backoff = as_int(value, "prune.backoff")
    return Prune(topic, backoff)


def _topic(value: int | bytes, what: str) -> str:
    if len(as_bytes(value, what)) > MAX_TOPIC_LENGTH:
        raise DecodeError(f"topic of more than {MAX_TOPIC_LENGTH} bytes", offset=0, field=what)
    return as_text(value, what)
