from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

from node.abi.module import METHOD, Import, Signature, parse_module
from node.errors import DecodeError

WAT = r"""(module
  (import "env" "storage_read" (func $read (param i64 i64) (result i32)))
  (import "env" "table" (table 1 funcref))
  (import "env" "global" (global i64))
  (memory (export "memory") 17 100)
  (global (mut i32) (i32.const 7))
  (func $init (export "init"))
  (func (export "get") (drop (call $read (i64.const 0) (i64.const 0))))
  (func (export "__calimero_sync_next"))
  (func (export "get_abi_ptr") (result i32) i32.const 1000)
  (func (export "get_abi_len") (result i32) i32.const 5)
  (func (export "moving") (result i32) global.get 1)
  (func (export "local") (result i32) (local i32) i32.const 1)
  (func (export "typed") (param i64))
  (start $init)
  (data (i32.const 996) "....hello....")
  (data (i32.const -4) "")
  (data "passive")
  (@custom "note" "text"))"""
RAW = bytes(wat2wasm(WAT))


def test_what_a_module_says_about_itself() -> None:
    module = parse_module(RAW)
    assert module.size == len(RAW)
    assert module.imports == [
        Import("env", "storage_read", "function", Signature(("i64", "i64"), ("i32",))),
        Import("env", "table", "table"),
        Import("env", "global", "global"),
    ]
    assert (module.memory_pages, module.memory_maximum, module.has_start) == (17, 100, True)
    assert module.methods == ["init", "get"]
    assert module.export_names >= {"memory", "init", "typed", "__calimero_sync_next"}
    assert module.customs["note"] == b"text"


def test_signatures_of_exports() -> None:
    module = parse_module(RAW)
    get, typed, memory = (module.export(name) for name in ("get", "typed", "memory"))
    assert get is not None
    assert get.signature == METHOD
    assert typed is not None
    assert str(typed.signature) == "(i64) -> ()"
    assert memory is not None
    assert memory.signature is None
    assert module.export("nothing") is None


def test_constants_and_initial_memory() -> None:
    module = parse_module(RAW)
    assert module.constant("get_abi_ptr") == 1000
    assert module.constant("moving") is None
    assert module.constant("local") is None
    assert module.constant("typed") is None
    assert module.constant("memory") is None
    assert module.initial_bytes(1000, 5) == b"hello"
    assert module.initial_bytes(1000, 50) is None
    assert module.initial_bytes(0, 1) is None
    assert module.data[1].offset == 0xFFFFFFFC


@pytest.mark.parametrize("raw", [b"", b"\0asm", b"\0asm\2\0\0\0", b"(module)"])
def test_bytes_that_are_no_module(raw: bytes) -> None:
    with pytest.raises(DecodeError, match="no WebAssembly module"):
        parse_module(raw)


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("01 05 01 61 00 00 00", "only function types"),
        ("01 04 01 60 01 11", "unknown value type 0x11"),
        ("01 01 05", "elements are announced"),
        ("01 7f", "bytes are announced"),
        ("02 06 01 01 61 01 62 09", "unknown kind 9"),
        ("02 07 01 01 61 01 62 00 03", "type 3 does not exist"),
        ("02 03 01 01 ff", "not UTF-8"),
        ("02 04 01 ff ff 7f", "name of"),
        ("03 06 01 ff ff ff ff 7f", "larger than 32 bits"),
        ("03 07 01 ff ff ff ff ff 01", "too long"),
        ("07 05 01 01 61 00 05", "names function 5"),
        ("0b 05 01 00 41 01 00", "only a constant address"),
    ],
)
def test_damage_is_named(section: str, message: str) -> None:
    with pytest.raises(DecodeError, match=message):
        parse_module(b"\0asm\1\0\0\0" + bytes.fromhex(section))


def test_a_module_cut_at_any_byte_is_refused_or_shorter() -> None:
    for end in range(8, len(RAW)):
        try:
            assert parse_module(RAW[:end]).size == end
        except DecodeError:
            continue


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.integers(min_value=8, max_value=len(RAW)))
def test_random_bytes_never_do_more_than_fail(noise: bytes, at: int) -> None:
    for raw in (RAW[:at] + noise, RAW[:at] + noise + RAW[at + len(noise) :]):
        try:
            parse_module(raw)
        except DecodeError:
            continue


def test_imports_of_every_kind() -> None:
    wat = """(module (import "a" "m" (memory 1 2)) (import "a" "t" (tag (param i32)))
      (global (import "a" "g") i32) (memory 1) (data (memory 1) (offset (i32.const 5)) "five")
      (data (memory 1) (offset (global.get 0)) "somewhere"))"""
    module = parse_module(bytes(wat2wasm(wat)))
    assert [i.kind for i in module.imports] == ["memory", "tag", "global"]
    assert [d.content for d in module.data] == [b"five"]


def test_a_body_that_is_cut_is_no_constant() -> None:
    body = b"\x0a\x05\x01\x03\x00\x41\xff"
    raw = b"\0asm\1\0\0\0\x01\x05\x01\x60\x00\x01\x7f\x03\x02\x01\x00\x07\x05\x01\x01a\x00\x00" + body
    assert parse_module(raw).constant("a") is None


def test_a_constant_that_never_ends() -> None:
    body = b"\x00\x41" + b"\xff" * 11
    code = bytes([1, len(body)]) + body
    raw = (
        b"\0asm\1\0\0\0\x01\x05\x01\x60\x00\x01\x7f\x03\x02\x01\x00\x07\x05\x01\x01a\x00\x00\x0a"
        + bytes([len(code)])
        + code
    )
    assert parse_module(raw).constant("a") is None
