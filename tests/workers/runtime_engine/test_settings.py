from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from node.runtime.config import RuntimeConfig
from workers.runtime.engine import capi
from workers.runtime.engine.settings import fingerprint, is_tight, new_engine
from workers.runtime.engine.ticker import STEP_MS, Ticker, ticks

ROOT = Path(__file__).parents[3]

SCRIPT = """
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30))
from pathlib import Path
from tests.workers.runtime_engine.guests import call, method, wasm
from workers.runtime.engine.guest import WasmGuest
from workers.runtime.engine.settings import is_tight
guest = WasmGuest(Path(sys.argv[1]))
code = wasm(
    method("fine", "(drop (memory.grow (i32.const 1022))) (i32.store (i32.const 67108860) (i32.const 1))"),
    method("beyond", "(i32.store (i32.const 67108864) (i32.const 1))"),
    method("far", "(i32.store offset=4000000000 (i32.const -4) (i32.const 1))"),
)
print(is_tight(), [str(guest.run(call(code, name)).error) for name in ("fine", "beyond", "far")])
guest.close()
"""


def test_with_little_address_space_guests_run_with_explicit_checks(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, timeout=15, env=environment, check=False)
    assert done.stdout.strip() == "True ['None', 'memory out of bounds', 'memory out of bounds']", done.stderr[-500:]


def test_the_fingerprint_is_that_of_the_code() -> None:
    assert not is_tight()
    base = fingerprint(RuntimeConfig())
    assert base == fingerprint(RuntimeConfig(modules_in_memory=1))
    assert base != fingerprint(RuntimeConfig(memory_pages=64))


def test_deadlines_are_never_early() -> None:
    assert ticks(1) == 2
    assert ticks(STEP_MS) == 2
    assert ticks(STEP_MS + 1) == 3


def test_a_closed_ticker_is_gone() -> None:
    ticker = Ticker(new_engine(RuntimeConfig()))
    ticker.close()
    assert not ticker._thread.is_alive()


def test_errors_of_the_engine_are_read_and_deleted() -> None:
    engine = new_engine(RuntimeConfig())
    linker = capi.linker_new(capi.address(engine.ptr()))
    capi.linker_delete(linker)
    trap = capi.trap_new(b"x", 1)
    assert capi.take_trap_code(trap) is None
