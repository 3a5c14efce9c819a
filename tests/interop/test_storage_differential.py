"""The storage engine beside the reference's crate: whole scenes, step by step, with equal answers, actions and rows.

The engine runs under the reference's rules, defects included; where it repairs one without a rule for it the twins say
so. A failure names the operation; the seed is the parameter of the scene.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from node.codec import borsh
from node.errors import CodecError
from node.storage.action import Action, payload_for_signing
from node.storage.crdt_type import CrdtType
from node.storage.delta import (
    CausalDelta,
    Comparison,
    ComparisonData,
    DeltaId,
    decode_artifact,
    delta_id,
    encode_artifact,
)
from node.storage.entities import ChildInfo, EntityIndex, Metadata, StorageType
from node.storage.hlc import HybridTimestamp
from tests.interop.storage_operations import ACTION, JS, OPERATIONS
from tests.interop.storage_oracle.driver import OracleError, StorageOracle
from tests.interop.storage_scenes import JS_METHODS, RUST_METHODS, alone, apply_actions, together
from tests.interop.storage_twins import Twins
from tests.vectors.storage_sequences import sequence

QUICK = 60
ALL = 10_000


@pytest.fixture(scope="module")
def first() -> Twins:
    return Twins()


@pytest.fixture(scope="module")
def second() -> Twins:
    return Twins(salt=1)


def run(seeds: range, scene: Callable[[int], None]) -> None:
    for seed in seeds:
        try:
            scene(seed)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error


def test_one_replica(first: Twins) -> None:
    run(range(QUICK), lambda seed: alone(seed, first))


def test_two_replicas(first: Twins, second: Twins) -> None:
    run(range(QUICK // 2), lambda seed: together(seed, first, second))


def test_remote_actions_and_their_errors(first: Twins) -> None:
    run(range(2 * QUICK), lambda seed: apply_actions(seed, first))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_one_replica_at_length(first: Twins) -> None:
    run(range(ALL), lambda seed: alone(seed, first))


@pytest.mark.slow
@pytest.mark.timeout(1_800)
def test_two_replicas_at_length(first: Twins, second: Twins) -> None:
    run(range(ALL), lambda seed: together(seed, first, second))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_remote_actions_at_length(first: Twins) -> None:
    run(range(ALL), lambda seed: apply_actions(seed, first))


ELSEWHERE = {
    *("tree.apply", "tree.hlc", "tree.update_hlc"),
    *(f"col.{kind}.many" for kind in ("frozen", "user")),
    *(f"col.{kind}.init" for kind in ("frozen", "gcounter", "pncounter", "rga", "user")),
    *(f"col.{kind}.reassign" for kind in ("map", "set", "vector")),
}
"""Operations that these scenes do not make: they have tests of their own, or are steps of others."""


def test_scenes_reach_every_operation(first: Twins, second: Twins, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each operation succeeds somewhere, and most deliveries arrive: scenes that only fail would prove little."""
    done: Counter[tuple[str, bool]] = Counter()
    do = Twins.do

    def counted(self: Twins, op: str, **arguments: Any) -> tuple[bool, Any]:
        answer: tuple[bool, Any] = do(self, op, **arguments)
        done[op, answer[0]] += 1
        return answer

    monkeypatch.setattr(Twins, "do", counted)
    run(range(1_000, 1_000 + QUICK), lambda seed: alone(seed, first))
    run(range(1_000, 1_000 + QUICK // 2), lambda seed: together(seed, first, second))
    assert {op for op in OPERATIONS if not done[op, True]} == ELSEWHERE
    assert done["tree.sync", True] > done["tree.sync", False] > 0


def test_tables_of_methods_name_operations() -> None:
    for kind, methods in JS_METHODS.items():
        assert {f"js.{kind}.{method}" for method in methods} <= JS.keys()
    for kind, methods in RUST_METHODS.items():
        assert {f"col.{kind}.{method}" for method in methods} <= OPERATIONS.keys()


# clock


def test_clocks_tick_alike(first: Twins) -> None:
    dice = random.Random(1)
    first.reset()
    for _ in range(500):
        first.now += dice.choice((0, 0, 1, 14_000, 15_300, 10**6, 10**9, -(10**8)))
        if dice.random() < 0.2:
            ahead = (first.now // 10**9 + dice.randrange(-3, 9)) << 32 | dice.getrandbits(32)
            first.do("tree.update_hlc", remote=bytes(HybridTimestamp(ahead, dice.getrandbits(128) or 1)))
        first.do("tree.hlc")


# bytes

TYPES: dict[str, object] = {
    "Action": Action,
    "CausalDelta": CausalDelta,
    "ChildInfo": ChildInfo,
    "Comparison": Comparison,
    "ComparisonData": ComparisonData,
    "CrdtType": CrdtType,
    "EntityIndex": EntityIndex,
    "Metadata": Metadata,
    "StorageType": StorageType,
}


def samples(dice: random.Random) -> Iterator[tuple[str, bytes]]:
    """Encoded values, whole and damaged."""
    for action in sequence(dice.randrange(10**6)):
        yield "Action", ACTION.encode(action)
        if hasattr(action, "metadata"):
            yield "Metadata", borsh.codec(Metadata).encode(action.metadata)
            yield "StorageType", borsh.codec(StorageType).encode(action.metadata.storage_type)
        for link in getattr(action, "ancestors", ()):
            yield "ChildInfo", borsh.codec(ChildInfo).encode(link)


def damaged(dice: random.Random, data: bytes) -> bytes:
    place, kind = dice.randrange(len(data) + 1), dice.randrange(4)
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data + dice.randbytes(1)
    if kind == 2:
        return data[:place] + dice.choice((b"\0", b"\1", b"\2", b"\xff")) + data[place + 1 :]
    return data


def again(kind: object, data: bytes) -> str | None:
    try:
        codec: borsh.Codec[Any] = borsh.codec(kind)
        return codec.encode(codec.decode(data)).hex()
    except CodecError:
        return None


def again_there(oracle: StorageOracle, kind: str, data: bytes) -> str | None:
    try:
        answer: str = oracle.call("codec.roundtrip", type=kind, data=data)
    except OracleError:
        return None
    return answer


def test_the_same_bytes_are_accepted_and_written_again() -> None:
    dice, oracle, refused = random.Random(2), StorageOracle(), 0
    for _ in range(120):
        for kind, data in samples(dice):
            tried = damaged(dice, data)
            ours = again(TYPES[kind], tried)
            assert ours == again_there(oracle, kind, tried), (kind, tried.hex())
            refused += ours is None
    assert refused > 100


def test_the_same_index_rows_and_deltas_are_accepted(first: Twins) -> None:
    """Real rows: every index row of a scene, and the deltas that it makes."""
    dice = random.Random(3)
    alone(7, first, steps=60)
    rows = [value for value in first.rows.values() if again(EntityIndex, value) is not None]
    assert rows
    for row in rows * 8:
        tried = damaged(dice, row)
        assert again(EntityIndex, tried) == again_there(first.oracle, "EntityIndex", tried), tried.hex()


def test_artifacts_are_read_alike() -> None:
    dice, oracle = random.Random(4), StorageOracle()
    for seed in range(100):
        actions = [ACTION.encode(action) for action in sequence(seed)]
        artifact = b"\0" + len(actions).to_bytes(4, "little") + b"".join(actions)
        for tried in (artifact, damaged(dice, artifact), b"", bytes([dice.randrange(4)])):
            try:
                ours: str | None = encode_artifact(decode_artifact(tried)).hex()
            except CodecError:
                ours = None
            assert ours == again_there(oracle, "StorageDelta", tried), tried.hex()


def test_delta_ids_and_payloads() -> None:
    dice, oracle = random.Random(5), StorageOracle()
    for seed in range(150):
        actions = tuple(sequence(seed))
        parents = tuple(DeltaId(dice.randbytes(32)) for _ in range(dice.randrange(4)))
        raw = [ACTION.encode(action) for action in actions]
        assert delta_id(parents, actions).hex() == oracle.call("codec.delta_id", parents=parents, actions=raw)
        for action, encoded in zip(actions, raw, strict=True):
            assert payload_for_signing(action).hex() == oracle.call("codec.payload", action=encoded)
