"""The engine under the reference's rules beside the reference's own crate: equal answers, rows and roots."""

from __future__ import annotations

import pytest

from node.errors import StorageError
from node.storage.action import Action
from node.storage.env import REFERENCE
from tests.interop.storage_oracle.driver import OracleError, StorageOracle
from tests.vectors.storage import C, X
from tests.vectors.storage_sequences import sequence
from tests.vectors.storage_steps import ACTION, Harness

NOW = 10**18
QUICK = 400
ALL = 10_000


class Pair:
    """One context here and there, on the same clock and the same random bytes."""

    def __init__(self) -> None:
        self.oracle = StorageOracle(context=bytes(C), executor=bytes(X), now=NOW)

    def start(self) -> None:
        self.oracle.reset()
        self.harness = Harness(REFERENCE)
        self.harness.now = NOW

    def apply(self, action: Action) -> None:
        """Both apply or both refuse; a refused action leaves both as they were."""
        assert self._here(action) == self._there(action)
        assert dict(self.harness.rows) == self.oracle.rows
        self.harness.drawn = self.oracle.draws  # a refused call may have drawn on one side alone

    def _here(self, action: Action) -> bool:
        before = dict(self.harness.rows)
        try:
            self.harness.apply(action)
        except StorageError:
            assert self.harness.rows == before
            return False
        return True

    def _there(self, action: Action) -> bool:
        try:
            self.oracle.attempt("tree.apply", action=ACTION.encode(action))
        except OracleError:
            return False
        self.oracle.call("tree.clear_pending")
        return True


def compare(seeds: range) -> None:
    pair = Pair()
    for seed in seeds:
        pair.start()
        for action in sequence(seed):
            pair.apply(action)
        root = pair.harness.root_hash
        assert (root.hex() if root is not None else None) == _hex(pair.oracle.root_hash())


def _hex(root: bytes | str | None) -> str | None:
    return root.hex() if isinstance(root, bytes) else root


def test_random_sequences() -> None:
    compare(range(QUICK))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_random_sequences() -> None:
    compare(range(ALL))


@pytest.mark.parametrize("kind", ["map", "set"])
def test_a_missing_collection_is_made_as_in_the_crate(kind: str) -> None:
    pair = Pair()
    pair.start()
    wrapper, value = b"\x07" * 32, b"v"
    named = {"key": b"k", "value": value} if kind == "map" else {"value": value}
    for _ in range(2):
        step = {"op": f"{kind}_insert", "id": wrapper.hex(), **{name: raw.hex() for name, raw in named.items()}}
        pair.harness.now = pair.oracle.now
        pair.harness.run(step)
        pair.oracle.call(f"js.{kind}.insert", id=wrapper, **named)
        assert dict(pair.harness.rows) == pair.oracle.rows
        pair.oracle.now += 10**9
