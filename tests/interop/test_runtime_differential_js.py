"""JavaScript-shaped guests beside the reference's crate, whose host engine fails where ours works on purpose.

Each call runs three times from the same rows. The crate says what the reference does. Ours without any repair must do
the same to the byte. Ours as it is may differ only where naming single repairs (``runtime_oracle/repairs.py``) accounts
for all of the difference, and only by those that README.md gives a reason for. The rows go on as the crate left them.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import pytest

from tests.interop.runtime_oracle.driver import RuntimeOracle, Step, build
from tests.interop.runtime_oracle.repairs import EXPECTED, REPAIRS, host_with
from tests.interop.runtime_oracle.sequences import JS, Sequence, modules
from tests.interop.test_runtime_differential import SHARE, Ours, failed
from tests.workers.runtime_engine.app import apply
from workers.runtime.engine.guest import WasmGuest

pytestmark = pytest.mark.interop

_log: Final = logging.getLogger(__name__)


class Compared(Ours):
    """Runs calls on the rows that the crate left, with chosen repairs, and keeps nothing of its own."""

    def answer(self, step: Step, repairs: frozenset[str]) -> dict[str, Any]:
        with host_with(repairs):
            return failed(step, self.run(step, keep=False))

    def follow(self, step: Step, theirs: dict[str, Any]) -> None:
        for column in ("state", "private"):
            changed = {bytes.fromhex(key): value and bytes.fromhex(value) for key, value in theirs[column].items()}
            apply(self.rows[step.replica, column], changed)

    def causes(self, step: Step, expected: dict[str, Any], where: str) -> frozenset[str]:
        """The repairs by which ours differs in this call; without them it must not."""
        alone = {name: self.answer(step, frozenset({name})) for name in REPAIRS}
        causes = frozenset(name for name, answer in alone.items() if answer != expected)
        assert self.answer(step, REPAIRS - causes) == expected, where
        assert causes <= EXPECTED, where
        return causes


@pytest.fixture(scope="module")
def oracle() -> Iterator[RuntimeOracle]:
    running = RuntimeOracle(build())
    code = modules()
    for name in JS:
        running.load(name, code[name])
    yield running
    running.close()


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmGuest]:
    running = WasmGuest(tmp_path_factory.mktemp("compiled"))
    yield running
    running.close()


def play(sequence: Sequence, oracle: RuntimeOracle, ours: Compared, seen: Counter[str]) -> None:
    oracle.reset()
    ours.rows.clear()
    for number, step in enumerate(sequence.steps()):
        theirs = oracle.run(step)
        expected = failed(step, theirs)
        where = f"{sequence.app} seed {sequence.seed} step {number}: {step.replica} {step.method} {step.input[:80]!r}"
        assert ours.answer(step, frozenset()) == expected, where
        seen["calls"] += 1
        if ours.answer(step, REPAIRS) == expected:
            seen["equal"] += 1
        else:
            seen.update(ours.causes(step, expected, where))
        ours.follow(step, theirs)
        committed = theirs["error"] is None and theirs["root"] is not None
        sequence.committed(step, bytes.fromhex(theirs["artifact"]) if committed else b"")


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("app", JS)
def test_every_difference_is_a_named_repair(app: str, oracle: RuntimeOracle, guest: WasmGuest) -> None:
    ours = Compared(guest, oracle, modules())
    seen: Counter[str] = Counter()
    for seed in range(SHARE):
        play(Sequence(app, seed), oracle, ours, seen)
    _log.info("%s: %s", app, dict(seen))
    assert seen["equal"] > seen["calls"] // 2
