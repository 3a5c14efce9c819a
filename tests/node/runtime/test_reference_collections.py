"""The collection functions against the reference's own crate: equal answers, equal rows, equal actions."""

from __future__ import annotations

import random

from node.codec import borsh
from node.primitives import ContextId, Hash, PublicKey
from node.runtime.call import GuestCall
from node.runtime.host.table import TABLE
from node.runtime.logic import VMLogic
from node.runtime.memory import GuestMemory
from node.storage.delta import CausalDelta, actions_of
from tests.interop.storage_oracle.driver import CONTEXT, EXECUTOR, StorageOracle, counted_random
from tests.node.runtime.machine import Machine, R

SECOND = 10**9
OTHER = PublicKey(b"\3" * 32)


class Pair:
    """The same operation here and there, with the same clock and random bytes; a call here is one operation."""

    def __init__(self) -> None:
        self.oracle = StorageOracle(context=CONTEXT, executor=EXECUTOR, now=1_700_000_000 * SECOND)
        self.draws = 0
        self.rows: dict[bytes, bytes] = {}

    def _random(self, length: int) -> bytes:
        self.draws += 1
        return counted_random(length, self.draws - 1)

    def machine(self) -> Machine:
        machine = Machine()
        call = GuestCall(
            module=Hash.zero(), bytecode=bytes, context_id=ContextId(CONTEXT), executor=PublicKey(EXECUTOR),
            method="m", args=b"", state=self.rows.get, private=None, now_ns=lambda: self.oracle.now,
            random_bytes=self._random,
        )  # fmt: skip
        machine.vm = VMLogic(call, GuestMemory(memoryview(machine.memory), lambda: memoryview(machine.memory)))
        return machine

    def run(self, function: str, *arguments: bytes | int, op: str, **named: object) -> tuple[int, bytes]:
        """Make the call here and the operation there; compare rows and actions; answer code and register."""
        machine = self.machine()
        passed = [machine.buffer(a) if isinstance(a, bytes) else a for a in arguments]
        if TABLE[function].params[-1][1] == "register":
            passed.append(R)
        code = machine.call(function, *passed)
        assert code is not None
        machine.call("flush_delta")
        register = machine.vm.registers.data.get(R, b"")
        outcome = machine.finish()
        assert outcome.error is None
        for key, value in outcome.writes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        self.oracle.restart()
        self.answer = self.oracle.call(op, **named)
        flushed = self.oracle.flush()
        expected = borsh.decode(CausalDelta, flushed).actions if flushed else ()
        assert actions_of(outcome.artifact) == expected, op
        assert self.rows == self.oracle.rows, op
        assert (outcome.root_hash or b"") == (self.oracle.root_hash() or b"")
        self.oracle.now += SECOND
        return code, register

    def new(self, function: str, kind: str) -> bytes:
        code, wrapper = self.run(function, op=f"js.{kind}.new")
        assert (code, wrapper.hex()) == (0, self.answer)
        return wrapper


def optional(answer: object) -> tuple[int, bytes]:
    return (0, b"") if answer is None else (1, bytes.fromhex(str(answer)))


def test_maps() -> None:
    pair, rng = Pair(), random.Random(1)
    ids = [pair.new("js_crdt_map_new", "map") for _ in range(2)]  # a missing one is made with derived ids (S14)
    for _ in range(60):
        wrapper, key, value = rng.choice(ids), bytes([rng.randrange(4)]) * 3, rng.randbytes(rng.randrange(5))
        kind = rng.choice(["insert", "insert", "get", "remove", "contains"])
        named = {"id": wrapper, "key": key, **({"value": value} if kind == "insert" else {})}
        passed = (wrapper, key, value) if kind == "insert" else (wrapper, key)
        code, register = pair.run(f"js_crdt_map_{kind}", *passed, op=f"js.map.{kind}", **named)
        expected = (int(bool(pair.answer)), b"") if kind == "contains" else optional(pair.answer)
        assert (code, register) == expected
    pair.run("js_crdt_map_iter", ids[0], op="js.map.entries", id=ids[0])


