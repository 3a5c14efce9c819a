from __future__ import annotations

import json

import pytest
from wasmtime import wat2wasm

from node.abi.module import Signature
from node.abi.report import ModuleReport, inspect
from node.errors import DecodeError
from tests.node.abi.samples import KV_DOCUMENT

OFFERED = {
    "storage_read": Signature(("i64", "i64"), ("i32",)),
    "flush_delta": Signature((), ("i32",)),
}
MEMORY = '(memory (export "memory") 17)'
METHODS = '(func (export "init")) (func (export "__calimero_sync_next"))'
READ = '(import "env" "storage_read" (func (param i64 i64) (result i32)))'


def report(fields: str, *, sidecar: bytes | None = None, max_size: int = 10_000) -> ModuleReport:
    return inspect(bytes(wat2wasm(f"(module {fields})")), OFFERED, sidecar=sidecar, max_size=max_size)


def test_a_rust_application() -> None:
    found = report(READ + MEMORY + METHODS, sidecar=json.dumps(KV_DOCUMENT).encode())
    assert (found.supported, found.flavour, found.methods, found.abi) == (True, "rust", ("init",), "sidecar")
    assert found.warnings == ()
    assert found.signatures == ("init()",)
    assert found.events == ("Inserted", "Cleared")


def test_a_javascript_application() -> None:
    assert report('(import "env" "flush_delta" (func (result i32)))' + MEMORY + METHODS).flavour == "javascript"


def test_modules_of_other_makers() -> None:
    old = report('(import "env" "storage_read" (func (param i64 i64 i64) (result i64)))' + MEMORY + METHODS)
    assert (old.flavour, old.supported) == ("old", False)
    assert "(i64, i64) -> i32" in old.problems[0]
    assert report(MEMORY + '(func (export "go"))').flavour == "unknown"
    assert report(f'{MEMORY}{METHODS}(@custom "calimero_python_v1" "")').flavour == "python"


def test_what_keeps_a_module_from_running() -> None:
    found = report('(import "env" "nope" (func)) (import "wasi_snapshot_preview1" "fd_write" (func))', max_size=10)
    text = "\n".join(found.problems)
    for part in ("env.nope: no such host function", "WASI is stubbed", "at most 10", "no memory", "no export of type"):
        assert part in text
    assert not found.supported


def test_warnings() -> None:
    text = "\n".join(report(MEMORY + '(func (export "go"))', sidecar=b"{").warnings)
    for part in ("damaged", "'init'", "__calimero_sync_next", "cannot be checked"):
        assert part in text


def test_json_form() -> None:
    document = report(READ + MEMORY + METHODS).with_compile_time(1.5).with_problem("engine says no").to_json()
    assert document["compileMs"] == 1.5
    assert document["supported"] is False
    assert document["imports"] == [{"name": "env.storage_read", "type": "(i64, i64) -> i32", "problem": None}]
    json.dumps(document)


def test_a_file_that_is_no_module() -> None:
    with pytest.raises(DecodeError):
        inspect(b"#!/bin/sh", OFFERED, max_size=10)
