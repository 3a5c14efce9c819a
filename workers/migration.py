"""Taking over the home of a stopped merod 0.10.0, and writing one that merod opens. Our own node must be stopped too.

A home comes in whole or not at all: it is built beside the data folder, which it then becomes. Keys of contexts come
along; the key of the node and its settings do not.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from node.context.owner.import_home import Imported, export_home, import_home
from node.crypto.rest import StorageKey
from node.errors import ConfigError, CryptoError, StoreUnusable
from node.store.base import Store
from node.store.places import check_data, shard_dir
from node.store.rocks import Memory, RocksStore
from node.store.shards import SHARDS, Shards
from workers.home import CONFIG_FILE, read_config
from workers.supervisor.lock import NodeLock

ASIDE: Final = ".import"
"""Ending of the folder in which a home is built."""


@dataclass(frozen=True, slots=True)
class Folders:
    """Where a node keeps its rows and its blob files."""

    data: Path
    blobs: Path


def import_node(path: Path, source: Path, key: StorageKey | None = None) -> Imported:
    """Copy the merod home ``source`` into the node in ``path``, which was made and never started.
    ``key`` opens a home that is encrypted at rest.

    Raises :class:`ConfigError` if there is no home, :class:`StoreUnusable` if it cannot be taken over.
    """
    ours, theirs = _ours(path), _theirs(source)
    with NodeLock(path).acquire():
        if ours.data.exists() and any(ours.data.iterdir()):
            raise StoreUnusable(
                f"{ours.data} holds data already: make a new node with `calimero node init` for the import"
            )
        aside = ours.data.with_name(ours.data.name + ASIDE)
        shutil.rmtree(aside, ignore_errors=True)
        try:
            aside.mkdir(mode=0o700, parents=True)
            found = _filled(aside, theirs, ours.blobs, key)
            aside.replace(ours.data)
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return found


def storage_key(file: Path) -> StorageKey:
    """The key in a file. Raises :class:`ConfigError` naming the file, never its content."""
    try:
        return StorageKey.parse(file.read_text(encoding="ascii"))
    except (OSError, ValueError, CryptoError) as error:
        raise ConfigError(f"the storage key in {file} cannot be used: {error}") from error


def _filled(data: Path, theirs: Folders, blobs: Path, key: StorageKey | None) -> Imported:
    shards = _shards(data, every=True)
    try:
        return import_home(theirs.data, theirs.blobs, shards, blobs, key)
    finally:
        shards.close()


def export_node(path: Path, target: Path) -> int:
    """Write ``data`` and ``blobs`` of the node in ``path`` into the folder ``target`` as merod has them.

    Answers the number of rows. Raises :class:`ConfigError`, and :class:`StoreUnusable` if something is in the way.
    """
    ours = _ours(path)
    with NodeLock(path).acquire():
        target.mkdir(mode=0o700, parents=True, exist_ok=True)
        shards = _shards(ours.data, every=False)
        try:
            return export_home(shards, ours.blobs, target / "data", target / "blobs")
        finally:
            shards.close()


def _shards(data: Path, *, every: bool) -> Shards:
    """``every``: also those that are not there yet."""
    check_data(data)
    memory = Memory()

    def open_shard(shard: int) -> Store:
        return RocksStore(shard_dir(data, shard), shard, memory=memory)

    return Shards(range(SHARDS), open_shard, lambda shard: every or shard_dir(data, shard).exists())


def _ours(path: Path) -> Folders:
    settings = read_config(path, {}, os.environ).config
    return Folders(path / settings.datastore.path, path / settings.blobstore.path)


def _theirs(home: Path) -> Folders:
    file = home / CONFIG_FILE
    try:
        settings = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"there is no {CONFIG_FILE} in {home}; {_hint(home)}") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    return Folders(home / _folder(settings, "datastore", "data"), home / _folder(settings, "blobstore", "blobs"))


def _folder(settings: dict[str, Any], table: str, usual: str) -> str:
    found = settings.get(table)
    return str(found.get("path", usual)) if isinstance(found, dict) else usual


def _hint(home: Path) -> str:
    nodes = sorted(file.parent.name for file in home.glob(f"*/{CONFIG_FILE}"))
    return f"name one of the nodes in it: {', '.join(nodes)}" if nodes else "name the folder of one merod node"
