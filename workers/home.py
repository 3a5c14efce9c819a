"""The directory of a node: where it is, and its settings. Nothing is written here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from node.config.load import Loaded, load
from node.errors import ConfigError

__all__ = ["CONFIG_FILE", "node_directory", "read_config", "read_text"]

CONFIG_FILE: Final = "config.toml"


def node_directory(home: Path, name: str) -> Path:
    """Where the node called ``name`` lives. Raises :class:`ConfigError` for a name that is no plain folder name."""
    if not name or name in {".", ".."} or "/" in name or "\0" in name:
        raise ConfigError(f"{name!r} is no name for a node; use a plain word")
    return home.expanduser() / name


def read_config(path: Path, flags: Mapping[str, str], environment: Mapping[str, str]) -> Loaded:
    """The settings of the node in ``path``. Raises :class:`ConfigError`."""
    return load(read_text(path), file=str(path / CONFIG_FILE), environment=environment, flags=flags)


def read_text(path: Path) -> str:
    """The text of config.toml. Raises :class:`ConfigError`."""
    file = path / CONFIG_FILE
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(f"Node is not initialized in {path}; make it with `calimero node init`") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