def test_vectors() -> None:
    pair, rng = Pair(), random.Random(2)
    wrapper = pair.new("js_crdt_vector_new", "vector")
    for _ in range(40):
        kind = rng.choice(["push", "push", "get", "pop", "len"])
        value, index = rng.randbytes(3), rng.randrange(6)
        if kind == "push":
            code, _ = pair.run("js_crdt_vector_push", wrapper, value, op="js.vector.push", id=wrapper, value=value)
            assert code == 1
        elif kind == "get":
            found = pair.run("js_crdt_vector_get", wrapper, index, op="js.vector.get", id=wrapper, index=index)
            assert found == optional(pair.answer)
        elif kind == "pop":
            assert pair.run("js_crdt_vector_pop", wrapper, op="js.vector.pop", id=wrapper) == optional(pair.answer)
        else:
            _, raw = pair.run("js_crdt_vector_len", wrapper, op="js.vector.len", id=wrapper)
            assert int.from_bytes(raw, "little") == pair.answer


def test_sets() -> None:
    pair, rng = Pair(), random.Random(3)
    wrapper, held = pair.new("js_crdt_set_new", "set"), set()
    for _ in range(40):
        value = bytes([rng.randrange(5)])
        kind = rng.choice(
            ["remove", "contains", "clear"] if value in held else ["insert", "insert", "contains", "remove"]
        )
        if kind == "clear":
            pair.run("js_crdt_set_clear", wrapper, op="js.set.clear", id=wrapper)
            held.clear()
            continue
        code, _ = pair.run(f"js_crdt_set_{kind}", wrapper, value, op=f"js.set.{kind}", id=wrapper, value=value)
        assert code == int(pair.answer)
        held = held | {value} if kind == "insert" else held - {value} if kind == "remove" else held
    pair.run("js_crdt_set_iter", wrapper, op="js.set.values", id=wrapper)


def test_registers() -> None:
    pair = Pair()
    wrapper = pair.new("js_crdt_lww_new", "lww")
    for value in (b"a", b"a", b"", b"b"):
        pair.run("js_crdt_lww_set", wrapper, value, 1, op="js.lww.set", id=wrapper, value=value)
        assert pair.run("js_crdt_lww_get", wrapper, op="js.lww.get", id=wrapper) == (1, value)
        _, stamp = pair.run("js_crdt_lww_timestamp", wrapper, op="js.lww.timestamp", id=wrapper)
        assert stamp.hex() == pair.answer
    pair.run("js_crdt_lww_set", wrapper, 0, 0, op="js.lww.clear", id=wrapper)
    assert pair.run("js_crdt_lww_get", wrapper, op="js.lww.get", id=wrapper) == (0, b"")


def test_counters() -> None:
    pair = Pair()
    wrapper = pair.new("js_crdt_counter_new", "counter")
    for count in range(4):
        _, raw = pair.run("js_crdt_counter_value", wrapper, op="js.counter.value", id=wrapper)
        assert int.from_bytes(raw, "little") == pair.answer == count
        pair.run("js_crdt_counter_increment", wrapper, op="js.counter.increment", id=wrapper)
    pair.run(
        "js_crdt_counter_get_executor_count", wrapper, bytes(OTHER), 1,
        op="js.counter.executor_count", id=wrapper, executor=bytes(OTHER),
    )  # fmt: skip
    assert pair.answer == 0


def test_user_storage() -> None:
    """Only first writes: a second one is signed anew here, and keeps the old signature in the reference."""
    pair = Pair()
    wrapper = pair.new("js_user_storage_new", "user")
    assert pair.run("js_user_storage_insert", wrapper, b"me", op="js.user.insert", id=wrapper, value=b"me")[0] == 0
    assert pair.run("js_user_storage_get", wrapper, op="js.user.get", id=wrapper) == (1, b"me")
    for user in (EXECUTOR, bytes(OTHER)):
        code, _ = pair.run(
            "js_user_storage_contains_user", wrapper, user, op="js.user.contains_user", id=wrapper, user=user
        )
        assert code == int(pair.answer)
        found = pair.run(
            "js_user_storage_get_for_user", wrapper, user, op="js.user.get_for_user", id=wrapper, user=user
        )
        assert found == optional(pair.answer)
    assert pair.run("js_user_storage_remove", wrapper, op="js.user.remove", id=wrapper) == (1, b"me")


def test_frozen_storage() -> None:
    pair = Pair()
    wrapper = pair.new("js_frozen_storage_new", "frozen")
    for value in (b"", b"for ever"):
        code, digest = pair.run("js_frozen_storage_add", wrapper, value, op="js.frozen.add", id=wrapper, value=value)
        assert (code, digest.hex()) == (1, pair.answer)
        found = pair.run("js_frozen_storage_get", wrapper, digest, op="js.frozen.get", id=wrapper, hash=digest)
        assert found == (1, value)
        assert (
            pair.run("js_frozen_storage_contains", wrapper, digest, op="js.frozen.contains", id=wrapper, hash=digest)[0]
            == 1
        )
