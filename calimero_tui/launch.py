"""The one place of the surface that starts, stops and sets up nodes; everything else talks to them over their API.

A node is a process ``python -m workers.supervisor``. It is named by the directory that it lives in.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn

from node.errors import ConfigError, Refused, WorkerError
from workers.home import node_directory, read_config
from workers.supervisor.lock import Holder, NodeRunning, read_holder

__all__ = [
    "DEFAULT_NAME",
    "backup_registry",
    "bundle",
    "change_config",
    "default_home",
    "exec_node",
    "export_merod",
    "import_merod",
    "init_node",
    "inspect_module",
    "node_directory",
    "node_status",
    "restore_registry",
    "settings",
    "start_detached",
    "stop_node",
    "supervisor_command",
    "supervisor_environment",
]

DEFAULT_NAME: Final = "default"
LOG_FILE: Final = "node.log"
MAX_LOG: Final = 64 * 1024 * 1024
"""Bytes of a detached node's log; a larger one is put aside at the next start, and the one before it is dropped."""

START_TIMEOUT: Final = 90.0
STOP_TIMEOUT: Final = 30.0
"""Seconds; an ordered stop takes at most four stages of three seconds."""

EXIT_TIMEOUT: Final = 3.0
POLL: Final = 0.05
EXIT_CONFIG: Final = 78
EXIT_RUNNING: Final = 75


def default_home() -> Path:
    """The folder of all nodes: ``CALIMERO_HOME``, or ``.calimero`` in the user's home."""
    return Path(os.environ.get("CALIMERO_HOME") or "~/.calimero").expanduser()


# -- setting up


def init_node(path: Path, choices: Mapping[str, Any], *, force: bool = False) -> dict[str, Any]:
    """Make a node with merod's defaults and the given ``choices`` (fields of ``InitOptions``).

    Answers ``{path, peer_id, created}``; an existing node is left as it is. Raises ``ConfigError``, ``NodeRunning``.
    """
    from workers.setup import InitOptions, init

    made = init(path, InitOptions(**choices), force=force)
    return {"path": str(made.path), "peer_id": made.peer_id, "created": made.created}


def change_config(path: Path, assignments: Sequence[str]) -> None:
    """Apply ``KEY=VALUE`` settings to the file, all or none; a running node uses them from its next start."""
    from workers.setup import change_config as change

    change(path, assignments)


def settings(path: Path, flags: Mapping[str, str] | None = None) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The settings in force (file, environment, flags) as JSON values without secrets, and warnings about the file."""
    from workers.setup import shown

    return shown(read_config(path, flags or {}, os.environ))


# -- starting


def supervisor_command(path: Path, flags: Mapping[str, str], *extra: str) -> list[str]:
    """The command line of a node's process. ``-P``: a folder of the user must not stand in for our packages."""
    command = [sys.executable, "-P", "-m", "workers.supervisor", "--home", str(path)]
    for key, value in flags.items():
        command += ["--set", f"{key}={value}"]
    return [*command, *extra]


def supervisor_environment() -> dict[str, str]:
    """The environment of a node's process: it finds the same packages as this one, from a checkout too."""
    root = Path(__file__).resolve().parents[1]
    environment = dict(os.environ)
    if "site-packages" not in root.parts:
        known = environment.get("PYTHONPATH")
        environment["PYTHONPATH"] = f"{root}{os.pathsep}{known}" if known else str(root)
    return environment


def exec_node(path: Path, flags: Mapping[str, str]) -> NoReturn:
    """Become the node's process: it runs in the foreground until Ctrl-C."""
    command = supervisor_command(path, flags)
    os.execve(command[0], command, supervisor_environment())  # noqa: S606 - our own interpreter and module


@dataclass(frozen=True, slots=True)
class Started:
    """A node that runs on without us. ``details`` as in :func:`node_status`."""

    pid: int
    log: Path
    details: Mapping[str, Any]


_started: Final[list[subprocess.Popen[bytes]]] = []
"""Nodes that run on; kept so that the system can tell us of their end while this process lives."""


