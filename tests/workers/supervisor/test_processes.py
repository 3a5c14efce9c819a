"""A supervisor with real, small worker processes: start, restart, stop, and every way to end."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from node.config.identity import new_identity
from node.store.foreign import write_foreign
from workers.supervisor.lock import read_holder

IDENTITY = new_identity(bytes)
CONFIG = f"""
[identity]
peer_id = "{IDENTITY.peer_id}"
keypair = "{IDENTITY.keypair}"
[swarm]
listen = ["/ip4/127.0.0.1/tcp/0"]
[server]
listen = ["/ip4/127.0.0.1/tcp/0"]
[sync]
[datastore]
path = "data"
[blobstore]
path = "blobs"
[runtime]
workers = 2
"""
WORKERS = ["runtime[0]", "runtime[1]", "network", "sync", "server"]


class Node:
    """A running node of small workers, with its state lines."""

    def __init__(self, home: Path, *flags: str) -> None:
        self.home = home
        self._ours, theirs = socket.socketpair()
        self._ours.settimeout(15)
        self._buffer = b""
        command = [sys.executable, "-m", "tests.workers.supervisor.small", "--home", str(home)]
        self.process = subprocess.Popen(
            [*command, "--status-fd", str(theirs.fileno()), "--tethered", *flags],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        theirs.close()

    def status(self) -> dict[str, Any]:
        while b"\n" not in self._buffer:
            data = self._ours.recv(65536)
            if not data:
                raise EOFError
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        row: dict[str, Any] = json.loads(line)
        return row

    def statuses(self) -> Iterator[dict[str, Any]]:
        """What is left to read."""
        try:
            while True:
                yield self.status()
        except EOFError:
            return

    def until(self, state: str) -> dict[str, Any]:
        while (row := self.status())["state"] != state:
            assert row["state"] != "ended", row
        return row

    def pids(self) -> dict[str, int]:
        holder = read_holder(self.home)
        assert holder is not None
        return {name: int(row["pid"]) for name, row in holder.details["workers"].items()}

    def answers(self) -> list[str]:
        """What the server has written down; nothing yet right after it became ready."""
        file = self.home / "answers"
        return file.read_text().splitlines() if file.exists() else []

    def cut(self) -> None:
        self._ours.close()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str]:
        """Signal the supervisor and wait; exit code and log."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> tuple[int, str]:
        _, log = self.process.communicate(timeout=15)
        return self.process.returncode, log


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE for pid in pids)


def family(pid: int) -> list[int]:
    return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config.toml").write_text(CONFIG)
    return tmp_path


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., Node]]:
    nodes: list[Node] = []

    def make(*flags: str) -> Node:
        nodes.append(Node(home, *flags))
        return nodes[-1]

    yield make
    for node in nodes:
        node.cut()
        if node.process.poll() is None:
            node.process.kill()
        node.process.communicate()


def test_start_serve_and_stop_in_order(start: Callable[..., Node]) -> None:
    node = start()
    details = node.until("ready")["details"]["workers"]
    assert sorted(details) == sorted(WORKERS)
    everyone = family(node.process.pid)
    wait_until(lambda: any(line.startswith("list") for line in node.answers()))
    assert {line.split()[0] for line in node.answers()} == {*WORKERS, "list"} - {"server"}
    code, log = node.end(signal.SIGINT)
    assert code == 0
    assert gone(everyone)
    assert read_holder(node.home) is None
    rows = [json.loads(line) for line in log.splitlines()]
    assert {row["worker"] for row in rows if row["text"] == "serving"} == set(WORKERS)
    assert [row["worker"] for row in rows if row["text"] == "served"] in (WORKERS[:2], WORKERS[1::-1])
    assert {row["level"] for row in rows} == {"info"}


def test_a_killed_worker_comes_back_and_its_peers_reach_it(start: Callable[..., Node]) -> None:
    node = start()
    node.until("ready")
    wait_until((node.home / "answers").exists)
    for victim in ("runtime[1]", "sync"):
        before = node.pids()[victim]
        os.kill(before, signal.SIGKILL)
        wait_until(lambda old=before, name=victim: node.pids()[name] not in {0, old})  # type: ignore[misc]
        after = node.pids()[victim]
        wait_until(lambda name=victim, pid=after: f"{name} {pid}" in node.answers())  # type: ignore[misc]
    listed = [line for line in node.answers() if line.startswith("list")][-1]
    assert ":1 " in listed
    code, log = node.end()
    assert code == 0
    assert "ended by SIGKILL; it is started again in 0.1 s" in log
    assert {line.split()[1] for line in node.answers() if not line.split()[1].isdigit()} <= {
        "WorkerLost",
        *(word for word in listed.split()),
        *(line.split()[1] for line in node.answers() if line.startswith("list")),
    }


def test_a_killed_server_finds_its_peers_again(start: Callable[..., Node]) -> None:
    node = start()
    node.until("ready")
    before = node.pids()["server"]
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: node.pids()["server"] not in {0, before})
    node.until("ready")
    wait_until(lambda: len(node.answers()) > 10)
    assert not any(line.endswith("WorkerLost") for line in node.answers())
    assert node.end()[0] == 0


def test_no_worker_outlives_a_killed_supervisor(start: Callable[..., Node]) -> None:
    node = start()
    node.until("ready")
    everyone = family(node.process.pid)
    node.process.kill()
    begun = time.monotonic()
    node.process.wait()
    wait_until(lambda: gone(everyone))
    assert time.monotonic() - begun < 2.0


