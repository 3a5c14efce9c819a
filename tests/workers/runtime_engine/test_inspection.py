from __future__ import annotations

import json
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from node.context.bundle import make_bundle
from node.primitives import PrivateKey
from tests.node.abi.samples import KV_DOCUMENT
from tests.workers.runtime_engine.app import WASM
from workers.runtime.engine.inspection import inspect_file, inspect_module, main, running_abi

TEXT = json.dumps(KV_DOCUMENT).encode()
DATA = "".join(f"\\{byte:02x}" for byte in TEXT)
BASE = '(memory (export "memory") 2) (func (export "init")) (func (export "set"))'


def computed(pointer: str, length: str, extra: str = "") -> bytes:
    """A module whose manifest can only be found by running it."""
    getters = f"""(func (export "get_abi_ptr") (result i32) {pointer})
                  (func (export "get_abi_len") (result i32) {length})"""
    return bytes(wat2wasm(f'(module {extra} {BASE} {getters} (data (i32.const 64) "{DATA}"))'))


@pytest.mark.parametrize("name", ["kv", "collections", "private", "owned"])
def test_the_rust_applications_are_supported(name: str) -> None:
    report = inspect_file(WASM / f"{name}.wasm").report
    assert report is not None
    assert (report.supported, report.flavour, report.problems) == (True, "rust", ())
    assert report.compile_ms is not None
    assert report.compile_ms > 1
    assert "init" in report.methods


def test_a_manifest_that_is_computed() -> None:
    report = inspect_module(computed("(i32.add (i32.const 60) (i32.const 4))", f"i32.const {len(TEXT)}"))
    assert (report.abi, report.methods) == ("export", ("init", "set"))


def test_a_manifest_in_constants_needs_no_run() -> None:
    raw = computed("i32.const 64", f"i32.const {len(TEXT)}")
    assert running_abi(raw) is None
    assert inspect_module(raw).abi == "export"


@pytest.mark.parametrize(
    ("pointer", "length"),
    [
        ("(loop br 0) i32.const 0", "i32.const 1"),
        ("unreachable", "i32.const 1"),
        ("(i32.add (i32.const -9) (i32.const 1))", "i32.const 100"),
        ("(i32.add (i32.const 1) (i32.const 1))", "i32.const -1"),
        ("(call $read (i64.const 0) (i64.const 0))", "i32.const 1"),
    ],
)
def test_getters_that_misbehave(pointer: str, length: str) -> None:
    read = '(import "env" "storage_read" (func $read (param i64 i64) (result i32)))'
    assert running_abi(computed(pointer, length, read)) is None


def test_a_module_that_does_not_compile() -> None:
    raw = bytes(wat2wasm(f"(module {BASE} (memory 1))"))
    report = inspect_module(raw)
    assert not report.supported
    assert any("compilation error" in problem for problem in report.problems)


def test_a_bundle(tmp_path: Path) -> None:
    """Its module is inspected, with the bundle's own manifest."""
    path, module = tmp_path / "kv.mpk", (WASM / "kv.wasm").read_bytes()
    abi = (WASM / "kv.abi.json").read_bytes()
    content = make_bundle(
        PrivateKey(b"\5" * 32), package="com.example.kv", version="1.0.0", name="kv", module=module, abi=abi,
        description=None,
    )  # fmt: skip
    path.write_bytes(content)
    found = inspect_file(path)
    assert found.report is not None
    assert (found.report.supported, found.report.abi, found.report.size) == (True, "sidecar", len(module))
    path.write_bytes(content[:-20])
    assert inspect_file(path).problem == "the bundle is truncated"


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(WASM / "kv.wasm")]) == 0
    document = json.loads(capsys.readouterr().out)
    assert (document["supported"], document["abi"]) == (True, "sidecar")
    bad = tmp_path / "bad.wasm"
    bad.write_bytes(b"no")
    assert main([str(bad), str(tmp_path / "none.wasm")]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["supported"] for line in lines] == [False, False]