def start_detached(path: Path, flags: Mapping[str, str]) -> Started:
    """Start a node in the background and wait until it is ready; its log goes to ``node.log``.

    Raises :class:`ConfigError`, :class:`NodeRunning` or :class:`WorkerError` with the reason if it does not start;
    then nothing is left running.
    """
    if not path.is_dir():
        raise ConfigError(f"Node is not initialized in {path}; make it with `calimero node init`")
    log = _log_file(path)
    ours, theirs = socket.socketpair()
    with theirs, log.open("ab") as sink:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            supervisor_command(path, flags, "--status-fd", str(theirs.fileno())),
            stdin=subprocess.DEVNULL, stdout=sink, stderr=sink, pass_fds=[theirs.fileno()],
            start_new_session=True, env=supervisor_environment(),
        )  # fmt: skip
    try:
        with ours:
            details = _await_ready(ours, START_TIMEOUT, log)
    except BaseException:
        _end(process)
        raise
    _started.append(process)
    return Started(process.pid, log, details)


def _log_file(path: Path) -> Path:
    log = path / LOG_FILE
    if log.exists() and log.stat().st_size > MAX_LOG:
        log.replace(path / f"{LOG_FILE}.1")
    log.touch(mode=0o600)
    return log


def _await_ready(status: socket.socket, seconds: float, log: Path) -> Mapping[str, Any]:
    status.settimeout(seconds)
    try:
        with status.makefile("r", encoding="utf-8") as lines:
            for line in lines:
                row = json.loads(line)
                if row["state"] == "ready":
                    details: Mapping[str, Any] = row["details"]
                    return details
                if row["state"] == "ended":
                    raise _start_error(row["code"], row["error"])
    except TimeoutError as error:
        raise WorkerError(f"the node was not ready after {seconds:.0f} s; its log is {log}") from error
    raise WorkerError(f"the node ended while it started; its log is {log}")


def _start_error(code: int, text: str) -> Exception:
    return {EXIT_CONFIG: ConfigError, EXIT_RUNNING: NodeRunning}.get(code, WorkerError)(text or f"exit code {code}")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


# -- looking and stopping


def node_status(path: Path) -> dict[str, Any]:
    """What a node's lock tells: ``{running, path, state, pid, uptime, api, swarm, registry, workers}``.

    Raises :class:`ConfigError` if there is no node in ``path``.
    """
    read_config(path, {}, {})
    if (holder := read_holder(path)) is None:
        return {"running": False, "path": str(path), "state": "stopped"}
    workers: dict[str, Any] = dict(holder.details.get("workers", {}))
    return {
        "running": True,
        "path": str(path),
        "state": holder.state,
        "pid": holder.pid,
        "uptime": round(max(0.0, time.time() - holder.started), 1),
        "api": _listen(workers, "server"),
        "swarm": _listen(workers, "network"),
        "registry": _listen(workers, "registry"),
        "workers": [{"name": name, "pid": row.get("pid"), "state": row.get("state")} for name, row in workers.items()],
    }


def _listen(workers: Mapping[str, Any], name: str) -> list[str]:
    return list(workers.get(name, {}).get("listen", ()))


def stop_node(path: Path, *, report: Callable[[str], None] = lambda _: None, seconds: float = STOP_TIMEOUT) -> bool:
    """Stop a node in order and wait until it is gone; False if it did not run.

    ``report`` is told each new state. Raises :class:`WorkerError` if it is still there after ``seconds``.
    """
    read_config(path, {}, {})
    if (holder := read_holder(path)) is None:
        return False
    if holder.pid <= 0:
        raise WorkerError(
            f"{path} is open in a process that does not say who it is; find it with `lsof {path}/node.lock`"
        )
    report(f"stopping process {holder.pid}")
    _signal(holder)
    deadline = time.monotonic() + seconds
    seen = ""
    while (left := read_holder(path)) is not None and left.pid in {holder.pid, 0}:
        if time.monotonic() > deadline:
            raise WorkerError(
                f"the node (process {holder.pid}) is still there after {seconds:.0f} s; `kill -9` ends it"
            )
        seen = _tell_workers(left, seen, report)
        time.sleep(POLL)
    _await_exit(holder.pid)
    return True


def _await_exit(pid: int) -> None:
    """The lock is given back a moment before the process ends."""
    import psutil

    deadline = time.monotonic() + EXIT_TIMEOUT
    while time.monotonic() < deadline:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return
        except psutil.NoSuchProcess:
            return
        time.sleep(POLL / 5)


