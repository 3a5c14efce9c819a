"""What the runtime alone costs: host calls, calls of the key-value app, compiling, loading, instantiating.

Rows stay in a dictionary, so no store is measured. Rates are of one engine on one core.
"""

from __future__ import annotations

import hashlib
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from node.primitives import ContextId, Hash, PublicKey
from node.runtime.call import GuestCall, Outcome
from tests.workers.runtime_engine.guests import call, wasm
from workers.runtime.engine.guest import WasmGuest

APP = Path(__file__).parents[1] / "apps" / "wasm" / "kv.wasm"
HOST_CALLS = 2_000
HOST_ROUNDS = 100
ROUNDS = 5


class Context:
    """One context in memory."""

    def __init__(self, guest: WasmGuest, code: bytes) -> None:
        self.guest, self.code = guest, code
        self.module = Hash(hashlib.sha256(code).digest())
        self.rows: dict[bytes, bytes] = {}
        self.counter = 0

    def call(self, method: str, payload: bytes = b"") -> Outcome:
        outcome = self.guest.run(
            GuestCall(
                self.module, lambda: self.code, ContextId(b"\1" * 32), PublicKey(b"\2" * 32), method, payload,
                self.rows.get, None, time.time_ns, self.random,
            )
        )  # fmt: skip
        if outcome.error is not None:
            raise outcome.error
        if outcome.root_hash is not None:
            for key, value in outcome.writes.items():
                if value is None:
                    self.rows.pop(key, None)
                else:
                    self.rows[key] = value
        return outcome

    def random(self, length: int) -> bytes:
        self.counter += 1
        return hashlib.shake_128(self.counter.to_bytes(8, "little")).digest(length)


def best(work: Callable[[], object], times: int, rounds: int = ROUNDS) -> float:
    """Seconds of one ``work``, the best of some rounds of ``times``: the least disturbed one."""
    results = []
    for _ in range(rounds):
        started = time.perf_counter()
        for _ in range(times):
            work()
        results.append((time.perf_counter() - started) / times)
    return min(results)


def least_cpu(work: Callable[[], object]) -> float:
    """Seconds of processor time of one ``work``, the least of many short rounds: other programs disturb it little."""
    results = []
    for _ in range(HOST_ROUNDS):
        started = time.process_time()
        work()
        results.append(time.process_time() - started)
    return min(results)


def row(name: str, value: float, unit: str) -> dict[str, object]:
    return {"name": name, "value": round(value, 3), "unit": unit}


def run() -> Iterator[dict[str, object]]:
    code = APP.read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        yield from _modules(Path(folder), code)
        guest = WasmGuest(Path(folder))
        try:
            yield from _host_calls(guest)
            yield from _application(guest, code)
        finally:
            guest.close()


def _modules(folder: Path, code: bytes) -> Iterator[dict[str, object]]:
    """Time until a module is ready in a new guest: compiled, or loaded from disk; and then instantiated."""
    yield row("module ready, compiled", _ready(folder, code) * 1e3, "ms")
    yield row("module ready, from disk", min(_ready(folder, code) for _ in range(ROUNDS)) * 1e3, "ms")
    guest = WasmGuest(folder)
    missing = partial(guest.run, missing_method(code))
    missing()
    yield row("instantiate, merge hook, delete", best(missing, 100, 30) * 1e6, "us")
    guest.close()


def _ready(folder: Path, code: bytes) -> float:
    """Seconds of the first call of a method that does not exist: loading, and a tenth of a millisecond."""
    guest = WasmGuest(folder)
    guest.run(missing_method(wasm()))
    started = time.perf_counter()
    guest.run(missing_method(code))
    took = time.perf_counter() - started
    guest.close()
    return took


def missing_method(code: bytes) -> GuestCall:
    return call(code, "missing")


HOT = {
    "register_len": "(drop (call $register_len (i64.const 1)))",
    "input": "(call $input (i64.const 1))",
    "read_register": "(drop (call $read_register (i64.const 2) (i64.const 0)))",
    "storage_read": "(drop (call $storage_read (i64.const 0) (i64.const 1)))",
    "storage_write": "(drop (call $storage_write (i64.const 0) (i64.const 0) (i64.const 1)))",
    "time_now": "(call $time_now (i64.const 32))",
}


MIX = {
    "register_len": 73, "read_register": 73, "storage_read": 51, "input": 23, "time_now": 12, "storage_write": 9,
}  # fmt: skip
"""How often a ``set`` at 50 keys calls each; the few others count as ``input`` and ``time_now``."""


def _host_calls(guest: WasmGuest) -> Iterator[dict[str, object]]:
    """Each hot function in a loop; the empty loop is taken off."""
    loop = """(func (export "{0}") (local $n i32) (call $storage_read (i64.const 0) (i64.const 2)) drop
      (loop $next {1} (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $next (i32.lt_u (local.get $n) (i32.const {2})))))"""
    functions = [loop.format(name, body, HOST_CALLS) for name, body in HOT.items()]
    context = Context(guest, wasm(*functions, loop.format("nothing", "", HOST_CALLS), '(func (export "empty"))'))
    context.rows[b"0123456789abcdef" * 2] = bytes(32)
    base = least_cpu(lambda: context.call("nothing"))
    micros = {name: (least_cpu(partial(context.call, name)) - base) / HOST_CALLS * 1e6 for name in HOT}
    yield from (row(f"host call {name}", value, "us") for name, value in micros.items())
    mean = sum(micros[name] * count for name, count in MIX.items()) / sum(MIX.values())
    yield row("host call, mean of a set", mean, "us")
    yield row("empty call", best(lambda: context.call("empty"), 100, 30) * 1e6, "us")


def _application(guest: WasmGuest, code: bytes) -> Iterator[dict[str, object]]:
    context = Context(guest, code)
    context.call("init")
    filled = 0
    for keys in (50, 1000):
        for number in range(filled, keys):
            context.call("set", b'{"key":"k%d","value":"v"}' % number)
        filled = keys
        yield row(
            f"set at {keys} keys",
            1 / best(lambda: context.call("set", b'{"key":"k7","value":"w"}'), 4, 30),
            "per second",
        )
        yield row(f"get at {keys} keys", 1 / best(lambda: context.call("get", b'{"key":"k7"}'), 40, 30), "per second")
