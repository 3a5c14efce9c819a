"""One supervisor per node directory, and a word about it for other programs.

``node.lock`` is locked by the kernel for as long as the supervisor lives, so a lock cannot be left behind by a killed
one. Its text says who holds it: a JSON object with ``pid``, ``started``, ``state`` and ``details``. A holder whose text
cannot be read is still a holder.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from node.errors import StoreUnusable

__all__ = ["Holder", "NodeLock", "NodeRunning", "read_holder"]

LOCK_FILE: Final = "node.lock"
MAX_TEXT: Final = 1024 * 1024
LOCK_ATTEMPTS: Final = 5


class NodeRunning(StoreUnusable):
    """Another process has the node directory open."""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a node directory open. ``started`` is unix time in seconds."""

    pid: int
    started: float = 0.0
    state: str = "unknown"
    details: Mapping[str, Any] = field(default_factory=dict)


class NodeLock:
    """The lock of one node directory, held until it is closed or the process ends."""

    def __init__(self, home: Path) -> None:
        self.path = home / LOCK_FILE
        self._file: int | None = None

    def acquire(self) -> Self:
        """Raises :class:`NodeRunning` that names the holder."""
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _lock(file):
            holder = _parse(os.pread(file, MAX_TEXT, 0))
            os.close(file)
            raise NodeRunning(_running_text(self.path.parent, holder))
        self._file = file
        return self

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def write(self, holder: Holder) -> None:
        """Say who holds it. Written in place, because the lock is on the file itself."""
        if self._file is None:
            return
        text = json.dumps(
            {"pid": holder.pid, "started": holder.started, "state": holder.state, "details": dict(holder.details)}
        ).encode()
        os.pwrite(self._file, text + b" " * max(0, os.fstat(self._file).st_size - len(text)), 0)
        os.ftruncate(self._file, len(text))

    def release(self) -> None:
        """The file stays: to remove it would let two processes hold two files of the same name."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def _lock(file: int) -> bool:
    """Who reads the state holds the file for a moment; that is not a holder, so it is tried more than once."""
    for attempt in range(LOCK_ATTEMPTS):
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        time.sleep(0.01 * (attempt + 1))
    return False


def read_holder(home: Path) -> Holder | None:
    """Who has the directory open right now; None if nobody has."""
    with contextlib.suppress(FileNotFoundError):
        file = os.open(home / LOCK_FILE, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return _parse(os.pread(file, MAX_TEXT, 0)) or Holder(pid=0)
        finally:
            os.close(file)
    return None


def _parse(raw: bytes) -> Holder | None:
    try:
        row = json.loads(raw)
        return Holder(int(row["pid"]), float(row["started"]), str(row["state"]), dict(row["details"]))
    except (ValueError, TypeError, KeyError):
        return None


def _running_text(home: Path, holder: Holder | None) -> str:
    who = f"process {holder.pid}" if holder else "another process"
    return f"the node in {home} is already running as {who}; stop it with `calimero node stop`, or use another home"
