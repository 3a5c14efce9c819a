"""The RPC codec against Google's protobuf with py-libp2p's schema as the oracle."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError
from node.gossip.protobuf import bytes_field, text_field, varint_field
from node.gossip.rpc import (
    MAX_CONTROL_IDS,
    MAX_RPC_SIZE,
    MAX_SUBSCRIPTIONS,
    MAX_TOPIC_LENGTH,
    Control,
    IHave,
    Message,
    Prune,
    Rpc,
    Subscription,
    decode_rpc,
    encode_frame,
    encode_message,
    encode_rpc,
)
from workers.network import repairs

repairs.prepare()

from libp2p.pubsub.pb import rpc_pb2  # noqa: E402

topics = st.text(min_size=1, max_size=40).filter(lambda text: len(text.encode()) <= MAX_TOPIC_LENGTH)
ids = st.lists(st.binary(max_size=40), max_size=4).map(tuple)
subscriptions = st.builds(Subscription, topics, st.booleans())
messages = st.builds(
    Message,
    st.binary(max_size=40),
    st.binary(max_size=200),
    st.binary(max_size=8),
    topics,
    st.binary(max_size=64),
    st.binary(max_size=36),
)
controls = st.builds(
    Control,
    st.lists(st.builds(IHave, topics, ids), max_size=3).map(tuple),
    ids,
    st.lists(topics, max_size=3).map(tuple),
    st.lists(st.builds(Prune, topics, st.integers(0, 10_000)), max_size=3).map(tuple),
    ids,
)
rpcs = st.builds(
    Rpc, st.lists(subscriptions, max_size=4).map(tuple), st.lists(messages, max_size=3).map(tuple), controls
)


def oracle(rpc: Rpc) -> rpc_pb2.RPC:
    out = rpc_pb2.RPC()
    for change in rpc.subscriptions:
        out.subscriptions.add(subscribe=change.subscribe, topicid=change.topic)
    for item in rpc.messages:
        message = out.publish.add(data=item.data, topicIDs=[item.topic])
        for name, value in (
            ("from_id", item.source),
            ("seqno", item.seqno),
            ("signature", item.signature),
            ("key", item.key),
        ):
            if value:
                setattr(message, name, value)
    control = rpc.control
    for ihave in control.ihave:
        out.control.ihave.add(topicID=ihave.topic, messageIDs=list(ihave.ids))
    if control.iwant:
        out.control.iwant.add(messageIDs=list(control.iwant))
    for topic in control.graft:
        out.control.graft.add(topicID=topic)
    for prune in control.prune:
        out.control.prune.add(topicID=prune.topic, backoff=prune.backoff)
    if control.idontwant:
        out.control.idontwant.add(messageIDs=list(control.idontwant))
    return out


@given(rpcs)
def test_bytes_are_those_of_protobuf_and_come_back(rpc: Rpc) -> None:
    expected = oracle(rpc)
    assert rpc_pb2.RPC.FromString(encode_rpc(rpc)) == expected
    assert decode_rpc(expected.SerializeToString()) == rpc
    assert decode_rpc(encode_rpc(rpc)) == rpc


@given(rpcs, st.data())
def test_cut_messages_are_refused_or_shorter(rpc: Rpc, data: st.DataObject) -> None:
    whole = encode_rpc(rpc)
    end = data.draw(st.integers(0, len(whole)))
    with contextlib.suppress(DecodeError):
        assert isinstance(decode_rpc(whole[:end]), Rpc)


@given(st.binary(max_size=300))
def test_random_bytes_raise_nothing_but_decode_errors(data: bytes) -> None:
    with contextlib.suppress(DecodeError):
        decode_rpc(data)


def test_unknown_fields_are_skipped() -> None:
    body = encode_rpc(Rpc((Subscription("t", subscribe=True),)))
    assert decode_rpc(bytes_field(4, b"record") + body + varint_field(99, 1)) == decode_rpc(body)


def test_unknown_fields_are_skipped_in_every_part() -> None:
    more = varint_field(99, 1)
    topic = text_field(1, "t")
    control = b"".join(
        [
            bytes_field(1, topic + bytes_field(2, b"i") + more),
            bytes_field(2, bytes_field(1, b"i") + more),
            bytes_field(3, topic + more),
            bytes_field(4, topic + bytes_field(2, b"peer") + varint_field(3, 9)),
            bytes_field(5, bytes_field(1, b"i") + more),
            bytes_field(6, b"later"),
        ]
    )
    body = bytes_field(1, varint_field(1, 1) + text_field(2, "t") + more)
    body += bytes_field(2, text_field(4, "t") + more) + bytes_field(3, control)
    assert decode_rpc(body) == Rpc(
        (Subscription("t", subscribe=True),),
        (Message(b"", b"", b"", "t"),),
        Control((IHave("t", (b"i",)),), (b"i",), ("t",), (Prune("t", 9),), (b"i",)),
    )


def test_unsigned_form_leaves_out_signature_and_key() -> None:
    message = Message(b"f", b"d", b"s", "t", b"sig", b"key")
    assert encode_message(message, unsigned=True) == encode_message(Message(b"f", b"d", b"s", "t"))
    assert encode_message(message, unsigned=True) == b"\x0a\x01f\x12\x01d\x1a\x01s\x22\x01t"


def test_frame_has_its_length_in_front() -> None:
    rpc = Rpc(messages=(Message(b"", bytes(300), b"", "t"),))
    assert encode_frame(rpc)[2:] == encode_rpc(rpc)


def message_body(size: int) -> bytes:
    empty = len(encode_rpc(Rpc(messages=(Message(b"", bytes(60_000), b"", "t"),)))) - 60_000
    return encode_rpc(Rpc(messages=(Message(b"", bytes(size - empty), b"", "t"),)))


def test_size_limit_at_its_edge() -> None:
    assert len(message_body(MAX_RPC_SIZE)) == MAX_RPC_SIZE
    decode_rpc(message_body(MAX_RPC_SIZE))
    with pytest.raises(DecodeError, match="RPC of 65537 bytes"):
        decode_rpc(message_body(MAX_RPC_SIZE + 1))


def test_count_limits_at_their_edges() -> None:
    change = (Subscription("t", subscribe=True),)
    assert len(decode_rpc(encode_rpc(Rpc(change * MAX_SUBSCRIPTIONS))).subscriptions) == MAX_SUBSCRIPTIONS
    with pytest.raises(DecodeError, match="2001 subscriptions"):
        decode_rpc(encode_rpc(Rpc(change * (MAX_SUBSCRIPTIONS + 1))))
    decode_rpc(encode_rpc(Rpc(control=Control(iwant=(b"i",) * MAX_CONTROL_IDS))))
    with pytest.raises(DecodeError, match="5001 message ids"):
        decode_rpc(encode_rpc(Rpc(control=Control(idontwant=(b"i",) * (MAX_CONTROL_IDS + 1)))))


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (bytes_field(1, varint_field(1, 1)), "no topic"),
        (bytes_field(1, varint_field(1, 1) + text_field(2, "t" * (MAX_TOPIC_LENGTH + 1))), "topic of more than 256"),
        (bytes_field(1, bytes_field(2, b"\xff")), "not UTF-8"),
        (bytes_field(1, bytes_field(1, b"x")), "bytes where a varint"),
        (varint_field(1, 1), "varint where bytes"),
        (bytes_field(2, bytes_field(2, b"d")), "no topic"),
        (bytes_field(2, text_field(4, "a") + text_field(4, "b")), "more than one topic"),
        (bytes_field(2, varint_field(3, 7) + text_field(4, "b")), "varint where bytes"),
        (bytes_field(3, varint_field(1, 1)), "varint where bytes"),
        (bytes_field(3, bytes_field(4, bytes_field(3, b"x"))), "bytes where a varint"),
    ],
)
def test_malformed_rpcs_are_refused(body: bytes, why: str) -> None:
    with pytest.raises(DecodeError, match=why):
        decode_rpc(body)
