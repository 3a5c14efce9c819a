from __future__ import annotations

import json

import pytest
from wasmtime import wat2wasm

from node.abi.interface import exported_abi, has_abi_exports, interface_of, try_interface
from node.abi.module import WasmModule, parse_module
from node.errors import DecodeError
from tests.node.abi.samples import KV_DOCUMENT

TEXT = json.dumps(KV_DOCUMENT)
EXPORTS = '(memory (export "memory") 1) (func (export "init")) (func (export "set")) (func (export "extra"))'


def module(extra: str = "") -> WasmModule:
    return parse_module(bytes(wat2wasm(f"(module {EXPORTS} {extra})")))


def escaped(raw: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in raw)


def test_methods_are_those_of_manifest_and_module() -> None:
    interface = interface_of(module(f'(@custom "calimero_abi_v1" "{escaped(TEXT.encode())}")'))
    assert ([m.name for m in interface.methods], interface.source, interface.typed) == (
        ["init", "set"],
        "section",
        True,
    )
    assert [m.name for m in interface.completions("s")] == ["set"]
    assert [m.name for m in interface.completions(initialised=False)] == ["init", "set"]
    method = interface.method("set")
    assert method is not None
    assert len(method.params) == 2


def test_a_manifest_in_initial_memory() -> None:
    raw = TEXT.encode()
    pointers = f"""(func (export "get_abi_ptr") (result i32) i32.const 64)
                   (func (export "get_abi_len") (result i32) i32.const {len(raw)})"""
    found = module(f'{pointers} (data (i32.const 64) "{escaped(raw)}")')
    assert has_abi_exports(found)
    assert exported_abi(found) == raw
    assert interface_of(found).source == "export"
    assert exported_abi(module(pointers)) is None


def test_a_manifest_beside_the_module() -> None:
    interface = interface_of(module(), TEXT.encode())
    assert ([m.name for m in interface.methods], interface.source) == (["init", "set"], "sidecar")
    assert len(interface_of(None, TEXT.encode()).methods) == 6


def test_without_a_manifest_the_exports_must_do() -> None:
    interface = interface_of(module())
    assert ([m.name for m in interface.methods], interface.typed) == (["init", "set", "extra"], False)
    assert interface_of(None).methods == ()


def test_a_damaged_manifest() -> None:
    with pytest.raises(DecodeError):
        interface_of(module(), b"{")
    interface, damage = try_interface(module(), b"{")
    assert [m.name for m in interface.methods] == ["init", "set", "extra"]
    assert damage is not None
    assert "not JSON" in damage
