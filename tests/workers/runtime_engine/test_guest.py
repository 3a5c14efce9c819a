from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from node.errors import (
    CompilationError,
    ExecutionError,
    HostError,
    LinkError,
    MethodResolutionError,
    ModuleSizeLimitExceeded,
    WasmTrap,
)
from node.runtime.config import RuntimeConfig
from node.runtime.faults import BoundReached
from node.runtime.limits import MAX_MODULE_SIZE
from tests.workers.runtime_engine.guests import NOW, call, method, wasm
from workers.runtime.engine.guest import WasmGuest

KEY = b"0123456789abcdef" * 2
WRITE = "(drop (call $storage_write (i64.const 0) (i64.const 0) (i64.const 0)))"
PRIVATE = "(drop (call $private_storage_write (i64.const 0) (i64.const 0)))"
COMMIT = "(call $commit (i64.const 0) (i64.const 16))"
LOG = "(call $log_utf8 (i64.const 0))"


def error_of(guest: WasmGuest, code: bytes, name: str) -> tuple[type[BaseException] | None, str]:
    error = guest.run(call(code, name)).error
    return type(error) if error else None, str(error)


def test_a_committed_call_gives_its_writes(guest: WasmGuest) -> None:
    code = wasm(method("go", WRITE + PRIVATE + COMMIT))
    outcome = guest.run(call(code, "go", private=lambda _key: None))
    assert outcome.error is None
    assert outcome.root_hash == KEY
    assert outcome.writes == {KEY: KEY}
    assert outcome.private_writes == {KEY: KEY}


def test_without_a_root_hash_nothing_is_written(guest: WasmGuest) -> None:
    outcome = guest.run(call(wasm(method("go", WRITE + PRIVATE)), "go", private=lambda _key: None))
    assert (outcome.error, outcome.root_hash, outcome.writes, outcome.private_writes) == (None, None, {}, {})


@pytest.mark.parametrize("end", ["unreachable", "(call $commit (i64.const 0) (i64.const 16))"])
def test_a_call_that_fails_after_its_commit_leaves_only_logs(guest: WasmGuest, end: str) -> None:
    outcome = guest.run(call(wasm(method("go", LOG + WRITE + COMMIT + end)), "go"))
    assert outcome.error is not None
    assert (outcome.writes, outcome.root_hash, outcome.artifact) == ({}, None, b"")
    assert outcome.logs == [KEY.decode()]


def test_an_error_return_drops_the_commit(guest: WasmGuest) -> None:
    code = wasm(method("go", WRITE + COMMIT + "(call $time_now (i64.const 32)) (call $value_return (i64.const 96))"))
    outcome = guest.run(call(code, "go"))
    assert isinstance(outcome.error, ExecutionError)
    assert outcome.error.payload == NOW.to_bytes(8, "little")
    assert (outcome.writes, outcome.returns) == ({}, None)


def test_returns_and_time(guest: WasmGuest) -> None:
    outcome = guest.run(
        call(wasm(method("go", "(call $time_now (i64.const 32)) (call $value_return (i64.const 64))")), "go")
    )
    assert outcome.returns == NOW.to_bytes(8, "little")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "method name is empty"),
        ("m" * 257, "method name too long: 257 bytes (max: 256)"),
        ("m" * 256, f'method "{"m" * 256}" not found'),
        ("kv-s", "method name contains invalid character at position 2: '-'"),
        ("nope", 'method "nope" not found'),
        ("typed", 'method "typed" has invalid signature: expected no arguments and no return value'),
    ],
)
def test_method_resolution(guest: WasmGuest, name: str, text: str) -> None:
    code = wasm('(func (export "typed") (result i32) i32.const 1)')
    assert error_of(guest, code, name) == (MethodResolutionError, text)


def test_an_export_of_another_kind(guest: WasmGuest) -> None:
    text = "guest panicked: internal error: entered unreachable code"
    assert error_of(guest, wasm(method("go", "")), "memory") == (HostError, text)


