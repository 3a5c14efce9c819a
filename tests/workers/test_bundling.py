"""Bundles from files: what a node would refuse is refused first, and the signing key is never written over."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from node.context.bundle import read_bundle
from node.errors import BundleError
from tests.workers.runtime.nodes import WASM
from workers.bundling import BundleOrder, write_bundle


@pytest.fixture
def order(tmp_path: Path) -> BundleOrder:
    return BundleOrder(WASM / "kv.wasm", tmp_path / "out" / "kv.mpk", tmp_path / "kv.key", "com.example.kv", "1.0.0")


def test_a_bundle_is_what_a_node_installs(order: BundleOrder) -> None:
    made = write_bundle(order)
    bundle = read_bundle(order.out.read_bytes())
    assert made.size == order.out.stat().st_size
    assert bundle.module == order.module.read_bytes()
    assert bundle.abi == order.module.with_suffix(".abi.json").read_bytes()
    assert (bundle.manifest.package, bundle.manifest.app_version) == ("com.example.kv", "1.0.0")
    assert bundle.manifest.metadata is not None
    assert bundle.manifest.metadata.name == "kv"
    assert bundle.signer_id == made.signer_id
    assert [file.name for file in order.out.parent.iterdir()] == ["kv.mpk"]


def test_the_same_key_makes_versions_of_one_application(order: BundleOrder, tmp_path: Path) -> None:
    first = write_bundle(order)
    assert first.new_key
    assert order.key.stat().st_mode & 0o777 == 0o600
    key = order.key.read_bytes()
    later = write_bundle(replace(order, version="1.1.0", out=tmp_path / "later.mpk"))
    assert (later.new_key, later.application_id) == (False, first.application_id)
    assert order.key.read_bytes() == key
    other = write_bundle(replace(order, key=tmp_path / "other.key", out=tmp_path / "other.mpk"))
    assert other.application_id != first.application_id


def test_the_same_input_gives_the_same_bytes(order: BundleOrder) -> None:
    write_bundle(order)
    content = order.out.read_bytes()
    write_bundle(replace(order, force=True))
    assert order.out.read_bytes() == content


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"version": "1.0"}, "write MAJOR"),
        ({"version": "0.0.0"}, r"begin with 0\.0\.1"),
        ({"package": "unknown"}, "cannot be called"),
        ({"package": "../up"}, "no safe path component"),
        ({"package": ""}, "field is empty"),
        ({"out": Path("kv.zip")}, r"must end in \.mpk"),
        ({"module": Path("/nowhere/x.wasm")}, r"/nowhere/x\.wasm cannot be read: No such file"),
        ({"module": Path(__file__)}, "is no WebAssembly module"),
        ({"abi": Path("/nowhere/abi.json")}, "cannot be read"),
    ],
)
def test_what_a_node_would_refuse_is_refused(order: BundleOrder, changes: dict[str, object], text: str) -> None:
    with pytest.raises(BundleError, match=text):
        write_bundle(replace(order, **changes))  # type: ignore[arg-type]
    assert not order.key.exists()
    assert not order.out.exists()


def test_nothing_is_replaced_unasked(order: BundleOrder) -> None:
    write_bundle(order)
    with pytest.raises(BundleError, match="add --force"):
        write_bundle(order)
    order.key.write_text("not a key")
    with pytest.raises(BundleError, match="64 hexadecimal digits"):
        write_bundle(replace(order, force=True))
    assert order.key.read_text() == "not a key"


def test_a_folder_that_cannot_be_written_is_named(order: BundleOrder, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(BundleError, match="cannot be written"):
        write_bundle(replace(order, out=tmp_path / "file" / "kv.mpk"))
