"""The rules of a channel end: frames, open requests, limits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import Busy, DeadlineExceeded, LocalProtocolError, NotFound, RemoteProtocolError, WorkerLost
from workers.channels import core as module
from workers.channels.core import HEADER, Asked, Core, Kind, Outcome, Told, unwrap
from workers.messages import Message, Note, decode_message, encode_message, failure_of
from workers.messages.base import Done
from workers.messages.control import LogLine, Ping, Pong, Stop


def taken(core: Core) -> bytes:
    """All bytes that the core wants to send, as if the socket took them."""
    data = b"".join(bytes(item.data) for item in core.outbox)
    while core.outbox:
        core.sent(len(core.outbox[0].data))
    return data


def pair() -> tuple[Core, Core]:
    return Core("far"), Core("near")


def test_a_request_is_answered_under_its_id() -> None:
    near, far = pair()
    outcomes: list[Outcome] = []
    near.request(Ping(), 0.0, 5.0, outcomes.append)
    [asked] = far.receive(taken(near))
    assert isinstance(asked, Asked)
    assert asked.request == Ping()
    far.reply(asked.id, Pong(1.5))
    assert near.receive(taken(far)) == []
    assert outcomes == [Pong(1.5)]
    assert near.open_requests == 0
    assert near.next_deadline() is None


@given(st.lists(st.binary(max_size=300), max_size=6), st.lists(st.integers(1, 40), min_size=1, max_size=8))
def test_frames_survive_any_cut(details: list[bytes], sizes: list[int]) -> None:
    near, far = pair()
    notes: list[Note] = [LogLine(1.0, "info", "x", raw.hex()) for raw in details]
    for note in notes:
        near.note(note)
    data, received, turn = taken(near), [], 0
    while data:
        size = sizes[turn % len(sizes)]
        received += far.receive(data[:size])
        data, turn = data[size:], turn + 1
    assert received == [Told(note) for note in notes]


def test_late_answer_is_dropped_and_counted() -> None:
    near, far = pair()
    outcomes: list[Outcome] = []
    near.request(Ping(), 10.0, 2.0, outcomes.append)
    assert near.next_deadline() == 12.0
    near.expire(11.9)
    assert outcomes == []
    near.expire(12.0)
    [error] = outcomes
    assert isinstance(error, DeadlineExceeded)
    assert str(error) == "far did not answer Ping within 2 s"
    [asked] = far.receive(taken(near))
    assert isinstance(asked, Asked)
    far.reply(asked.id, Pong(0))
    near.receive(taken(far))
    assert len(outcomes) == 1
    assert near.late == 1


def test_abandoned_request_is_never_settled() -> None:
    near, _ = pair()
    outcomes: list[Outcome] = []
    ident = near.request(Ping(), 0.0, 1.0, outcomes.append)
    near.abandon(ident)
    near.expire(5.0)
    near.lose()
    assert outcomes == []


def test_loss_fails_every_open_request_at_once() -> None:
    near, _ = pair()
    outcomes: list[Outcome] = []
    near.request(Ping(), 0.0, 1.0, outcomes.append)
    near.request(Ping(), 0.0, 9.0, outcomes.append)
    near.lose()
    assert [type(outcome) for outcome in outcomes] == [WorkerLost, WorkerLost]
    with pytest.raises(WorkerLost, match="far is gone"):
        near.note(Stop())
    near.reply(1, Done())
    assert not near.outbox


def test_a_full_outbox_is_busy_at_its_edge() -> None:
    core = Core("far", max_frames=2)
    core.note(Stop())
    core.note(Stop())
    with pytest.raises(Busy, match=r"channel to far is full \(2 messages wait\)"):
        core.note(Stop())
    core.reply(1, Done())
    assert len(core.outbox) == 3
    taken(core)
    core.note(Stop())
    assert core.outbox_bytes == len(core.outbox[0].data)


def test_bytes_bound_the_outbox_but_one_large_message_passes() -> None:
    core = Core("far", max_bytes=100)
    core.note(LogLine(0.0, "info", "x", "y" * 500))
    with pytest.raises(Busy):
        core.note(Stop())


def test_given_up_requests_count_until_they_are_answered() -> None:
    near, far = Core("far", max_open=2), Core("near")
    for _ in range(2):
        near.request(Ping(), 0.0, 1.0, lambda _: None)
    near.expire(1.0)
    with pytest.raises(Busy, match="2 unanswered requests"):
        near.request(Ping(), 0.0, 1.0, lambda _: None)
    for asked in far.receive(taken(near)):
        assert isinstance(asked, Asked)
        far.reply(asked.id, Pong(0))
    near.receive(taken(far))
    near.request(Ping(), 0.0, 1.0, lambda _: None)


def frame(kind: int, ident: int, body: bytes) -> bytes:
    return HEADER.pack(len(body), kind, ident) + body


def test_unreadable_request_is_answered_with_a_failure() -> None:
    core = Core("far")
    assert core.receive(frame(Kind.REQUEST, 7, b"\xc1") + frame(Kind.REQUEST, 8, encode_message(Stop()))) == []
    answers = [decode_message(bytes(item.data)[HEADER.size :]) for item in core.outbox]
    assert [getattr(answer, "kind", None) for answer in answers] == ["DecodeError", "DecodeError"]
    assert core.unreadable == 2


def test_unreadable_note_is_counted_and_the_next_one_read() -> None:
    core = Core("far")
    good = encode_message(Stop(2.0))
    assert core.receive(frame(Kind.NOTE, 0, b"") + frame(Kind.NOTE, 0, good)) == [Told(Stop(2.0))]
    assert core.unreadable == 1


def test_unreadable_answer_fails_its_request() -> None:
    core = Core("far")
    outcomes: list[Outcome] = []
    ident = core.request(Ping(), 0.0, 1.0, outcomes.append)
    core.receive(frame(Kind.REPLY, ident, b"\xff\xff"))
    with pytest.raises(Exception, match="not a message"):
        unwrap(outcomes[0])


@pytest.mark.parametrize(
    "data",
    [
        frame(9, 0, b""),
        HEADER.pack(module.MAX_MESSAGE + 1, Kind.NOTE, 0),
        frame(Kind.PARCEL, 0, encode_message(Ping())),
    ],
)
def test_bytes_that_are_no_frames_end_the_channel(data: bytes) -> None:
    with pytest.raises(RemoteProtocolError, match="far"):
        Core("far").receive(data)


def test_message_limit_at_its_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    size = len(encode_message(Stop()))
    monkeypatch.setattr(module, "MAX_MESSAGE", size)
    core = Core("far")
    core.note(Stop())
    monkeypatch.setattr(module, "MAX_MESSAGE", size - 1)
    with pytest.raises(LocalProtocolError, match=f"{size} bytes to far"):
        core.note(Stop())


def test_too_large_an_answer_becomes_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_MESSAGE", 200)
    core = Core("far")
    core.reply(3, failure_of(NotFound("x" * 500)))
    answer = decode_message(bytes(core.outbox[0].data)[HEADER.size :])
    with pytest.raises(LocalProtocolError, match="over the limit of 200"):
        unwrap(answer)


def test_partial_write_keeps_the_rest() -> None:
    core = Core("far")
    core.note(Stop(1.0))
    whole = bytes(core.outbox[0].data)
    core.sent(5)
    assert core.outbox_bytes == len(whole) - 5
    assert taken(core) == whole[5:]
    assert core.outbox_bytes == 0


def test_unwrap_raises_what_the_other_side_raised() -> None:
    answer: Message = failure_of(NotFound("no such row"))
    with pytest.raises(NotFound, match="no such row"):
        unwrap(answer)
    assert unwrap(Done()) == Done()
