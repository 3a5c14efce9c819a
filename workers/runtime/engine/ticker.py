"""The clock that ends calls: it moves the engine's epoch on at a fixed step, in a thread of its own.

A guest looks at the epoch at every loop and function entry; a host function is not interrupted, the guest behind it is.
"""

from __future__ import annotations

import threading
from typing import Final

from wasmtime import Engine

STEP_MS: Final = 50
"""A call ends at most two steps after its deadline. Twenty wake-ups a second cost nothing that can be measured."""


def ticks(milliseconds: int) -> int:
    """The deadline in steps: never early, so the step that is under way does not count."""
    return -(-milliseconds // STEP_MS) + 1


class Ticker:
    """Ticks from construction to :meth:`close`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wasm-epoch", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(STEP_MS / 1000):
            self._engine.increment_epoch()

    def close(self) -> None:
        self._stop.set()
        self._thread.join()
