from __future__ import annotations

import os
import time

from node.runtime.call import GuestCall
from node.runtime.recording import Recording
from tests.workers.runtime_engine.app import WASM
from tests.workers.runtime_engine.guests import call
from workers.runtime.engine.guest import WasmGuest


def init(code: bytes) -> GuestCall:
    return call(code, "init", b"{}", now_ns=time.time_ns, random_bytes=os.urandom)


def test_a_recorded_call_gives_the_same_bytes_again(guest: WasmGuest) -> None:
    original = init((WASM / "kv.wasm").read_bytes())
    recording = Recording()
    first = guest.run(recording.of(original))
    again = guest.run(recording.again(original))
    other = guest.run(original)
    assert first.error is None
    assert (first.writes, first.artifact, first.root_hash) == (again.writes, again.artifact, again.root_hash)
    assert first.artifact != other.artifact


def test_another_call_does_not_fit_the_recording(guest: WasmGuest) -> None:
    code = (WASM / "kv.wasm").read_bytes()
    recording = Recording()
    assert guest.run(recording.of(init(code))).error is None
    for shortened, text in (
        (Recording([], recording.random), "the recorded call read fewer times"),
        (Recording(recording.times, []), "random bytes here"),
    ):
        assert text in str(guest.run(shortened.again(init(code))).error)
