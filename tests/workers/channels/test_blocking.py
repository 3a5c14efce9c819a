"""The blocking hub over real socket pairs."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import Future
from typing import Any

import pytest

from node.errors import DeadlineExceeded, NotFound, WorkerError, WorkerLost
from node.primitives import ContextId
from tests.workers.channels.far_end import far_end
from workers.channels.blocking import Hub
from workers.channels.link import socket_pair
from workers.channels.peers import ignore, refuse
from workers.messages import Message, Note, Request
from workers.messages.control import Attach, ListWorkers, LogLine, Ping, Pong, Stop
from workers.messages.runtime import GetHeads


def refuse_all(_: str, request: Request[Any]) -> Message:
    return refuse(request)


def one_channel(sock: socket.socket, name: str = "far", **options: Any) -> Hub:
    hub = Hub(refuse_all, ignore, **options)
    hub.attach(name, sock)
    return hub


def test_request_from_the_hubs_own_thread() -> None:
    near, far = socket_pair()
    with far_end(far):
        hub = one_channel(near)
        assert hub.request("far", Ping()) == Pong(0.5)
        with pytest.raises(NotFound, match="GetHeads of the far end"):
            hub.request("far", GetHeads(ContextId(bytes(32))))
        hub.close()


def test_an_operation_that_is_not_served_is_named() -> None:
    near, far = socket_pair()
    with far_end(far, refuse_all):
        hub = one_channel(near)
        with pytest.raises(WorkerError, match="Ping is not served here"):
            hub.request("far", Ping())
        hub.close()


def test_both_sides_write_more_than_the_sockets_hold() -> None:
    big = "x" * 2_000_000
    near, far = socket_pair()

    def chatty(_: str, request: Request[Any]) -> Message:
        return LogLine(0.0, "info", "echo", big)

    with far_end(far, chatty) as notes:
        hub = one_channel(near)
        sizes: list[int] = []

        def done(outcome: Any) -> None:
            sizes.append(len(outcome.text))
            if len(sizes) == 10:
                hub.stop()

        for _ in range(10):
            hub.send("far", ListWorkers(), done, timeout=10)
            assert hub.note("far", LogLine(0.0, "info", "near", big))
        hub.run()
        hub.request("far", Ping())  # handled after every note before it
        hub.close()
    assert sizes == [len(big)] * 10
    assert len(notes) == 10


def test_requests_that_come_while_a_handler_waits_are_handled_afterwards() -> None:
    """The far end asks us, our handler asks it back, and it asks again before it answers."""
    near, far = socket_pair()
    order: list[str] = []
    hub: Hub

    def nested(peer: str, request: Request[Any]) -> Message:
        order.append("begin")
        hub.request(peer, ListWorkers())
        order.append("end")
        if order.count("end") == 2:
            hub.stop()
        return Pong(0)

    hub = Hub(nested, ignore)
    hub.attach("far", near)
    far_hub = Hub(lambda *_: LogLine(0.0, "", "", ""), ignore)
    far_hub.attach("near", far)
    answers: list[Any] = []

    def answered(outcome: Any) -> None:
        answers.append(outcome)
        if len(answers) == 2:
            far_hub.stop()

    for _ in range(2):
        far_hub.send("near", Ping(), answered, timeout=5)
    thread = threading.Thread(target=far_hub.run)
    thread.start()
    hub.run()
    hub.flush(5)
    thread.join()
    hub.close()
    far_hub.close()
    assert order == ["begin", "end", "begin", "end"]
    assert answers == [Pong(0), Pong(0)]


def test_a_future_is_answered_when_another_thread_completes_it() -> None:
    near, far = socket_pair()
    threads: list[threading.Thread] = []

    def deferred(_: str, request: Request[Any]) -> Future[Message]:
        future: Future[Message] = Future()
        action = (
            (lambda: future.set_result(Pong(3)))
            if isinstance(request, Ping)
            else (lambda: future.set_exception(NotFound("later")))
        )
        threads.append(threading.Thread(target=action))
        threads[-1].start()
        return future

    with far_end(far, deferred):  # type: ignore[arg-type]
        hub = one_channel(near)
        assert hub.request("far", Ping()) == Pong(3)
        with pytest.raises(NotFound, match="later"):
            hub.request("far", ListWorkers())
        hub.close()
    for thread in threads:
        thread.join()


def test_deadline_gap_and_loss() -> None:
    near, far = socket_pair()
    lost: list[str] = []
    hub = one_channel(near, on_lost=lambda name, _: lost.append(name))
    with pytest.raises(DeadlineExceeded, match="far did not answer Ping"):
        hub.request("far", Ping(), timeout=0.05)
    far.close()
    with pytest.raises(WorkerLost, match="went away while it held Ping"):
        hub.request("far", Ping())
    assert not hub.note("far", Stop())
    with pytest.raises(WorkerLost, match="far is not running"):
        hub.request("far", Ping(), gap=0.02)
    hub.call_later(0.01, hub.stop)
    hub.run()
    assert lost == ["far"]
    hub.close()


def test_a_new_channel_ends_the_gap() -> None:
    near, far = socket_pair()
    hub = one_channel(near)
    far.close()
    with pytest.raises(WorkerLost):
        hub.request("far", Ping())
    near, far = socket_pair()
    with far_end(far):
        threading.Timer(0.02, lambda: hub.call_soon(lambda: hub.attach("far", near))).start()
        assert hub.request("far", Ping()) == Pong(0.5)
        hub.close()


def test_what_was_said_before_the_end_is_still_handled() -> None:
    near, far = socket_pair()
    seen: list[Note] = []
    hub = Hub(refuse_all, lambda _, note: seen.append(note))
    hub.attach("far", near)
    other = one_channel(far, "near")
    for number in range(5):
        assert other.note("near", Stop(float(number)))
    other.close()
    hub.call_later(0.05, hub.stop)
    hub.run()
    assert [note.grace for note in seen if isinstance(note, Stop)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    hub.close()


def test_a_busy_peer_does_not_starve_another() -> None:
    order: list[str] = []
    hub = Hub(refuse_all, lambda peer, _: order.append(peer))
    busy_near, busy_far = socket_pair()
    calm_near, calm_far = socket_pair()
    hub.attach("busy", busy_near)
    hub.attach("calm", calm_near)
    busy, calm = one_channel(busy_far, "hub"), one_channel(calm_far, "hub")
    for _ in range(100):
        busy.note("hub", Stop())
    calm.note("hub", Stop())
    hub.call_later(0.1, hub.stop)
    hub.run()
    assert order.index("calm") <= 1
    assert len(order) == 101
    for item in (hub, busy, calm):
        item.close()


def test_descriptors_travel_with_their_notes_in_order() -> None:
    near, far = socket_pair()
    given: list[tuple[str, socket.socket]] = []
    hub = Hub(refuse_all, ignore, on_parcel=lambda _, note, sock: given.append((note.peer, sock)))  # type: ignore[attr-defined]
    hub.attach("supervisor", near, parcels=True)
    sender = one_channel(far, "worker")
    kept = []
    for name in ("sync", "network"):
        mine, theirs = socket_pair()
        kept.append(mine)
        assert sender.note("worker", LogLine(0.0, "info", "x", "before"))
        assert sender.note("worker", Attach(name), theirs)
        assert theirs.fileno() == -1
    hub.call_later(0.05, hub.stop)
    hub.run()
    assert [name for name, _ in given] == ["sync", "network"]
    for mine, (name, theirs) in zip(kept, given, strict=True):
        theirs.send(name.encode())
        assert mine.recv(100) == name.encode()
        mine.close()
        theirs.close()
    hub.close()
    sender.close()


def test_timers_run_in_order_of_time() -> None:
    hub = Hub(refuse_all, ignore)
    order: list[str] = []
    hub.call_later(0.02, lambda: (order.append("late"), hub.stop()))  # type: ignore[func-returns-value]
    hub.call_later(0.01, lambda: order.append("early"))
    hub.call_soon(lambda: order.append("soon"))
    hub.run()
    assert order == ["soon", "early", "late"]
    hub.close()
