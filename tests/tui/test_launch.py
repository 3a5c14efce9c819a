"""``calimero node``: init, start, status, stop, config, with real processes of small workers."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import psutil
import pytest

from calimero_tui import launch
from calimero_tui.cli import main
from node.errors import ConfigError, WorkerError
from workers.supervisor.lock import NodeLock, NodeRunning, read_holder

SMALL = "tests.workers.supervisor.small"
INIT = ["--server-port", "0", "--swarm-port", "0", "--boot-network", "none", "--server-host", "127.0.0.1"]
Cli = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(word: str, *options: str) -> tuple[int, str, str]:
        code = main(["node", word, "--home", str(tmp_path), "--node", "a", *options])
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Path]:
    """A made node whose processes are small workers; whatever runs at the end is ended."""

    def command(path: Path, flags: Mapping[str, str], *extra: str) -> list[str]:
        sets = [word for key, value in flags.items() for word in ("--set", f"{key}={value}")]
        return [sys.executable, "-m", SMALL, "--home", str(path), *sets, *extra]

    monkeypatch.setattr(launch, "supervisor_command", command)
    launch.init_node(
        tmp_path / "a", {"swarm_port": 0, "server_port": 0, "boot_network": "none", "server_hosts": ("127.0.0.1",)}
    )
    yield tmp_path / "a"
    if (holder := read_holder(tmp_path / "a")) is not None and holder.pid:
        os.kill(holder.pid, signal.SIGKILL)


def test_init_has_merods_options_and_says_what_it_made(cli: Cli, tmp_path: Path) -> None:
    code, out, err = cli("init", *INIT, "--mode", "read-only", "--no-mdns", "--registry", "--json")
    made = json.loads(out)
    assert (code, err, made["created"], made["path"]) == (0, "", True, str(tmp_path / "a"))
    code, out, _ = cli("config", "--json")
    values = json.loads(out)
    assert values["mode"] == "readonly"
    assert values["registry"] == {"enabled": True, "listen": "/ip4/127.0.0.1/tcp/2628"}
    assert values["context"]["config"]["signer"]["relayer"]["url"] == "http://127.0.0.1:2628"
    assert values["identity"] == {"peer_id": made["peer_id"], "keypair": "…"}


def test_a_second_init_warns_and_changes_nothing(cli: Cli, tmp_path: Path) -> None:
    cli("init", *INIT)
    before = (tmp_path / "a" / "config.toml").read_bytes()
    code, _, err = cli("init", *INIT)
    assert code == 0
    assert err == f"warning: Node is already initialized in {tmp_path / 'a'}\n"
    assert (tmp_path / "a" / "config.toml").read_bytes() == before


@pytest.mark.parametrize(
    ("word", "options", "code", "text"),
    [
        ("init", ["--server-port", "2428", "--server-host", "0.0.0.0"], 78, "both use tcp port 2428"),
        ("init", ["--swarm-host", "here"], 78, "--swarm-host: 'here' is no IP address"),
        ("init", ["--registry", "/ip4/127.0.0.1/tcp/0"], 78, "choose a port"),
        ("start", ["--detach"], 78, "Node is not initialized in"),
        ("status", [], 78, "make it with `calimero node init`"),
        ("stop", [], 78, "Node is not initialized in"),
        ("config", [], 78, "Node is not initialized in"),
    ],
)
def test_a_mistake_is_named_and_leaves_nothing(
    cli: Cli, tmp_path: Path, word: str, options: list[str], code: int, text: str
) -> None:
    got, out, err = cli(word, *options)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")
    assert text in err
    assert list(tmp_path.iterdir()) == []


def test_config_shows_changes_and_refuses(cli: Cli) -> None:
    cli("init", *INIT)
    code, _, err = cli("config", "sync.interval_ms=6000", "runtime.workers=2")
    assert code == 0
    assert "a running node uses it from its next start" in err
    code, out, _ = cli("config")
    assert ["sync.interval_ms", "6000"] in [line.split() for line in out.splitlines()]
    code, out, err = cli("config", "sync.intervall_ms=1")
    assert (code, out) == (78, "")
    assert "did you mean sync.interval_ms?" in err


def test_environment_is_over_the_file(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    cli("init", *INIT)
    monkeypatch.setenv("CALIMERO_SYNC__INTERVAL_MS", "900")
    monkeypatch.setenv("CALIMERO_SYNCH__INTERVAL_MS", "900")
    _, out, err = cli("config", "--json")
    assert json.loads(out)["sync"]["interval_ms"] == 900
    assert "warning: environment variable CALIMERO_SYNCH__INTERVAL_MS is not used" in err


def test_detached_life(cli: Cli, small: Path) -> None:
    code, out, _ = cli("start", "--detach", "--json", "--set", "runtime.workers=2")
    started: dict[str, Any] = json.loads(out)
    assert (code, started["running"], started["state"]) == (0, True, "ready")
    assert [row["name"] for row in started["workers"]] == ["runtime[0]", "runtime[1]", "network", "sync", "server"]
    everyone = [started["pid"], *(row["pid"] for row in started["workers"])]
    assert all(psutil.pid_exists(pid) for pid in everyone)
    code, _, err = cli("start", "--detach")
    assert code == 75
    assert f"already running as process {started['pid']}" in err
    assert json.loads(cli("status", "--json")[1])["pid"] == started["pid"]
    code, out, err = cli("stop", "--json")
    assert (code, json.loads(out)["stopped"]) == (0, True)
    assert f"stopping process {started['pid']}" in err
    assert not any(_runs(pid) for pid in everyone)
    assert cli("status")[0] == 3
    assert json.loads(cli("stop", "--json")[1])["stopped"] is False
    assert (small / "node.log").stat().st_mode & 0o077 == 0


def _runs(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_a_start_that_fails_says_why_and_leaves_no_process(small: Path) -> None:
    with pytest.raises(ConfigError, match=r"sync\.interval_ms is 5"):
        launch.start_detached(small, {"sync.interval_ms": "5"})
    (small / "sync.fault").write_text("exit")
    with pytest.raises(WorkerError, match="while it started: sync failed: sync shall fail"):
        launch.start_detached(small, {})
    assert read_holder(small) is None


def test_a_holder_that_cannot_be_stopped_is_named(small: Path) -> None:
    with NodeLock(small).acquire(), pytest.raises(WorkerError, match="does not say who it is"):
        launch.stop_node(small)


def test_a_running_node_is_not_made_anew(cli: Cli, small: Path) -> None:
    with NodeLock(small).acquire():
        code, _, err = cli("init", "--force")
        assert code == 75
        assert "is already running" in err
        with pytest.raises(NodeRunning):
            launch.init_node(small, {}, force=True)
    assert (small / "config.toml").exists()


def test_the_real_command_line_ignores_the_folder_it_is_called_in() -> None:
    command = launch.supervisor_command(Path("/x"), {"sync.interval_ms": "1000"}, "--tethered")
    assert command[:4] == [sys.executable, "-P", "-m", "workers.supervisor"]
    assert command[4:] == ["--home", "/x", "--set", "sync.interval_ms=1000", "--tethered"]
    assert str(Path(launch.__file__).parents[1]) in launch.supervisor_environment()["PYTHONPATH"].split(os.pathsep)
