"""Compiled modules on disk: bytes only, private files, checked before they are run as machine code.

Whoever can write here can run code as the node, so an entry that another user owns or may read or write, a link, or one
whose digest differs is refused and removed. Nothing is ever unpickled. Safe between processes.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import sqlite3
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import diskcache  # type: ignore[import-untyped]
from diskcache.core import MODE_BINARY  # type: ignore[import-untyped]

DIRECTORY_MODE: Final = 0o700
FILE_MODE: Final = 0o600
FOREIGN_BITS: Final = 0o077
DIGEST: Final = 32


class RefusedEntry(ValueError):
    """A cache entry that may not be used; the message says why."""


class PrivateFiles(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Keeps each value in a file of its own that only this user may read; other kinds of value do not exist."""

    def store(self, value: object, read: bool, key: object = None) -> tuple[int, int, str, None]:
        if not isinstance(value, bytes) or read:
            raise TypeError("compiled modules are bytes")
        name = f"{secrets.token_hex(16)}.cwasm"
        write_private(Path(self._directory) / name, value)
        return len(value), MODE_BINARY, name, None

    def fetch(self, mode: int, filename: str | None, value: object, read: bool) -> bytes:
        if mode != MODE_BINARY or filename is None or Path(filename).name != filename:
            raise RefusedEntry(f"entry {filename!r} was not written by this cache")
        return read_private(Path(self._directory) / filename)


def write_private(path: Path, content: bytes) -> None:
    """Write a new file of mode 0600."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, FILE_MODE)
    with os.fdopen(handle, "wb") as file:
        file.write(content)


def read_private(path: Path) -> bytes:
    """Read a file that only this user can have written. Raises RefusedEntry."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RefusedEntry(f"{path} cannot be opened safely: {error}") from error
    with os.fdopen(handle, "rb") as file:
        status = os.fstat(handle)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & FOREIGN_BITS:
            raise RefusedEntry(f"{path} must be a file of this user with mode 0600")
        return file.read()


class CompiledCache:
    """Compiled code by key. ``refused`` counts entries that were thrown away as unsafe or damaged.

    A cache that cannot be read or written is no reason to fail a call: the module is compiled again.
    """

    def __init__(self, directory: Path, size_limit: int) -> None:
        self.refused = 0
        directory.mkdir(parents=True, exist_ok=True, mode=DIRECTORY_MODE)
        directory.chmod(DIRECTORY_MODE)
        self._cache: Any = diskcache.Cache(
            str(directory), disk=PrivateFiles, size_limit=size_limit, eviction_policy="least-recently-used"
        )
        for path in directory.glob("cache.db*"):
            path.chmod(FILE_MODE)

    def get(self, key: str) -> bytes | None:
        try:
            entry = self._cache.get(key)
        except (RefusedEntry, OSError, sqlite3.Error, diskcache.Timeout):
            self.drop(key)
            return None
        if entry is None:
            return None
        code = memoryview(entry)[DIGEST:]
        if hashlib.sha256(code).digest() != entry[:DIGEST]:
            self.drop(key)
            return None
        return bytes(code)

    def put(self, key: str, code: bytes) -> None:
        with suppress(OSError, sqlite3.Error, diskcache.Timeout):
            self._cache.set(key, hashlib.sha256(code).digest() + code)

    def drop(self, key: str) -> None:
        """Remove an entry that turned out to be unusable."""
        self.refused += 1
        with suppress(OSError, sqlite3.Error, diskcache.Timeout):
            self._cache.delete(key)

    def close(self) -> None:
        self._cache.close()