def _signal(holder: Holder) -> None:
    try:
        os.kill(holder.pid, signal.SIGTERM)
    except ProcessLookupError:
        return
    except PermissionError as error:
        raise WorkerError(f"process {holder.pid} belongs to another user; stop the node as that user") from error


def _tell_workers(holder: Holder, seen: str, report: Callable[[str], None]) -> str:
    """Report which workers are still there, each time that it changes."""
    workers = holder.details.get("workers", {})
    left = ", ".join(name for name, row in workers.items() if row.get("state") not in {"stopped", "failed"})
    if left and left != seen and holder.state == "stopping":
        report(f"waiting for {left}")
    return left


# -- files that need no node


def bundle(order: Mapping[str, Any]) -> dict[str, Any]:
    """Make a signed bundle; ``order`` has the fields of ``workers.bundling.BundleOrder``.

    Answers ``{path, size, application_id, signer_id, new_key}``. Raises ``BundleError``.
    """
    from workers.bundling import BundleOrder, write_bundle

    made = write_bundle(BundleOrder(**order))
    return {
        "path": str(made.path),
        "size": made.size,
        "application_id": made.application_id,
        "signer_id": made.signer_id,
        "new_key": made.new_key,
    }


def inspect_module(path: Path) -> dict[str, Any]:
    """What a ``.wasm`` file offers and needs, and whether nodes of this version run it, compiled once to know.

    In a process of its own, because it loads the engine. Fields as of ``node.abi.report.ModuleReport.to_json``, and
    ``file``. Raises :class:`Refused` if the file cannot be read or is no module.
    """
    if not path.is_file():
        raise Refused(f"there is no file {path}", kind="argument")
    ran = subprocess.run(  # noqa: S603 - our own interpreter and module
        [sys.executable, "-P", "-m", "workers.runtime.engine.inspection", str(path)],
        capture_output=True, text=True, env=supervisor_environment(), check=False,
    )  # fmt: skip
    if not ran.stdout:
        raise WorkerError(f"{path} could not be inspected: {ran.stderr.strip() or f'exit code {ran.returncode}'}")
    report: dict[str, Any] = json.loads(ran.stdout)
    if "size" not in report:
        reason = "; ".join(report["problems"])
        cure = "name an application's .wasm or .mpk file"
        raise Refused(f"{path} cannot be inspected: {reason}; {cure}", kind="argument")
    return report


def backup_registry(path: Path, target: Path) -> dict[str, Any]:
    """Copy a node's registry into a new file, also while the node runs. Raises ``RegistryError``, ``ConfigError``."""
    from workers.registry.rows import FOLDER, backup

    read_config(path, {}, {})
    return {"backup": str(target), "rows": backup(path / FOLDER, target)}


def restore_registry(path: Path, source: Path) -> dict[str, Any]:
    """Put a backup in place of a stopped node's registry; what was there is kept beside it.

    Answers ``{rows, kept}``. Raises ``RegistryError``, ``ConfigError``, ``NodeRunning``.
    """
    from workers.registry.rows import FOLDER, replace

    read_config(path, {}, {})
    if (holder := read_holder(path)) is not None:
        raise NodeRunning(f"{path} is served by process {holder.pid}; stop the node before its registry is replaced")
    rows, kept = replace(source, path / FOLDER)
    return {"rows": rows, "kept": None if kept is None else str(kept)}


def import_merod(path: Path, source: Path, key_file: Path | None = None) -> dict[str, Any]:
    """Take over the home of a stopped merod 0.10.0 into a node that was never started.

    ``key_file`` holds the key of a home that is encrypted at rest, in hexadecimal digits.
    Answers ``{contexts, rows, blobs, checkpoints}``. Raises ``ConfigError``, ``NodeRunning``, ``StoreUnusable``.
    """
    from workers.migration import import_node, storage_key

    found = import_node(path, source, None if key_file is None else storage_key(key_file))
    return {"contexts": found.contexts, "rows": found.rows, "blobs": found.blobs, "checkpoints": found.checkpoints}


def export_merod(path: Path, target: Path) -> dict[str, Any]:
    """Write a stopped node's rows and blobs as merod has them, in ``data`` and ``blobs`` of ``target``.

    Answers ``{path, rows}``. Raises ``ConfigError``, ``NodeRunning``, ``StoreUnusable``.
    """
    from workers.migration import export_node

    return {"path": str(target), "rows": export_node(path, target)}
