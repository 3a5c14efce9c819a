"""Guests that attack their worker. After each of them the same engine must run an honest call."""

from __future__ import annotations

from collections.abc import Iterator

import psutil
import pytest

from node.errors import FunctionCallError, HostError, WasmTrap
from node.runtime.config import RuntimeConfig
from node.runtime.faults import BoundReached
from node.runtime.limits import MAX_LOGS, MAX_TABLE_ELEMENTS, MAX_TABLES, MAX_WRITTEN_ROWS
from tests.workers.runtime_engine.guests import call, method, wasm
from workers.runtime.engine.guest import WasmGuest

FAR = (1 << 64) - 1
LOOP = "(loop $again {0} br $again)"
HONEST = wasm(method("go", "(call $log_utf8 (i64.const 0))"))


@pytest.fixture
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmGuest]:
    running = WasmGuest(tmp_path_factory.mktemp("compiled"), RuntimeConfig(deadline_ms=1500))
    yield running
    outcome = running.run(call(HONEST, "go"))
    assert (outcome.error, len(outcome.logs)) == (None, 1)
    running.close()


def fail(worker: WasmGuest, code: bytes) -> FunctionCallError:
    outcome = worker.run(call(code, "go", private=lambda _key: None))
    assert outcome.error is not None
    assert (outcome.writes, outcome.private_writes, outcome.events) == ({}, {}, [])
    return outcome.error


def test_a_memory_bomb_gets_minus_one(guest: WasmGuest) -> None:
    """Grow until the host refuses, touch every page, and say how many there are."""
    body = """(local $at i32)
      (loop $grow (br_if $grow (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (loop $touch (i32.store (local.get $at) (i32.const 7))
        (local.set $at (i32.add (local.get $at) (i32.const 65536)))
        (br_if $touch (i32.lt_u (local.get $at) (i32.mul (memory.size) (i32.const 65536)))))
      (i64.store (i32.const 64) (i64.const 0)) (i64.store (i32.const 72) (i64.const 2048))
      (i64.store (i32.const 80) (i64.const 8)) (i32.store (i32.const 2048) (memory.size))
      (call $value_return (i64.const 64))"""
    outcome = guest.run(call(wasm(method("go", body)), "go"))
    assert outcome.returns is not None
    assert int.from_bytes(outcome.returns[:4], "little") == 1024


def test_many_memory_bombs_cost_no_memory_in_the_end(guest: WasmGuest) -> None:
    body = """(local $at i32) (drop (memory.grow (i32.const 900)))
      (loop $touch (i32.store (local.get $at) (i32.const 7))
        (local.set $at (i32.add (local.get $at) (i32.const 4096)))
        (br_if $touch (i32.lt_u (local.get $at) (i32.const 58000000))))"""
    code = wasm(method("go", body))
    assert guest.run(call(code, "go")).error is None
    before = psutil.Process().memory_info().rss
    for _ in range(10):
        assert guest.run(call(code, "go")).error is None
    assert psutil.Process().memory_info().rss - before < 100 << 20


def test_deep_recursion_through_host_calls(guest: WasmGuest) -> None:
    code = wasm('(func $down (export "go") (call $log_utf8 (i64.const 0)) call $down)')
    assert str(fail(guest, code)) == "logs overflow"
    code = wasm('(func $down (export "go") (drop (call $register_len (i64.const 0))) call $down)')
    assert str(fail(guest, code)) == "stack overflow"


def test_a_million_writes_to_one_row(worker: WasmGuest) -> None:
    """Within the bounds of a row: they are many host calls, and the deadline may end them; nothing else happens."""
    write = "(drop (call $storage_write (i64.const 0) (i64.const 0) (i64.const 0)))"
    body = f"""(local $n i32) (loop $again {write} (local.set $n (i32.add (local.get $n) (i32.const 1)))
               (br_if $again (i32.lt_u (local.get $n) (i32.const 1000000))))"""
    outcome = worker.run(call(wasm(method("go", body)), "go"))
    assert outcome.error is None or isinstance(outcome.error, BoundReached)


@pytest.mark.parametrize(
    "write",
    ["storage_write (i64.const 0) (i64.const 0) (i64.const 0)", "private_storage_write (i64.const 0) (i64.const 0)"],
)
def test_a_million_rows(guest: WasmGuest, write: str) -> None:
    count = "(i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))"
    error = fail(guest, wasm(method("go", LOOP.format(f"(drop (call ${write})) {count}"))))
    assert str(error) == f"number of changed rows exceeds the limit of {MAX_WRITTEN_ROWS} for one call"


def test_many_large_values(guest: WasmGuest) -> None:
    """Rows of 1 MiB until the bound on their bytes."""
    body = f"""(drop (memory.grow (i32.const 32)))
      (i64.store (i32.const 16) (i64.const 4096)) (i64.store (i32.const 24) (i64.const 1048576))
      {
        LOOP.format('''(drop (call $storage_write (i64.const 0) (i64.const 16) (i64.const 0)))
      (i64.store (i32.const 1024) (i64.add (i64.load (i32.const 1024)) (i64.const 1)))''')
    }"""
    assert "bytes of changed rows exceeds" in str(fail(guest, wasm(method("go", body))))