@pytest.mark.parametrize(
    ("delay", "number"), [(0.0, signal.SIGINT), (0.15, signal.SIGTERM), (0.3, signal.SIGINT), (0.5, signal.SIGINT)]
)
def test_an_interrupt_during_the_start_leaves_nothing(start: Callable[..., Node], delay: float, number: int) -> None:
    node = start()
    node.until("starting")
    time.sleep(delay)  # the moment of the interrupt is what is varied
    everyone = family(node.process.pid)
    code, log = node.end(number)
    assert code == 0
    assert "Traceback" not in log
    assert gone(everyone)


def test_an_interrupt_of_the_whole_terminal_group(start: Callable[..., Node]) -> None:
    node = start()
    node.until("starting")
    everyone = family(node.process.pid)
    os.killpg(node.process.pid, signal.SIGINT)
    code, log = node.ended()
    assert code == 0
    assert "Traceback" not in log
    assert gone(everyone)


def test_a_cut_tether_stops_the_node(start: Callable[..., Node]) -> None:
    node = start()
    node.until("ready")
    everyone = family(node.process.pid)
    node.cut()
    code, log = node.ended()
    assert code == 0
    assert "the program that started this node is gone" in log
    assert gone(everyone)


def test_the_directory_is_open_once(start: Callable[..., Node]) -> None:
    first = start()
    first.until("ready")
    second = start()
    row = second.status()
    code, log = second.ended()
    assert (row["state"], row["code"], code) == ("ended", 75, 75)
    assert log == (
        f"error: the node in {first.home} is already running as process {first.process.pid}; "
        "stop it with `calimero node stop`, or use another home\n"
    )
    first.process.kill()
    first.process.wait()
    third = start()
    third.until("ready")
    assert third.end()[0] == 0


@pytest.mark.parametrize(("fault", "reason"), [("exit", "sync shall fail"), ("die", "with exit code 9")])
def test_a_worker_that_cannot_start_takes_the_node_down(
    start: Callable[..., Node], home: Path, fault: str, reason: str
) -> None:
    (home / "sync.fault").write_text(fault)
    node = start()
    code, log = node.ended()
    assert code == 1
    assert "error: sync ended with exit code" in log
    assert "while it started" in log
    assert reason in log
    states = list(node.statuses())
    assert list(dict.fromkeys(row["state"] for row in states)) == ["starting", "failed", "stopping", "ended"]
    assert states[-1]["code"] == 1
    assert "sync ended" in states[-1]["error"]


def test_a_worker_that_dies_again_and_again_takes_the_node_down(start: Callable[..., Node], home: Path) -> None:
    (home / "restarts").write_text("2")
    node = start("--set", "log.filter=error")
    node.until("ready")
    last = 0

    def killed_again() -> bool:
        nonlocal last
        if node.process.poll() is not None:
            return True
        holder = read_holder(node.home)
        row = holder.details["workers"]["network"] if holder and holder.state == "ready" else {"pid": 0}
        if row["pid"] not in {0, last}:
            last = row["pid"]
            os.kill(last, signal.SIGKILL)
        return False

    wait_until(killed_again)
    code, log = node.ended()
    assert code == 1
    assert "error: network ended by SIGKILL 3 times within a minute" in log


def test_a_worker_that_does_not_stop_is_killed(start: Callable[..., Node], home: Path) -> None:
    (home / "sync.fault").write_text("never stops")
    node = start()
    node.until("ready")
    everyone = family(node.process.pid)
    begun = time.monotonic()
    code, log = node.end()
    assert code == 0
    assert "did not stop within 3 s and is killed" in log
    assert 2.5 < time.monotonic() - begun < 6
    assert gone(everyone)


def test_a_second_interrupt_does_not_wait(start: Callable[..., Node], home: Path) -> None:
    (home / "sync.fault").write_text("never stops")
    node = start()
    node.until("ready")
    everyone = family(node.process.pid)
    node.process.send_signal(signal.SIGINT)
    node.until("stopping")
    begun = time.monotonic()
    code, _ = node.end(signal.SIGINT)
    assert code == 0
    assert time.monotonic() - begun < 1.5
    assert gone(everyone)


def test_a_port_in_use_is_named_before_anything_starts(start: Callable[..., Node]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        node = start("--set", f"server.listen=/ip4/127.0.0.1/tcp/{port}")
        row = node.status()
        code, log = node.ended()
    assert (row["state"], code) == ("ended", 78)
    assert f"error: server.listen: tcp port {port} on 127.0.0.1 cannot be used: Address already in use" in log


def test_a_merod_database_is_named_with_the_import_before_anything_starts(
    start: Callable[..., Node], home: Path
) -> None:
    write_foreign(home / "data", [])
    before = {path: path.read_bytes() for path in (home / "data").iterdir()}
    node = start()
    code, log = node.ended()
    assert [(row["state"], row.get("code")) for row in node.statuses()] == [("ended", 75)]
    assert code == 75
    assert f"error: {home / 'data'} is the database of another program" in log
    assert f"`calimero node import {home}`" in log
    assert {path: path.read_bytes() for path in (home / "data").iterdir()} == before


def test_a_file_without_a_key_gets_one_for_this_start(start: Callable[..., Node], home: Path) -> None:
    (home / "config.toml").write_text(CONFIG[CONFIG.index("[swarm]") :])
    node = start()
    node.until("ready")
    _, log = node.end()
    assert "this node gets a new peer id at every start" in log


def test_a_typo_is_named_and_a_wrong_value_stops(start: Callable[..., Node], home: Path) -> None:
    (home / "config.toml").write_text(CONFIG.replace("[sync]", "[sync]\nintervall_ms = 1\n"))
    node = start()
    node.until("ready")
    _, log = node.end()
    assert "unknown key sync.intervall_ms; did you mean sync.interval_ms?" in log
    code, log = start("--set", "sync.interval_ms=5").ended()
    assert code == 78
    assert "sync.interval_ms is 5; it must be from 100 to 3600000 ms" in log
