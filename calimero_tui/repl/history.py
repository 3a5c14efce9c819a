"""Where the lines of a terminal are kept between sessions: a file that only its owner reads."""

from __future__ import annotations

import os
from pathlib import Path


def history_file() -> Path | None:
    """The history file, made with mode 0600, or brought to it; None where no file can be."""
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    path = Path(state) / "calimero" / "shell_history"
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            os.fchmod(descriptor, 0o600)
        finally:
            os.close(descriptor)
    except (OSError, RuntimeError):
        return None
    return path
