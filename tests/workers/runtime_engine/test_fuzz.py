"""Random host calls with hostile pointers, a few thousand in the suite and 100,000 by name."""

from __future__ import annotations

import pytest

from tests.fuzz_host import BATCH, Fuzzer
from workers.runtime.engine.guest import WasmGuest


def test_hostile_calls_never_harm_the_worker(guest: WasmGuest) -> None:
    fuzzer = Fuzzer(guest, seed=20260218)
    for _ in range(2_000 // BATCH):
        fuzzer.step()
    fuzzer.calm()
    assert {"None", "invalid memory access", "guest panicked"} <= set(fuzzer.errors)


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_thousand(guest: WasmGuest) -> None:
    fuzzer = Fuzzer(guest, seed=1)
    for _ in range(100_000 // BATCH):
        fuzzer.step()
    fuzzer.calm()
