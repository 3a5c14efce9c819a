"""The multiplexer alone: two sessions joined by bytes, cut anywhere, and every rule broken once."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import RemoteProtocolError
from workers.network.yamux import (
    INITIAL_WINDOW,
    MAX_CONTROL_BACKLOG,
    MAX_DATA_FRAME,
    MAX_WINDOW,
    CreditReceived,
    DataReceived,
    GoneAway,
    PongReceived,
    StreamFinished,
    StreamOpened,
    StreamRefused,
    StreamReset,
    YamuxEvent,
    YamuxSession,
)


def frame(kind: int, flags: int, stream: int, length: int, body: bytes = b"") -> bytes:
    return struct.pack("!BBHII", 0, kind, flags, stream, length) + body


def pair() -> tuple[YamuxSession, YamuxSession]:
    return YamuxSession(client=True, max_inbound=4), YamuxSession(client=False, max_inbound=4)


def move(source: YamuxSession, target: YamuxSession, step: int = 1 << 20) -> list[YamuxEvent]:
    """Everything that waits, handed over in pieces of ``step`` bytes."""
    data = b"".join(source.data_to_send())
    events: list[YamuxEvent] = []
    for start in range(0, len(data), step):
        events += target.receive(data[start : start + step])
    return events


@pytest.mark.parametrize("step", [1, 7, 1 << 20])
def test_a_stream_there_and_back(step: int) -> None:
    client, server = pair()
    stream = client.open_stream()
    assert client.send(stream, memoryview(b"hello")) == 5
    client.finish(stream)
    assert move(client, server, step) == [StreamOpened(1), DataReceived(1, b"hello"), StreamFinished(1)]
    assert server.send(stream, memoryview(b"answer")) == 6
    server.finish(stream)
    assert move(server, client, step) == [DataReceived(1, b"answer"), StreamFinished(1)]
    assert not client._streams
    assert not server._streams
    assert server._inbound == 0


def test_ids_are_odd_for_the_dialler_and_even_for_the_listener() -> None:
    client, server = pair()
    assert [client.open_stream(), client.open_stream(), server.open_stream(), server.open_stream()] == [1, 3, 2, 4]


def test_streams_may_open_in_any_order() -> None:
    _, server = pair()
    assert server.receive(frame(1, 1, 5, 0) + frame(0, 1, 3, 2, b"hi")) == [
        StreamOpened(5),
        StreamOpened(3),
        DataReceived(3, b"hi"),
    ]


def test_sending_stops_at_the_window_and_goes_on_with_credit() -> None:
    client, server = pair()
    stream = client.open_stream()
    data = memoryview(bytes(INITIAL_WINDOW + 10))
    sent = 0
    while taken := client.send(stream, data[sent:]):
        assert taken <= MAX_DATA_FRAME
        sent += taken
    assert sent == INITIAL_WINDOW
    events = move(client, server)
    got = sum(len(event.data) for event in events if isinstance(event, DataReceived))
    assert got == INITIAL_WINDOW
    server.consumed(stream, INITIAL_WINDOW // 2 - 1, now=100.0)
    assert move(server, client) == []
    server.consumed(stream, 1, now=100.0)
    assert move(server, client) == [CreditReceived(stream)]
    assert client.send(stream, data[sent:]) == 10


def test_credit_is_never_more_than_was_consumed_unless_the_window_grows() -> None:
    client, server = pair()
    stream = client.open_stream()
    move(client, server)
    granted = consumed = 0
    for turn in range(10):
        server._streams[stream].receive_credit -= 200_000
        server.consumed(stream, 200_000, now=turn * 10.0)
        consumed += 200_000
        for each in server.data_to_send():
            granted += struct.unpack("!BBHII", each)[4]
    assert granted <= consumed
    assert server._streams[stream].window == INITIAL_WINDOW


def test_a_fast_reader_gets_a_larger_window_up_to_the_limit() -> None:
    client, server = pair()
    stream = client.open_stream()
    move(client, server)
    for turn in range(100):
        server.consumed(stream, server._streams[stream].window, now=turn / 100)
    assert server._streams[stream].window == MAX_WINDOW


def test_reset_ends_both_directions_after_what_was_sent() -> None:
    client, server = pair()
    stream = client.open_stream()
    client.send(stream, memoryview(b"last"))
    client.reset(stream)
    assert move(client, server) == [StreamOpened(1), DataReceived(1, b"last"), StreamReset(1)]
    assert server.send(stream, memoryview(b"x")) == 0
    assert not server.writable(stream)
    client.reset(stream)
    assert client.data_to_send() == []


def test_late_frames_of_a_dead_stream_are_ignored() -> None:
    client, server = pair()
    stream = client.open_stream()
    move(client, server)
    server.reset(stream)
    client.send(stream, memoryview(b"late"))
    assert move(client, server) == []


def test_streams_beyond_the_limit_are_reset_and_room_comes_back() -> None:
    client, server = pair()
    streams = [client.open_stream() for _ in range(5)]
    assert move(client, server) == [StreamOpened(1), StreamOpened(3), StreamOpened(5), StreamOpened(7), StreamRefused()]
    assert move(server, client)[-1] == StreamReset(streams[4])
    client.reset(streams[0])
    client.open_stream()
    assert move(client, server)[-1] == StreamOpened(11)


def test_inbound_streams_are_acknowledged() -> None:
    client, server = pair()
    client.open_stream()
    move(client, server)
    assert server.data_to_send() == [frame(1, 2, 1, 0)]


def test_pings_are_answered() -> None:
    client, server = pair()
    client.ping(77)
    assert move(client, server) == []
    assert move(server, client) == [PongReceived(77)]


def test_go_away_is_told() -> None:
    client, server = pair()
    client.go_away(2)
    assert move(client, server) == [GoneAway(2)]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x01" + bytes(11), "version 1"),
        (frame(4, 0, 0, 0), "type 4"),
        (frame(1, 1, 2, 0), "stream 2"),
        (frame(1, 1, 0, 0), "stream 0"),
        (frame(1, 1, 1, 0) * 2, "stream 1"),
        (frame(0, 1, 1, INITIAL_WINDOW + 1), "beyond the credit"),
        (frame(0, 0, 9, MAX_WINDOW + 1), "beyond the credit"),
        (frame(1, 1, 1, 0) + frame(0, 0, 1, INITIAL_WINDOW, bytes(INITIAL_WINDOW)) + frame(0, 0, 1, 1), "beyond"),
        (frame(2, 1, 0, 1) * (MAX_CONTROL_BACKLOG // 12 + 2), "reads none of the answers"),
    ],
)
def test_each_broken_rule_ends_the_session(data: bytes, why: str) -> None:
    _, server = pair()
    with pytest.raises(RemoteProtocolError, match=why):
        server.receive(data)


def test_oversized_frames_are_refused_by_their_header_alone() -> None:
    _, server = pair()
    with pytest.raises(RemoteProtocolError, match="beyond the credit"):
        server.receive(frame(0, 1, 1, 1 << 31))


@given(st.binary(max_size=200))
def test_random_bytes_raise_nothing_else(data: bytes) -> None:
    _, server = pair()
    try:
        server.receive(data)
    except RemoteProtocolError:
        return


@given(st.lists(st.tuples(st.integers(0, 3), st.binary(max_size=40_000)), max_size=12), st.integers(1, 50_000))
def test_interleaved_streams_keep_their_bytes(writes: list[tuple[int, bytes]], step: int) -> None:
    client, server = pair()
    streams = [client.open_stream() for _ in range(4)]
    expected = {stream: bytearray() for stream in streams}
    for which, data in writes:
        view = memoryview(data)
        while view and (taken := client.send(streams[which], view)):
            expected[streams[which]] += view[:taken]
            view = view[taken:]
    got = {stream: bytearray() for stream in streams}
    for event in move(client, server, step):
        if isinstance(event, DataReceived):
            got[event.stream] += event.data
    assert got == expected
