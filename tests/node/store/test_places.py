"""What lies in a data directory is looked at before anything is opened, and what is refused stays as it is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from rocksdict import Options, Rdict

from node.errors import StoreUnusable
from node.store.foreign import write_foreign
from node.store.places import check_data, is_fresh, shard_dir
from node.store.rocks import RocksStore, examine


def content(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data directory with one shard."""
    RocksStore(shard_dir(tmp_path, 3), 3).close()
    return tmp_path


def manifest(shard: Path) -> Path:
    (found,) = shard.glob("MANIFEST*")
    return found


TORN: dict[str, tuple[Callable[[Path], None], str]] = {
    "CURRENT gone": (lambda shard: (shard / "CURRENT").unlink(), r"shard-3 holds files but no database: restore"),
    "CURRENT cut": (lambda shard: os.truncate(shard / "CURRENT", 3), r"CURRENT names no manifest\. Restore it"),
    "CURRENT empty": (lambda shard: os.truncate(shard / "CURRENT", 0), r"CURRENT names no manifest\. Restore it"),
    "manifest gone": (lambda shard: manifest(shard).unlink(), r"MANIFEST-\d+ is missing or empty\. Restore it"),
    "manifest empty": (lambda shard: os.truncate(manifest(shard), 0), r"MANIFEST-\d+ is missing or empty"),
}


@pytest.mark.parametrize("case", TORN)
def test_a_torn_shard_is_named_with_the_cure(data: Path, case: str) -> None:
    tear, message = TORN[case]
    tear(data / "shard-3")
    before = content(data)
    for look in (lambda: check_data(data), lambda: examine(shard_dir(data, 3))):
        with pytest.raises(StoreUnusable, match=message):
            look()
    assert content(data) == before


def test_a_manifest_that_is_cut_is_found_without_opening(data: Path) -> None:
    os.truncate(manifest(data / "shard-3"), 10)
    before = content(data)
    with pytest.raises(StoreUnusable, match=r"damaged.*Restore it from a backup"):
        examine(shard_dir(data, 3))
    assert content(data) == before


def test_a_merod_database_as_data_directory_is_refused(tmp_path: Path) -> None:
    write_foreign(tmp_path / "node1" / "data", [])
    before = content(tmp_path)
    with pytest.raises(StoreUnusable, match=rf"as merod keeps it.*`calimero node import {tmp_path / 'node1'}`"):
        check_data(tmp_path / "node1" / "data")
    assert content(tmp_path) == before


def test_the_database_of_another_program_is_no_shard(tmp_path: Path) -> None:
    options = Options(raw_mode=True)
    options.create_missing_column_families(create_missing_cfs=True)
    other = Rdict(str(shard_dir(tmp_path, 0)), options, column_families={"accounts": Options(raw_mode=True)})
    other.close()
    del other
    before = content(tmp_path)
    check_data(tmp_path)  # by its files it is a sound database
    with pytest.raises(StoreUnusable, match=r"belongs to another program \(its families are \['accounts', 'default'\]"):
        examine(shard_dir(tmp_path, 0))
    assert content(tmp_path) == before


def test_files_in_the_place_of_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("x")
    with pytest.raises(StoreUnusable, match="data is no directory: remove it or choose another home"):
        check_data(tmp_path / "data")
    (tmp_path / "shard-1").write_text("x")
    with pytest.raises(StoreUnusable, match="shard-1 is no directory"):
        check_data(tmp_path)


def test_what_can_be_used_is_let_through(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    check_data(data)
    check_data(data / "none")
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "link"
    elsewhere.symlink_to(data)
    check_data(elsewhere)
    examine(shard_dir(data, 3))
    examine(shard_dir(data, 4))
    (data / "shard-4").mkdir()
    assert is_fresh(shard_dir(data, 4))
    assert not is_fresh(shard_dir(data, 3))
