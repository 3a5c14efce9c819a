"""The checked-in guest modules are the ones their sums and manifests describe."""

import hashlib
import json
from pathlib import Path

import pytest
import wasmtime

WASM = Path(__file__).parent / "wasm"
APPS = ("collections", "kv", "kv_next", "owned", "private")

MIGRATIONS = {"kv_next": {"migrate_from_kv", "migrate_from_nothing"}}
"""Exports that a node runs at an upgrade; the SDK's manifest leaves them out."""


def exported_methods(app: str) -> set[str]:
    """Function exports that a caller may name."""
    module = wasmtime.Module.from_file(wasmtime.Engine(), str(WASM / f"{app}.wasm"))
    functions = {export.name for export in module.exports if isinstance(export.type, wasmtime.FuncType)}
    return {name for name in functions if not name.startswith("__")}


def declared_methods(app: str) -> list[str]:
    manifest = json.loads((WASM / f"{app}.abi.json").read_text())
    return [method["name"] for method in manifest["methods"]]


def test_every_file_has_its_sum() -> None:
    listed = dict(reversed(line.split()) for line in (WASM / "SHA256SUMS").read_text().splitlines())
    actual = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in WASM.glob("*.*")}
    assert listed == actual
    assert set(actual) == {f"{app}.{kind}" for app in APPS for kind in ("wasm", "abi.json")}


@pytest.mark.parametrize("app", APPS)
def test_manifest_and_module_name_the_same_methods(app: str) -> None:
    declared = declared_methods(app)
    assert len(declared) == len(set(declared))
    assert set(declared) | MIGRATIONS.get(app, set()) == exported_methods(app)


@pytest.mark.parametrize("app", APPS)
def test_module_holds_no_path_of_the_machine_that_built_it(app: str) -> None:
    module = (WASM / f"{app}.wasm").read_bytes()
    for marker in (b"/root/", b"/home/", b"/.cargo/", b"/tmp/"):
        assert marker not in module
