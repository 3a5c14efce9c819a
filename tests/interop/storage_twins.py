"""Twins: one context on the engine under the reference's rules, and on the reference's own crate, in step.

Every operation runs on both with the same clock, random bytes and executor; answers, errors, pending actions, their
latest timestamp and all rows must be equal.
"""

from __future__ import annotations

from typing import Any, Final

from node.codec import borsh
from node.errors import CodecError, StorageError
from node.primitives import ContextId, PublicKey
from node.storage.delta import CausalDelta
from node.storage.engine import Engine
from node.storage.env import REFERENCE, Env
from node.storage.hlc import HybridClock, clock_id
from node.storage.rows import MemoryRows
from tests.interop.storage_operations import OPERATIONS, Arguments, compared, plain_comparison
from tests.interop.storage_oracle.driver import (
    CONTEXT,
    EXECUTOR,
    OracleError,
    OraclePanic,
    StorageOracle,
    counted_random,
    state_digest,
)

PANICS: Final = {
    "both actions and comparison are present": "both actions and comparison are present",
    "DeserializationError": "Deserialization error",
    "out of range for slice": "Invalid data: position out of bounds",
}
"""What is an error here and a panic there: a part of the panic's text, and our error."""


class Twins:
    """Start with :meth:`reset`. ``actions`` and ``latest`` are what the last operation left pending."""

    def __init__(self, context: bytes = CONTEXT, salt: int = 0) -> None:
        """Twins of different ``salt`` draw different random ids."""
        self.oracle = StorageOracle(context=context)
        self.oracle.random = self._draw
        self.context = ContextId(context)
        self._salt = salt << 32
        self.reset()

    def reset(self, now: int = 10**18, executor: bytes = EXECUTOR) -> None:
        self.rows = MemoryRows()
        self.executor = executor
        self.oracle.executor = executor
        self.oracle.reset()
        self.now = now
        self._draws = 0
        self._new_clock()

    @property
    def now(self) -> int:
        """Ns; one clock for both."""
        return self.oracle.now

    @now.setter
    def now(self, now: int) -> None:
        self.oracle.now = now

    def act_as(self, executor: bytes) -> None:
        self.executor = self.oracle.executor = executor

    def do(self, op: str, **arguments: Any) -> tuple[bool, Any]:
        """Run an operation on both and compare; answers ``(True, answer)`` or ``(False, error)``."""
        engine = Engine(self.rows, self._env(), REFERENCE)
        ours = self._ours(engine, op, arguments)
        theirs = self._theirs(op, arguments)
        assert _agree(op, ours, theirs), f"{op} {arguments}: {ours} here, {theirs} in the reference"
        self._compare_pending(engine, op)
        self._draws = self.oracle.draws  # a failed operation may have drawn on one side alone
        if dict(self.rows) != self.oracle.rows:
            raise AssertionError(f"rows differ after {op} {arguments}: {self._differing()}")
        return ours

    def root_hash(self) -> bytes | None:
        return Engine(self.rows, self._env(), REFERENCE).root_hash

    def digest(self) -> bytes:
        return state_digest(dict(self.rows))

    def _env(self) -> Env:
        return Env(self.context, PublicKey(self.executor), lambda: self.now, self._random, self._clock)

    def _random(self, size: int) -> bytes:
        self._draws += 1
        return self._draw(size, self._draws - 1)

    def _draw(self, size: int, index: int) -> bytes:
        return counted_random(size, index + self._salt)

    def _new_clock(self) -> None:
        """The crate names its clock after whoever executes when it is first read, so both are read now."""
        self._clock = HybridClock(lambda: self.now, clock_id(self.executor), reference=True)
        assert bytes(self._clock.next()).hex() == self.oracle.call("tree.hlc")

    def _ours(self, engine: Engine, op: str, arguments: Arguments) -> tuple[bool, Any]:
        before = MemoryRows(self.rows)
        try:
            answer = OPERATIONS[op](engine, arguments)
        except (StorageError, CodecError) as error:
            self.rows = before
            engine.pending.clear()
            return False, plain_error(str(error))
        engine.flush()
        return True, answer

    def _theirs(self, op: str, arguments: Arguments) -> tuple[bool, Any]:
        self.oracle.commits.clear()
        try:
            answer = self.oracle.attempt(op, **arguments)
        except OracleError as error:
            return False, plain_error(str(error))
        except OraclePanic as panic:
            self._new_clock()
            return False, next((text for part, text in PANICS.items() if part in str(panic)), f"panic: {panic}")
        if op == "tree.sync":
            root, artifact = self.oracle.commits.pop() if self.oracle.commits else (b"", b"")
            return True, [root.hex(), artifact.hex()]
        return True, answer

    def _compare_pending(self, engine: Engine, op: str) -> None:
        raw = self.oracle.flush()
        self.oracle.call("tree.clear_pending")
        self.actions = tuple(engine.pending.actions)
        delta = borsh.decode(CausalDelta, raw) if raw else None
        expected = delta.actions if delta is not None else ()
        if op == "tree.compare_affective":
            assert plain_comparison(self.actions) == plain_comparison(expected)
            self.oracle.restart()  # of several actions or fewer; the clocks may have ticked apart
            self._new_clock()
            return
        assert self.actions == expected, f"actions of {op}: {self.actions} here, {expected} in the reference"
        if self.actions and delta is not None:
            assert engine.pending.latest == delta.hlc, f"timestamps of {op} differ"

    def _differing(self) -> list[str]:
        keys = {*self.rows, *self.oracle.rows}
        return [key.hex() for key in sorted(keys) if self.rows.get(key) != self.oracle.rows.get(key)]


def _agree(op: str, ours: tuple[bool, Any], theirs: tuple[bool, Any]) -> bool:
    """Equal, but for what our comparison repairs and for the words of a merge that fails."""
    if op == "tree.compare" and ours[0] and theirs[0]:
        return compared(ours[1]) == compared(theirs[1])
    if op.endswith(".merge") and not ours[0]:
        return not theirs[0]
    return ours == theirs


def plain_error(text: str) -> str:
    """Errors that say more here, or say it in the words of another decoder, cut to what both say."""
    if "DeserializationError" in text or "Deserialization error" in text:
        return "Deserialization error"
    return "Nonce replay detected" if text.startswith("Nonce replay detected") else text
