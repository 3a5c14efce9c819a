"""Settings for every test: property tests repeat themselves exactly, and no test leaves a process behind."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator

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
