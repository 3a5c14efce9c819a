"""A context of one node in memory: an application, its rows, and calls that commit as the owner of a context does."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from node.abi.arguments import encode_arguments
from node.primitives import Hash, PublicKey
from node.runtime.call import SYNC_NEXT, Outcome
from tests.node.runtime.machine import FakeServices
from tests.workers.runtime_engine.guests import EXECUTOR, call
from workers.runtime.engine.guest import WasmGuest

WASM = Path(__file__).parents[2] / "apps" / "wasm"

Rows = dict[bytes, bytes]


class Clock:
    """Time that moves by a millisecond whenever it is read."""

    def __init__(self, start: int = 1_700_000_000_000_000_000) -> None:
        self.now = start

    def __call__(self) -> int:
        self.now += 1_000_000
        return self.now


class Randomness:
    """Bytes that never repeat and are the same in each run."""

    def __init__(self, seed: int = 0) -> None:
        self.counter = seed << 64

    def __call__(self, length: int) -> bytes:
        self.counter += 1
        return (self.counter.to_bytes(16, "little") * (length // 16 + 1))[:length]


@dataclass
class App:
    """``executor`` runs the calls. Artifacts of committed calls are kept, so that a replica can be fed."""

    guest: WasmGuest
    code: bytes
    executor: PublicKey = EXECUTOR
    state: Rows = field(default_factory=dict)
    private: Rows = field(default_factory=dict)
    services: FakeServices | None = None
    clock: Clock = field(default_factory=Clock)
    randomness: Randomness = field(default_factory=Randomness)
    root: Hash | None = None

    def run(self, method: str, **arguments: object) -> Outcome:
        return self.raw(method, encode_arguments(arguments))

    def raw(self, method: str, payload: bytes) -> Outcome:
        outcome = self.guest.run(
            call(
                self.code,
                method,
                payload,
                state=self.state.get,
                private=self.private.get,
                executor=self.executor,
                now_ns=self.clock,
                random_bytes=self.randomness,
                services=self.services,
            )
        )
        if outcome.error is None and outcome.root_hash is not None:
            apply(self.state, outcome.writes)
            apply(self.private, outcome.private_writes)
            self.root = outcome.root_hash
        return outcome

    def ok(self, method: str, **arguments: object) -> object:
        """The JSON value that the method returns; a failure fails the test."""
        outcome = self.run(method, **arguments)
        assert outcome.error is None, f"{method}: {outcome.error} {outcome.logs}"
        return json.loads(outcome.returns) if outcome.returns else None

    def replica(self, executor: PublicKey) -> App:
        """Another node with the same rows: no private ones, another clock and other random bytes."""
        return App(
            self.guest, self.code, executor, dict(self.state), services=FakeServices(),
            clock=Clock(self.clock.now + 1_000_000), randomness=Randomness(executor[0]), root=self.root,
        )  # fmt: skip

    def receive(self, outcome: Outcome) -> Outcome:
        return self.raw(SYNC_NEXT, outcome.artifact)


def apply(rows: Rows, writes: dict[bytes, bytes | None]) -> None:
    for key, value in writes.items():
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value


def rust_app(guest: WasmGuest, name: str) -> App:
    """One of the repository's four applications, initialised."""
    app = App(guest, (WASM / f"{name}.wasm").read_bytes(), services=FakeServices(identities=[EXECUTOR]))
    outcome = app.run("init")
    assert outcome.error is None, outcome.error
    assert outcome.returns is None
    return app
