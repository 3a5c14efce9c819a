"""What a command really loads, seen in a process of its own; contracts say what it may import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repository.source import ROOT

HEAVY = {"textual", "libp2p", "trio", "wasmtime", "rocksdict", "starlette", "uvicorn", "prompt_toolkit"}
"""What ``calimero --help`` and headless commands must not pay for."""


def loaded_by(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nsys.stdout.write(' '.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_import_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([str(lint), "--no-cache", "--no-logo"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_the_core_loads_no_event_loop() -> None:
    loaded = loaded_by("import node.primitives, node.errors, node.events")
    assert not loaded & (HEAVY | {"asyncio", "multiprocessing", "httpx"})


@pytest.mark.parametrize("module", sorted(path.stem for path in (ROOT / "calimero_tui").glob("[a-z]*.py")))
def test_the_surface_starts_light(module: str) -> None:
    assert not loaded_by(f"import calimero_tui.{module}") & HEAVY
