"""Hostile host calls: ``python -m tests.fuzz_host [CALLS] [SEED]`` makes 100,000 of them through a real instance.

A guest reads (function, arguments) pairs from its input and calls each import with them: pointers, lengths, registers
and flags at random, near memory's edges and near 2^64. The worker must answer every one, and run an honest call
afterwards.
"""

from __future__ import annotations

import random
import struct
import sys
import tempfile
import time
from pathlib import Path

from wasmtime import wat2wasm

from node.errors import FunctionCallError, StorageError
from node.runtime.config import RuntimeConfig
from node.runtime.host.table import TABLE, HostFunction
from tests.node.runtime.machine import FakeServices
from tests.workers.runtime_engine.guests import call
from workers.runtime.engine.guest import WasmGuest

WORDS = 5
RECORD = 8 * (WORDS + 1)
BATCH = 40
PAGES = 2
MEMORY = PAGES * 65_536
AREA = 4096
"""Descriptors and their targets are below this address, so that many calls succeed in part."""

ROWS = list(TABLE.values())
EDGES = [0, 1, 16, 64, AREA, MEMORY - 33, MEMORY - 32, MEMORY - 16, MEMORY - 1, MEMORY, 1 << 31, 1 << 32]
HUGE = [(1 << 63) - 1, 1 << 63, (1 << 64) - 32, (1 << 64) - 16, (1 << 64) - 1]


def _argument(position: int, kind: str) -> str:
    load = f"(i64.load offset={8 * (position + 1)} (local.get $at))"
    return f"(i32.wrap_i64 {load})" if kind == "i32" else load


def _branch(row: HostFunction) -> str:
    arguments = " ".join(_argument(n, kind) for n, kind in enumerate(row.wasm_params))
    invoke = f"(call ${row.name} {arguments})"
    return f"(drop {invoke})" if row.result else invoke


def fuzz_module() -> bytes:
    """A guest that makes the calls its input lists; it stops, like any other, at the first that ends it."""
    imports = "\n".join(
        f'(import "env" "{row.name}" (func ${row.name} {" ".join(f"(param {p})" for p in row.wasm_params)}'
        f" {f'(result {row.result})' if row.result else ''}))"
        for row in ROWS
    )
    cases = "\n".join(
        f"(if (i64.eq (i64.load (local.get $at)) (i64.const {index})) (then {_branch(row)}))"
        for index, row in enumerate(ROWS)
    )
    return bytes(
        wat2wasm(f"""(module {imports} (memory (export "memory") {PAGES})
          (func (export "go") (local $at i32) (local $end i32)
            (call $input (i64.const 99))
            (i64.store (i32.const 0) (i64.const {AREA})) (i64.store (i32.const 8) (call $register_len (i64.const 99)))
            (drop (call $read_register (i64.const 99) (i64.const 0)))
            (local.set $at (i32.const {2 * AREA}))
            (local.set $end (i32.wrap_i64 (i64.add (i64.const {AREA}) (call $register_len (i64.const 99)))))
            (memory.copy (i32.const 0) (i32.const {AREA}) (i32.const {AREA}))
            (loop $next (if (i32.lt_u (local.get $at) (local.get $end)) (then
              {cases}
              (local.set $at (i32.add (local.get $at) (i32.const {RECORD}))) (br $next)))))
          (func (export "calm")))""")
    )


def _word(rng: random.Random) -> int:
    kind = rng.random()
    if kind < 0.55:
        return rng.randrange(0, AREA - 64)
    if kind < 0.8:
        return rng.choice(EDGES) + rng.choice((0, 0, 1, 8))
    return rng.choice(HUGE) if kind < 0.9 else rng.getrandbits(64)


def _descriptors(rng: random.Random) -> bytes:
    """The start of memory: words that make plausible descriptors wherever they are read."""
    words = [rng.choice((rng.randrange(AREA), rng.choice((0, 8, 32, 64, 100)), _word(rng))) for _ in range(AREA // 8)]
    return struct.pack(f"<{AREA // 8}Q", *(w & ((1 << 64) - 1) for w in words))


def program(rng: random.Random, calls: int) -> bytes:
    """Input for the guest: its low memory, then the calls."""
    records = [
        struct.pack("<6Q", rng.randrange(len(ROWS)), *(_word(rng) & ((1 << 64) - 1) for _ in range(WORDS)))
        for _ in range(calls)
    ]
    return _descriptors(rng) + b"".join(records)


class Fuzzer:
    """``calls`` counts host calls that were listed; a run makes those up to the first that ends it."""

    def __init__(self, guest: WasmGuest, seed: int) -> None:
        self.guest = guest
        self.rng = random.Random(seed)
        self.code = fuzz_module()
        self.errors: dict[str, int] = {}
        self.state: dict[bytes, bytes] = {}

    def step(self) -> None:
        """One program, each of its calls also alone, so that the calls behind a failing one are made as well."""
        listed = program(self.rng, BATCH)
        low, records = listed[:AREA], listed[AREA:]
        self.run(low + records)
        for at in range(0, len(records), RECORD):
            self.run(low + records[at : at + RECORD])

    def run(self, payload: bytes) -> None:
        outcome = self.guest.run(
            call(self.code, "go", payload, state=self.state.get, private=self.state.get, services=FakeServices())
        )
        error = outcome.error
        assert error is None or isinstance(error, FunctionCallError)
        assert not unforeseen(error), (
            f"a host function failed by accident: {error!r} from {error and error.__cause__!r}"
        )
        text = str(error).split(":")[0]
        self.errors[text] = self.errors.get(text, 0) + 1

    def calm(self) -> None:
        assert self.guest.run(call(self.code, "calm")).error is None


def unforeseen(error: FunctionCallError | None) -> bool:
    """A Python exception that a host function did not mean to raise; the engine keeps it as the cause."""
    return error is not None and not isinstance(error.__cause__, UnicodeDecodeError | StorageError | type(None))


def main(arguments: list[str]) -> int:
    total = int(arguments[0]) if arguments else 100_000
    seed = int(arguments[1]) if len(arguments) > 1 else time.time_ns()
    with tempfile.TemporaryDirectory() as folder:
        guest = WasmGuest(Path(folder), RuntimeConfig(deadline_ms=5_000))
        fuzzer, made, started = Fuzzer(guest, seed), 0, time.monotonic()
        while made < total:
            fuzzer.step()
            made += BATCH
        fuzzer.calm()
        guest.close()
    took = time.monotonic() - started
    sys.stdout.write(f"{made} calls, seed {seed}, {took:.0f} s\n")
    for text, count in sorted(fuzzer.errors.items(), key=lambda pair: -pair[1]):
        sys.stdout.write(f"{count:>8}  {text}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
