"""Where a node keeps its databases, and whether what lies there can be one: looked at before anything is opened.

Names and small files are read; nothing is opened, locked or written, so a directory that is refused stays as it is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from node.errors import StoreUnusable

SHARD: Final = "shard-"
"""Beginning of the name of a shard's directory below the data directory."""

CURRENT: Final = "CURRENT"
"""The file that names the manifest of a RocksDB; a directory that has it is one."""

_CURE: Final = "restore it from a backup, or move the directory away and let the contexts sync again from their members"
_MANIFEST: Final = re.compile(rb"MANIFEST-\d+\n")


def shard_dir(data: Path, shard: int) -> Path:
    """Where a shard lies."""
    return data / f"{SHARD}{shard}"


def check_data(data: Path) -> None:
    """Raises :class:`StoreUnusable` for a data directory that is another program's or has a torn shard."""
    if (data / CURRENT).exists():
        raise StoreUnusable(
            f"{data} is the database of another program, as merod keeps it; this node does not open it in place. "
            f"Make a new node (`calimero node init`) and take its contexts over: `calimero node import {data.parent}`"
        )
    if data.exists() and not data.is_dir():  # a link to a directory on another disk is one
        raise StoreUnusable(f"{data} is no directory: remove it or choose another home")
    for shard in sorted(data.glob(f"{SHARD}?")):
        is_fresh(shard)


def is_fresh(path: Path) -> bool:
    """True for a place that a new shard may fill: absent or an empty directory. False for one that holds a database.

    Raises :class:`StoreUnusable` for anything else.
    """
    if path.is_symlink() or (path.exists() and not path.is_dir()):
        raise StoreUnusable(f"{path} is no directory: remove it or choose another home")
    if not path.exists() or not any(path.iterdir()):
        return True
    if not (path / CURRENT).exists():
        raise StoreUnusable(f"{path} holds files but no database: {_CURE}")
    manifest = _read(path / CURRENT)
    if not _MANIFEST.fullmatch(manifest):
        raise StoreUnusable(damaged(path, "its file CURRENT names no manifest"))
    if not _read(path / manifest.decode().strip()):
        raise StoreUnusable(damaged(path, f"its {manifest.decode().strip()} is missing or empty"))
    return False


def damaged(path: Path, reason: str) -> str:
    """The message for a database that cannot be read."""
    return f"the database {path} is damaged: {reason}. {_CURE[0].upper()}{_CURE[1:]}"


def _read(file: Path) -> bytes:
    """The beginning of a small file; empty if there is none."""
    try:
        with file.open("rb") as opened:
            return opened.read(64)
    except FileNotFoundError:
        return b""