def test_memory_must_be_exported(guest: WasmGuest) -> None:
    code = wasm(method("go", ""), memory="(memory 2)")
    assert error_of(guest, code, "go") == (MethodResolutionError, 'method "memory" not found')


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("unreachable", "unreachable code reached"),
        ("(drop (i32.load (i32.const -4)))", "memory out of bounds"),
        ("(drop (i32.div_s (i32.const 1) (i32.const 0)))", "illegal arithmetic operation"),
        ("(drop (i32.trunc_f32_s (f32.const nan)))", "illegal arithmetic operation"),
        ("(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))", "illegal arithmetic operation"),
        ("(call_indirect (type $t) (i32.const 0))", "indirect call to null"),
        ("(call_indirect (type $t) (i32.const 1))", "bad signature"),
        ("(call_indirect (type $t) (i32.const 9))", "memory out of bounds"),
    ],
)
def test_traps(guest: WasmGuest, body: str, text: str) -> None:
    raw = "(type $t (func)) (table 2 funcref) (elem (i32.const 1) $other) (func $other (result i32) i32.const 1)"
    assert error_of(guest, wasm(method("go", body), raw=raw), "go") == (WasmTrap, text)


def test_deep_recursion_is_a_trap(guest: WasmGuest) -> None:
    code = wasm('(func $down (export "go") call $down)')
    for _ in range(3):
        assert error_of(guest, code, "go") == (WasmTrap, "stack overflow")


def test_the_stack_is_as_deep_as_the_references(guest: WasmGuest) -> None:
    """A minimal recursive function reaches about 12,500 frames there."""
    counter = "(global $n (mut i32) (i32.const 0)) (func $down (global.set $n (i32.add (global.get $n) (i32.const 1)))"
    body = "(br_if 0 (i32.ge_u (global.get $n) (i32.const {0}))) call $down)"
    shallow = wasm(method("go", "call $down"), raw=counter + body.format(5_000))
    deep = wasm(method("go", "call $down"), raw=counter + body.format(14_000))
    assert error_of(guest, shallow, "go") == (None, "None")
    assert error_of(guest, deep, "go") == (WasmTrap, "stack overflow")


def test_the_merge_hook_runs_first_and_its_failure_is_ignored(guest: WasmGuest) -> None:
    code = wasm(method("__calimero_register_merge", LOG + "unreachable"), method("go", LOG))
    outcome = guest.run(call(code, "go"))
    assert outcome.error is None
    assert len(outcome.logs) == 2


def test_a_start_section_runs_but_may_not_call_the_host(guest: WasmGuest) -> None:
    harmless = wasm(method("go", ""), raw="(func $s (drop (memory.grow (i32.const 1)))) (start $s)")
    assert error_of(guest, harmless, "go") == (None, "None")
    for start in ("(call $input (i64.const 0))", "(call $time_now (i64.const 0))"):
        calling = wasm(method("go", ""), raw=f"(func $s {start}) (start $s)")
        assert error_of(guest, calling, "go") == (WasmTrap, "indeterminate trap")
    trapping = wasm(method("go", ""), raw="(func $s unreachable) (start $s)")
    assert error_of(guest, trapping, "go") == (WasmTrap, "unreachable code reached")


def bare(fields: str) -> bytes:
    """A module without the usual imports and data."""
    return bytes(wat2wasm(f'(module {fields} (func (export "go")))'))


def test_link_errors(guest: WasmGuest) -> None:
    expected = "Function(FunctionType { params: [I64], results: [] })"
    unknown = bare('(import "env" "nope" (func (param i64)))')
    wrong = bare('(import "env" "executor_id" (func (result i64)))')
    foreign = bare('(import "wasi_snapshot_preview1" "fd_write" (func (param i64)))')
    memory = bare('(import "env" "memory" (memory 1))')
    prefix = 'link error: Error while importing "env".'
    assert error_of(guest, unknown, "go") == (LinkError, f'{prefix}"nope": unknown import. Expected {expected}')
    got = "Function(FunctionType { params: [], results: [I64] })"
    text = f'{prefix}"executor_id": incompatible import type. Expected {got} but received {expected}'
    assert error_of(guest, wrong, "go") == (LinkError, text)
    assert error_of(guest, foreign, "go")[0] is LinkError
    text = "Memory(MemoryType { minimum: 1 pages, maximum: None, shared: false })"
    assert error_of(guest, memory, "go") == (LinkError, f'{prefix}"memory": unknown import. Expected {text}')