@pytest.mark.parametrize("pointer", [FAR, FAR - 15, 1 << 63, 1 << 32, 131_072, 131_057])
@pytest.mark.parametrize(
    "body",
    [
        "(drop (call $storage_read (i64.const {0}) (i64.const 0)))",
        "(drop (call $storage_write (i64.const 0) (i64.const {0}) (i64.const 0)))",
        "(drop (call $private_storage_write (i64.const {0}) (i64.const {0})))",
        "(call $commit (i64.const 0) (i64.const {0}))",
        "(call $value_return (i64.const {0}))",
        "(call $log_utf8 (i64.const {0}))",
        "(call $emit (i64.const {0}))",
        "(call $time_now (i64.const {0}))",
        "(call $random_bytes (i64.const {0}))",
        "(call $panic_utf8 (i64.const {0}) (i64.const {0}))",
        "(call $input (i64.const 0)) (drop (call $read_register (i64.const 0) (i64.const {0})))",
        "(i64.store (i32.const 0) (i64.const {0})) (call $log_utf8 (i64.const 0))",
        "(i64.store (i32.const 8) (i64.const {0})) (call $log_utf8 (i64.const 0))",
    ],
)
def test_pointers_outside_memory(guest: WasmGuest, body: str, pointer: int) -> None:
    outcome = guest.run(call(wasm(method("go", body.format(pointer))), "go", private=lambda _key: None))
    assert isinstance(outcome.error, HostError)
    assert str(outcome.error) == "invalid memory access"


def test_random_bytes_beyond_memory_are_not_made(guest: WasmGuest) -> None:
    """A huge length is refused before the host spends anything on it."""
    asked: list[int] = []

    def counting(length: int) -> bytes:
        asked.append(length)
        return bytes(length)

    body = "(i64.store (i32.const 8) (i64.const 0x7fffffffffffffff)) (call $random_bytes (i64.const 0))"
    outcome = guest.run(call(wasm(method("go", body)), "go", random_bytes=counting))
    assert str(outcome.error) == "invalid memory access"
    assert asked == []


def test_floods_end_at_their_limits(guest: WasmGuest) -> None:
    code = wasm(method("go", LOOP.format("(call $log_utf8 (i64.const 0))")))
    outcome = guest.run(call(code, "go"))
    assert (str(outcome.error), len(outcome.logs)) == ("logs overflow", MAX_LOGS)
    assert str(fail(guest, wasm(method("go", LOOP.format("(call $emit (i64.const 16))"))))) == "events overflow"


def test_a_merge_hook_that_traps_or_spends_everything(worker: WasmGuest) -> None:
    hook = method("__calimero_register_merge", LOOP.format("(call $log_utf8 (i64.const 0))"))
    outcome = worker.run(call(wasm(hook, method("go", "")), "go"))
    assert (outcome.error, len(outcome.logs)) == (None, MAX_LOGS)
    outcome = worker.run(call(wasm(hook, method("go", "(call $log_utf8 (i64.const 0))")), "go"))
    assert str(outcome.error) == "logs overflow"


def test_a_start_section_that_loops(worker: WasmGuest) -> None:
    code = wasm(method("go", ""), raw="(func $s (loop br 0)) (start $s)")
    assert isinstance(fail(worker, code), BoundReached)


def test_tables_and_segments_that_do_not_fit(guest: WasmGuest) -> None:
    table = "(table $t 1 funcref)"
    grow = "(drop (table.grow $t (ref.null func) (i32.const 200000))) (drop (i32.div_u (i32.const 1) (i32.const 0)))"
    assert isinstance(fail(guest, wasm(method("go", grow), raw=table)), WasmTrap)
    assert fail(guest, wasm(method("go", ""), raw="(table 200000 funcref)"))
    segment = wasm(method("go", ""), raw='(data (i32.const -1) "xx")')
    assert str(fail(guest, segment)) == "memory out of bounds"


def test_table_elements_at_their_edge(guest: WasmGuest) -> None:
    """A table grows up to the bound, and one element more gets -1."""
    edge = MAX_TABLE_ELEMENTS - 1
    grow = f"""(if (i32.ne (table.grow $t (ref.null func) (i32.const {edge})) (i32.const 1)) (then unreachable))
      (if (i32.ne (table.grow $t (ref.null func) (i32.const 1)) (i32.const -1)) (then unreachable))"""
    assert guest.run(call(wasm(method("go", grow), raw="(table $t 1 funcref)"), "go")).error is None


@pytest.mark.parametrize("more", [0, 1])
def test_tables_at_their_edge(guest: WasmGuest, more: int) -> None:
    code = wasm(method("go", ""), raw="(table 1 funcref)" * (MAX_TABLES + more))
    assert (guest.run(call(code, "go")).error is None) == (not more)
