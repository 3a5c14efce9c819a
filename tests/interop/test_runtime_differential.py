"""The runtime beside the reference's crate: the same calls, with equal outcomes and rows after each of them.

Needs cargo: the oracle is built on first use (``runtime_oracle/README.md``). Time and randomness are fixed and equal.
What is known to differ has a function of its own here and a line in that README.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest

from node.primitives import ContextId, Hash, PublicKey
from node.runtime.call import SYNC_NEXT, GuestCall, Outcome
from tests.interop.runtime_oracle.driver import RuntimeOracle, Step, build
from tests.interop.runtime_oracle.sequences import APPS, Sequence, modules
from tests.node.runtime.machine import FakeServices
from tests.workers.runtime_engine.app import Rows, apply
from workers.runtime.engine.guest import WasmGuest

pytestmark = pytest.mark.interop

SHARE = 250
"""Sequences of each application: 1,000 of the four in Rust."""


class Ours:
    """The same replicas on our engine."""

    def __init__(self, guest: WasmGuest, oracle: RuntimeOracle, code: dict[str, bytes]) -> None:
        self.guest, self.oracle, self.code = guest, oracle, code
        self.hashes = {name: Hash(sha256(raw).digest()) for name, raw in code.items()}
        self.rows: dict[tuple[str, str], Rows] = {}

    def run(self, step: Step, *, keep: bool = True) -> dict[str, Any]:
        """The outcome in the oracle's form; its rows are kept as a node keeps them."""
        state, private = (self.rows.setdefault((step.replica, column), {}) for column in ("state", "private"))
        outcome = self.guest.run(self._call(step, state, private))
        answer = comparable(step, outcome, state, private)
        if keep and outcome.error is None and outcome.root_hash is not None:
            apply(state, outcome.writes)
            apply(private, outcome.private_writes)
        return answer

    def _call(self, step: Step, state: Rows, private: Rows) -> GuestCall:
        now = step.moment.now - step.moment.step

        def clock() -> int:
            nonlocal now
            now += step.moment.step
            return now

        return GuestCall(
            self.hashes[step.module], lambda: self.code[step.module], ContextId(step.context),
            PublicKey(step.executor), step.method, step.input, state.get, private.get, clock,
            self.oracle.randomness(step.moment.seed), FakeServices([PublicKey(member) for member in step.members]),
        )  # fmt: skip


def comparable(step: Step, outcome: Outcome, state: Rows, private: Rows) -> dict[str, Any]:
    """An outcome in the oracle's form."""
    return {
        "returns": hexed(outcome.returns),
        "error": None if outcome.error is None else str(outcome.error),
        "logs": outcome.logs,
        "events": [[event.kind, event.data.hex(), event.handler] for event in outcome.events],
        "xcalls": [[call.context_id.hex(), call.function, call.params.hex()] for call in outcome.xcalls],
        "root": hexed(outcome.root_hash),
        "artifact": outcome.artifact.hex(),
        "state": effective(state, outcome.writes),
        "private": effective(private, outcome.private_writes),
    }


def hexed(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def effective(rows: Rows, writes: dict[bytes, bytes | None]) -> dict[str, str | None]:
    return {key.hex(): hexed(value) for key, value in writes.items() if rows.get(key) != value}


def failed(step: Step, answer: dict[str, Any]) -> dict[str, Any]:
    """Of a failed call only the error and the logs may be used; ours drops the rest, and adds to a refused delta's
    logs where it stopped."""
    if answer["error"] is None:
        return answer
    return {"error": answer["error"], "logs": [] if step.method == SYNC_NEXT else answer["logs"]}


@pytest.fixture(scope="module")
def oracle() -> Iterator[RuntimeOracle]:
    running = RuntimeOracle(build())
    code = modules()
    for name in APPS:
        running.load(name, code[name])
    yield running
    running.close()


@pytest.fixture(scope="module")
def guest(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WasmGuest]:
    running = WasmGuest(tmp_path_factory.mktemp("compiled"))
    yield running
    running.close()


def play(sequence: Sequence, oracle: RuntimeOracle, ours: Ours) -> int:
    """Play a sequence on both; the number of calls that committed."""
    oracle.reset()
    ours.rows.clear()
    commits = 0
    for number, step in enumerate(sequence.steps()):
        theirs, mine = oracle.run(step), ours.run(step)
        where = f"{sequence.app} seed {sequence.seed} step {number}: {step.replica} {step.method} {step.input[:80]!r}"
        assert failed(step, mine) == failed(step, theirs), where
        committed = theirs["error"] is None and theirs["root"] is not None
        commits += committed
        sequence.committed(step, bytes.fromhex(theirs["artifact"]) if committed else b"")
    return commits


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("app", APPS)
def test_equal_outcomes_on_random_sequences(app: str, oracle: RuntimeOracle, guest: WasmGuest) -> None:
    ours = Ours(guest, oracle, modules())
    commits = sum(play(Sequence(app, seed), oracle, ours) for seed in range(SHARE))
    assert commits > 4 * SHARE