def test_bytes_that_are_no_module(guest: WasmGuest) -> None:
    for bytecode in (b"", b"(module)", b"\0asm\1\0\0\0\7", b"\0asm"):
        kind, text = error_of(guest, bytecode, "go")
        assert kind is CompilationError
        assert text.startswith("compilation error: ")


def padded(size: int) -> bytes:
    """A valid module of exactly ``size`` bytes: a custom section fills it."""
    start = b"\0asm\1\0\0\0\x05\x03\x01\x00\x01\x07\x0a\x01\x06memory\x02\x00"
    rest = size - len(start) - 6
    length = bytes([(rest >> shift & 0x7F) | (0x80 if shift < 28 else 0) for shift in range(0, 35, 7)])
    return start + b"\0" + length + b"\1x" + bytes(rest - 2)


def test_module_size_at_its_edge(guest: WasmGuest) -> None:
    assert error_of(guest, padded(MAX_MODULE_SIZE), "go") == (MethodResolutionError, 'method "go" not found')
    text = "module size limit (max_module_size) exceeded: 10485761 bytes > 10485760 bytes limit"
    assert error_of(guest, padded(MAX_MODULE_SIZE + 1), "go") == (ModuleSizeLimitExceeded, text)


@pytest.mark.parametrize(
    "feature",
    [
        "(memory 1 1 shared)",
        "(memory i64 1)",
        "(func (result i32) (return_call 0))",
        "(memory 1) (memory 1)",
        "(func (param v128) (result v128) (i8x16.relaxed_swizzle (local.get 0) (local.get 0)))",
    ],
)
def test_features_that_are_off(guest: WasmGuest, feature: str) -> None:
    assert error_of(guest, bytes(wat2wasm(f"(module {feature})")), "go")[0] is CompilationError


def test_nan_is_canonical(guest: WasmGuest) -> None:
    body = """(i32.store (i32.const 2048) (i32.reinterpret_f32 (f32.add (f32.const nan:0x1234) (f32.const 1))))
              (call $value_return (i64.const 64))"""
    outcome = guest.run(call(wasm(method("go", body)), "go"))
    assert outcome.returns == bytes.fromhex("0000c07f00000000")


def test_the_memory_bound_at_its_edge(guest: WasmGuest) -> None:
    body = """(i32.store (i32.const 2048) (memory.grow (i32.const {0})))
              (i32.store (i32.const 2052) (memory.grow (i32.const 1))) (call $value_return (i64.const 64))"""
    outcome = guest.run(call(wasm(method("go", body.format(1022))), "go"))
    assert outcome.returns == (2).to_bytes(4, "little") + b"\xff" * 4
    outcome = guest.run(call(wasm(method("go", body.format(1023))), "go"))
    assert outcome.returns == b"\xff" * 4 + (2).to_bytes(4, "little")


def test_a_module_that_starts_above_the_memory_bound(guest: WasmGuest) -> None:
    assert error_of(guest, wasm(method("go", ""), memory='(memory (export "memory") 1025)'), "go")[0] is not None
    assert error_of(guest, wasm(method("go", ""), memory='(memory (export "memory") 1024)'), "go")[0] is None


def test_host_functions_see_grown_memory(guest: WasmGuest) -> None:
    """A descriptor beyond the memory of the start becomes readable once the guest has grown it."""
    body = """(call $log_utf8 (i64.const 0)) (drop (memory.grow (i32.const 1)))
              (i64.store (i32.const 196000) (i64.const 1024)) (i64.store (i32.const 196008) (i64.const 4))
              (call $log_utf8 (i64.const 196000))"""
    outcome = guest.run(call(wasm(method("go", body)), "go"))
    assert (outcome.error, outcome.logs) == (None, [KEY.decode(), "0123"])


def test_an_endless_loop_ends_at_the_deadline(tmp_path: Path) -> None:
    guest = WasmGuest(tmp_path, RuntimeConfig(deadline_ms=100))
    code = wasm(
        method("pure", "(loop br 0)"),
        method("calling", "(loop (drop (call $register_len (i64.const 0))) br 0)"),
        method("fine", LOG),
    )
    hook = wasm(method("__calimero_register_merge", "(loop br 0)"), method("go", ""))
    try:
        for module, name in ((code, "pure"), (code, "calling"), (hook, "go")):
            error = guest.run(call(module, name)).error
            assert isinstance(error, BoundReached)
            assert "100 ms" in str(error)
        assert guest.run(call(code, "fine")).error is None
    finally:
        guest.close()


