"""Settings for every test: property tests repeat themselves exactly, no test leaves a process behind, and a test that
needs a program which this machine lacks is left out with a line that says so.
"""

from __future__ import annotations

import multiprocessing
import os
import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

# On a busy machine a slow example says nothing about the code; the time-out per test is the limit.
COMMON = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("ci", COMMON, derandomize=True, database=None)
settings.register_profile("dev", COMMON)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture(autouse=True)
def _no_process_left() -> Iterator[None]:
    """A test that starts a process ends it; wider fixtures keep theirs until they end themselves."""
    before = set(multiprocessing.active_children())
    yield
    left = set(multiprocessing.active_children()) - before
    for process in left:
        process.kill()
        process.join()
    assert not left, f"processes left running: {sorted(process.name for process in left)}"


_left_out: dict[str, str] = {}
"""Tests that were left out, and the programs that they miss."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what cannot run here."""
    kept = [item for item in items if not _missing(item)]
    if len(kept) < len(items):
        lacking = [item for item in items if item not in kept]
        _left_out.update({item.nodeid: _missing(item) for item in lacking})
        config.hook.pytest_deselected(items=lacking)
        items[:] = kept


def _missing(item: pytest.Item) -> str:
    wanted = [program for mark in item.iter_markers("needs") for program in mark.args]
    return ", ".join(program for program in wanted if shutil.which(program) is None)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of xdist tells its parent, which alone prints."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left_out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _left_out.update(getattr(node, "workeroutput", {}).get("left_out", {}))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for test, programs in sorted(_left_out.items()):
        terminalreporter.write_line(f"left out: {test} needs {programs}, which this machine does not have")
