"""Makes a node directory and changes its settings, so that no crash can tear a file and nobody else can read it.

The rules of the settings are in ``node.config``; this module moves bytes. It is not loaded by a running node.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from node.config.load import Loaded, load
from node.config.validate import validate
from node.config.write import InitOptions, as_data, initial_config, initial_text, set_values
from node.errors import ConfigError
from workers.home import CONFIG_FILE, read_config, read_text
from workers.supervisor.lock import NodeLock

__all__ = ["InitOptions", "Initialized", "change_config", "init", "shown", "write_privately"]

PRIVATE_DIRECTORY: Final = 0o700


@dataclass(frozen=True, slots=True)
class Initialized:
    """The node directory; ``created`` is False when it was there already and nothing was changed."""

    path: Path
    peer_id: str
    created: bool


def init(path: Path, options: InitOptions, *, force: bool = False) -> Initialized:
    """Make a node directory with new keys; an existing node stays as it is unless ``force``, which deletes it whole.

    Raises :class:`ConfigError` before anything on disk changes, ``NodeRunning`` for a node that runs.
    """
    if path.is_symlink():
        raise ConfigError(f"{path} is a symbolic link; name the directory itself")
    if (path / CONFIG_FILE).exists() and not force:
        return _existing(path)
    config = initial_config(options, secrets.token_bytes)
    validate(config)
    if force and path.exists():
        _remove(path)
    _make_private(path)
    write_privately(path / CONFIG_FILE, initial_text(config))
    return Initialized(path, config.identity.peer_id if config.identity else "", created=True)


def change_config(path: Path, assignments: Iterable[str]) -> None:
    """Apply ``KEY=VALUE`` settings; the file is changed if the result is valid. Raises :class:`ConfigError`."""
    file = path / CONFIG_FILE
    changed = set_values(read_text(path), assignments, file=str(file))
    validate(load(changed, file=str(file)).config)
    write_privately(file, changed)


def shown(loaded: Loaded) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Settings for people and scripts: JSON values without secrets, and the warnings about them."""
    return as_data(loaded.config), loaded.warnings


def write_privately(file: Path, text: str) -> None:
    """Replace a file as one step: the old text or the new one is there after a crash, readable by the owner alone."""
    descriptor, name = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as sink:
            sink.write(text)
            sink.flush()
            os.fsync(sink.fileno())
        Path(name).replace(file)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(name).unlink()
        raise
    _sync_directory(file.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _existing(path: Path) -> Initialized:
    try:
        config = read_config(path, {}, {}).config
    except ConfigError as error:
        raise ConfigError(
            f"Failed to load existing configuration: {error}; --force makes a new node in its place"
        ) from error
    return Initialized(path, config.identity.peer_id if config.identity else "", created=False)


def _remove(path: Path) -> None:
    """Only with the lock in hand: a running node is not deleted under its own feet."""
    with NodeLock(path).acquire():
        shutil.rmtree(path)


def _make_private(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=PRIVATE_DIRECTORY)
    path.mkdir(exist_ok=True, mode=PRIVATE_DIRECTORY)
    path.chmod(PRIVATE_DIRECTORY)
