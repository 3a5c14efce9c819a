"""The demo as a user runs it: real nodes, real processes, from the command to the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

NODES = 3
LIMIT = 90.0

pytestmark = pytest.mark.timeout(LIMIT + 30)


@contextmanager
def _demo(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A running demo in its own process group; whatever the test does, nothing of it is left behind."""
    command = [sys.executable, "-c", "import sys; from calimero_tui.cli import main; sys.exit(main(sys.argv[1:]))"]
    process = subprocess.Popen(
        [*command, "demo", "--json", "--keep", str(home)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        yield process
    finally:
        for child in [*psutil.Process(process.pid).children(recursive=True)] if process.poll() is None else []:
            child.kill()
        process.kill()
        process.wait()


def _result(process: subprocess.Popen[str]) -> dict[str, Any]:
    out, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 0, f"{out}{err}"
    found: dict[str, Any] = json.loads(out)
    return found


def _assert_converged(found: dict[str, Any]) -> None:
    assert found["nodes"] == NODES
    assert found["converged"] is True
    assert len(found["root_hash"]) >= 32
    assert found["calls"] >= 300


def _until(condition: Any, what: str) -> Any:
    deadline = time.monotonic() + LIMIT
    while not (found := condition()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        time.sleep(0.05)  # a look at the real processes, not a guess at how long they take
    return found


def _worker(home: Path, node: int, name: str) -> int:
    try:
        row = json.loads((home / f"node{node}" / "node.lock").read_text())
    except (OSError, ValueError):
        return 0
    return int(row.get("details", {}).get("workers", {}).get(name, {}).get("pid", 0))


def test_three_nodes_agree_and_a_kept_demo_goes_on(tmp_path: Path) -> None:
    with _demo(tmp_path / "kept") as process:
        first = _result(process)
    _assert_converged(first)
    assert first["events_received"] >= first["calls"]
    assert first["propagation_ms"]["p50"] > 0
    with _demo(tmp_path / "kept") as process:
        second = _result(process)
    _assert_converged(second)
    assert second["context_id"] == first["context_id"]
    assert second["root_hash"] != first["root_hash"]


@pytest.mark.parametrize("workers", [("runtime[0]", "network"), ("sync", "server")])
def test_killed_workers_come_back_and_the_roots_still_agree(tmp_path: Path, workers: tuple[str, ...]) -> None:
    home = tmp_path / "killed"
    with _demo(home) as process:
        _until((home / "demo.json").exists, "the context")
        for number, name in enumerate(workers, start=2):
            pid = _until(lambda n=number, w=name: _worker(home, n, w), f"the pid of {name}")
            os.kill(pid, signal.SIGKILL)
        _assert_converged(_result(process))


def test_ctrl_c_leaves_no_process_behind(tmp_path: Path) -> None:
    home = tmp_path / "stopped"
    with _demo(home) as process:
        _until(lambda: _worker(home, NODES, "server"), "the last node's server")
        children = psutil.Process(process.pid).children(recursive=True)
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT)
    assert process.returncode == 130
    assert "every node is stopped" in err
    assert len(children) > NODES
    gone, alive = psutil.wait_procs(children, timeout=5)
    assert not alive, [child.cmdline() for child in alive]
    assert len(gone) == len(children)
