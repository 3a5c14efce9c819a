"""Homes of merod taken over and written: whole or not at all, and never from or into a node that runs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from calimero_tui import launch
from calimero_tui.cli import main
from node.crypto.rest import StorageKey
from node.errors import ConfigError, StoreUnusable
from node.store.base import Batch
from node.store.columns import Column
from node.store.foreign import ForeignReader, write_foreign
from tests.node.context.owner.conftest import alice
from tests.node.context.owner.test_import_home import merod_home
from tests.node.context.owner.world import Node, made
from workers import migration
from workers.supervisor.lock import NodeLock, NodeRunning

__all__ = ["alice"]


@pytest.fixture
def theirs(alice: Node, tmp_path: Path) -> Path:
    """A merod home with one context, whose folders have names of their own."""
    made(alice.call("set", {"a": "1"}))
    home = tmp_path / "theirs" / "node1"
    merod_home(alice, home)
    (home / "data").rename(home / "rows")
    (home / "config.toml").write_text('[datastore]\npath = "rows"\n')
    return home


@pytest.fixture
def ours(tmp_path: Path) -> Path:
    path = tmp_path / "ours" / "default"
    launch.init_node(path, {"boot_network": "none", "mdns": False})
    return path


def test_a_home_comes_in_and_goes_out(
    theirs: Path, ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--home", str(ours.parent), "--json"]
    assert main(["node", "import", str(theirs), *where]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["contexts"], report["blobs"], report["checkpoints"]) == (1, 2, 0)
    assert sorted(file.name for file in (ours / "data").iterdir()) == [f"shard-{number}" for number in range(8)]
    assert main(["node", "export", str(tmp_path / "out"), *where]) == 0
    assert json.loads(capsys.readouterr().out)["rows"] == report["rows"]
    before, after = ForeignReader(theirs / "rows"), ForeignReader(tmp_path / "out" / "data")
    for column in Column:
        assert list(after.scan(column)) == list(before.scan(column))
    assert len(list((tmp_path / "out" / "blobs").iterdir())) == 2
    before.close()
    after.close()


@pytest.fixture
def sealed(theirs: Path) -> bytes:
    """The home with its database encrypted at rest, in two versions of the data key; its master key."""
    master = bytes(range(32))
    keys = [StorageKey(master).data_key(version) for version in (1, 2)]
    reader = ForeignReader(theirs / "rows")
    batch = Batch()
    rows = ((family, *row) for family in Column for row in reader.scan(family))
    for number, (column, key, value) in enumerate(rows):
        version, nonce = number % 2, number.to_bytes(12, "big")
        batch.put(column, key, bytes([version + 1]) + nonce + AESGCM(keys[version]).encrypt(nonce, value, None))
    reader.close()
    (theirs / "rows").rename(theirs / "clear")
    write_foreign(theirs / "rows", [batch])
    return master


def test_a_home_that_is_encrypted_at_rest_comes_in_with_its_key(
    theirs: Path, sealed: bytes, ours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["node", "import", str(theirs), "--home", str(ours.parent), "--json"]
    key = tmp_path / "key"
    assert main(words) != 0
    assert "--storage-key-file" in capsys.readouterr().out
    for text, problem in ((bytes(32).hex(), "not encrypted with this storage key"), ("xyz", "hexadecimal digits")):
        key.write_text(text)
        assert main([*words, "--storage-key-file", str(key)]) != 0
        assert problem in capsys.readouterr().out
        assert not list((ours / "data").glob("*"))
    key.write_text(sealed.hex() + "\n")
    assert main([*words, "--storage-key-file", str(key)]) == 0
    assert json.loads(capsys.readouterr().out)["contexts"] == 1
    launch.export_merod(ours, tmp_path / "out")
    before, after = ForeignReader(theirs / "clear"), ForeignReader(tmp_path / "out" / "data")
    for column in Column:
        assert list(after.scan(column)) == list(before.scan(column))
    before.close()
    after.close()


def test_a_node_with_data_takes_nothing_over(theirs: Path, ours: Path) -> None:
    launch.import_merod(ours, theirs)
    with pytest.raises(StoreUnusable, match=r"holds data already: make a new node with `calimero node init`"):
        launch.import_merod(ours, theirs)


def test_what_is_no_home_is_named_with_what_to_do(theirs: Path, ours: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name one of the nodes in it: node1"):
        launch.import_merod(ours, theirs.parent)
    with pytest.raises(ConfigError, match="name the folder of one merod node"):
        launch.import_merod(ours, tmp_path / "none")
    (theirs / "config.toml").write_text("[")
    with pytest.raises(ConfigError, match="cannot be read"):
        launch.import_merod(ours, theirs)
    (theirs / "config.toml").write_text("datastore = 1")
    with pytest.raises(StoreUnusable):
        launch.import_merod(ours, theirs)


def test_an_import_that_fails_leaves_nothing(theirs: Path, ours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(migration, "RocksStore", _full)
        with pytest.raises(OSError, match="no space"):
            launch.import_merod(ours, theirs)
    assert [file.name for file in ours.iterdir() if file.name.startswith("data") and any(file.iterdir())] == []
    assert launch.import_merod(ours, theirs)["contexts"] == 1


def _full(*_: object, **__: object) -> None:
    raise OSError("no space left on device")


def test_a_running_node_is_left_alone(theirs: Path, ours: Path, tmp_path: Path) -> None:
    with NodeLock(ours).acquire():
        with pytest.raises(NodeRunning, match="stop it with `calimero node stop`"):
            launch.import_merod(ours, theirs)
        with pytest.raises(NodeRunning):
            launch.export_merod(ours, tmp_path / "out")
