"""The life line of a worker to its supervisor, and what a process loads before it does its own work."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from node.errors import CalimeroError, WorkerError
from workers.channels.blocking import Hub
from workers.channels.link import socket_pair
from workers.channels.peers import refuse
from workers.messages import Message, Note, Request
from workers.messages.control import Attach, ListWorkers, Ping, Pong, Ready, Stop, WorkerList
from workers.messages.network import ListPeers
from workers.start import Control

HEAVY = ("asyncio", "libp2p", "psutil", "rocksdict", "starlette", "textual", "tomlkit", "trio", "uvicorn", "wasmtime")


class Supervisor:
    """The other end of the life line, in a thread."""

    def __init__(self, hub: Hub, notes: list[Note], told: threading.Event) -> None:
        self.hub, self.notes, self.told = hub, notes, told

    def ask(self, operation: Request[Any]) -> Any:
        done = threading.Event()
        outcomes: list[Any] = []

        def settle(outcome: Any) -> None:
            outcomes.append(outcome)
            done.set()

        self.hub.call_soon(lambda: self.hub.send("worker", operation, settle, timeout=5))
        assert done.wait(5)
        return outcomes[0]

    def tell(self, note: Note, descriptor: Any = None) -> None:
        def send() -> None:
            self.hub.note("worker", note, descriptor)

        self.hub.call_soon(send)


@contextmanager
def life_line() -> Iterator[tuple[Control, Supervisor]]:
    ours, theirs = socket_pair()
    notes: list[Note] = []
    told = threading.Event()

    def on_request(_: str, request: Request[Any]) -> Message:
        return WorkerList([]) if isinstance(request, ListWorkers) else refuse(request)

    def on_note(_: str, note: Note) -> None:
        notes.append(note)
        told.set()

    hub = Hub(on_request, on_note)
    hub.attach("worker", ours)
    thread = threading.Thread(target=hub.run)
    thread.start()
    control = Control(theirs)
    control.start()
    try:
        yield control, Supervisor(hub, notes, told)
    finally:
        control.finish()
        hub.stop()
        thread.join()
        hub.close()


def test_ready_requests_and_pings() -> None:
    with life_line() as (control, supervisor):
        control.ready({"listen": ["http://x"]})
        assert supervisor.told.wait(5)
        [ready] = supervisor.notes
        assert isinstance(ready, Ready)
        assert json.loads(ready.details) == {"listen": ["http://x"]}
        assert control.request(ListWorkers()).result(5) == WorkerList([])
        with pytest.raises(WorkerError, match="ListPeers is not served here"):
            control.request(ListPeers()).result(5)
        control.beat()
        pong = supervisor.ask(Ping())
        assert isinstance(pong, Pong)
        assert 0 <= pong.age < 5


def test_what_comes_before_the_loop_is_kept_for_it() -> None:
    with life_line() as (control, supervisor):
        mine, theirs = socket_pair()
        supervisor.tell(Attach("runtime", 1), theirs)
        supervisor.tell(Stop(2.5))
        supervisor.ask(Ping())
        attached: list[Any] = []
        stopped: list[float] = []
        control.connect(lambda name, sock: attached.append((name, sock)), stopped.append)
        [(name, sock)] = attached
        assert name == "runtime[1]"
        assert stopped == [2.5]
        mine.send(b"hello")
        assert sock.recv(10) == b"hello"
        supervisor.tell(Stop(1.0))
        supervisor.ask(Ping())
        assert stopped == [2.5, 1.0]
        mine.close()
        sock.close()


def test_an_answer_that_nobody_waits_for_harms_nothing() -> None:
    """As when a loop ends while it asks: the future is cancelled, and the channel closes with the answer still open."""
    mine, theirs = socket_pair()
    control = Control(theirs)
    control.start()
    cancelled, kept = control.request(Ping()), control.request(Ping())
    assert cancelled.cancel()
    control.finish()
    assert isinstance(kept.exception(5), CalimeroError)
    mine.close()


@pytest.mark.parametrize(
    ("module", "allowed"),
    [
        ("workers.supervisor.command", ()),
        ("workers.start", ()),
        ("workers.run_blocking", ()),
        ("workers.run_asyncio", ("asyncio",)),
        ("calimero_tui.commands.node", ()),
    ],
)
def test_a_process_loads_only_its_own_part(module: str, allowed: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*sorted(set({HEAVY!r}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(loaded) <= set(allowed)