def test_fuel_is_reported_and_limited(tmp_path: Path) -> None:
    guest = WasmGuest(tmp_path, RuntimeConfig(fuel_limit=10_000))
    code = wasm(method("small", LOG), method("large", "(loop br 0)"))
    try:
        first, second = guest.run(call(code, "small")), guest.run(call(code, "small"))
        assert 0 < first.fuel == second.fuel < 100
        large = guest.run(call(code, "large"))
        assert isinstance(large.error, BoundReached)
        assert large.fuel == 10_000
    finally:
        guest.close()


def test_failures_of_one_guest_do_not_reach_another(tmp_path: Path) -> None:
    """Four engines in four threads, all of them failing: each call gets its own error."""
    code = wasm(method("bad", "(drop (call $storage_read (i64.const -1) (i64.const 0)))"), method("go", LOG))
    guests = [WasmGuest(tmp_path) for _ in range(4)]

    def work(guest: WasmGuest) -> list[str]:
        return [str(guest.run(call(code, "bad" if turn % 2 else "go")).error) for turn in range(60)]

    try:
        with ThreadPoolExecutor(4) as pool:
            for texts in pool.map(work, guests):
                assert texts == ["None", "invalid memory access"] * 30
    finally:
        for guest in guests:
            guest.close()


def test_a_broken_reader_fails_the_call_alone(guest: WasmGuest) -> None:
    def broken(_key: bytes) -> bytes | None:
        raise OSError("disk is gone")

    code = wasm(method("go", "(drop (call $storage_read (i64.const 0) (i64.const 0)))"))
    outcome = guest.run(call(code, "go", state=broken))
    assert str(outcome.error) == "host panicked: OSError: disk is gone"
    assert isinstance(outcome.error.__cause__ if outcome.error else None, OSError)
    assert guest.run(call(code, "go")).error is None


def test_other_threads_run_while_a_guest_does(guest: WasmGuest) -> None:
    body = "(local $i i32) (loop $l (local.set $i (i32.add (local.get $i) (i32.const 1))) (br_if $l (local.get $i)))"
    code = wasm(method("go", body))
    steps = 0
    done = threading.Event()

    def count() -> None:
        nonlocal steps
        while not done.is_set():
            steps += 1

    counter = threading.Thread(target=count)
    counter.start()
    outcome = guest.run(call(code, "go"))
    done.set()
    counter.join()
    assert outcome.error is None
    assert steps > 1000


def test_a_closed_guest_refuses(tmp_path: Path) -> None:
    guest = WasmGuest(tmp_path)
    guest.close()
    guest.close()
    with pytest.raises(RuntimeError, match="closed"):
        guest.run(call(wasm(method("go", "")), "go"))


def test_types_that_no_host_offers_are_named(guest: WasmGuest) -> None:
    for fields, text in (
        ('(import "env" "g" (global i32))', "Global(GlobalType { ty: I32, mutability: Const })"),
        ('(import "env" "g" (global (mut i64)))', "Global(GlobalType { ty: I64, mutability: Var })"),
        ('(import "env" "t" (table 1 funcref))', "Table(TableType { ty: FuncRef, minimum: 1, maximum: None })"),
        ('(import "env" "t" (table 1 2 funcref))', "Table(TableType { ty: FuncRef, minimum: 1, maximum: Some(2) })"),
        (
            '(import "env" "m" (memory 1 2))',
            "Memory(MemoryType { minimum: 1 pages, maximum: Some(2 pages), shared: false })",
        ),
    ):
        kind, said = error_of(guest, bare(fields), "go")
        assert kind is LinkError
        assert said.endswith(f"unknown import. Expected {text}")


def test_a_memory_of_no_pages(guest: WasmGuest) -> None:
    code = bytes(
        wat2wasm(
            '(module (import "env" "log_utf8" (func $l (param i64))) (memory (export "memory") 0)'
            '(func (export "go") (call $l (i64.const 0))))'
        )
    )
    assert error_of(guest, code, "go") == (HostError, "invalid memory access")
