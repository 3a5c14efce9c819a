"""The raw engine against the public API of the package, on the same calls: equal outcomes to the byte."""

from __future__ import annotations

import hashlib
import random
from dataclasses import astuple

from node.runtime.call import Outcome
from tests.workers.runtime_engine.app import WASM, App, Clock, Randomness
from tests.workers.runtime_engine.guests import EXECUTOR
from tests.workers.runtime_engine.plain_host import PlainHost
from workers.runtime.engine.guest import WasmGuest

ITEMS = hashlib.sha256(b"__calimero_collection__items").digest()


def comparable(outcome: Outcome) -> tuple[object, ...]:
    return (str(outcome.error), type(outcome.error), *astuple(outcome)[2:], outcome.returns)


def steps(seed: int, count: int) -> list[tuple[str, dict[str, object]]]:
    rng = random.Random(seed)
    keys = [f"k{n}" for n in range(6)]
    makers = [
        lambda: ("set", {"key": rng.choice(keys), "value": str(rng.random())}),
        lambda: ("get", {"key": rng.choice(keys)}),
        lambda: ("remove", {"key": rng.choice(keys)}),
        lambda: ("entries", {}),
        lambda: ("set_many", {"entries": {rng.choice(keys): "x" for _ in range(3)}}),
        lambda: ("get_result", {"key": rng.choice(keys)}),
        lambda: ("get_unchecked", {"key": rng.choice(keys)}),
        lambda: ("set_then_fail", {"key": "a", "value": "b"}),
        lambda: ("set_with_handler", {"key": rng.choice(keys), "value": "h"}),
        lambda: ("set", {"key": 5}),
        lambda: ("nope", {}),
    ]
    return [rng.choice(makers)() for _ in range(count)]


def test_both_hosts_agree_on_random_histories(guest: WasmGuest) -> None:
    code = (WASM / "kv.wasm").read_bytes()
    plain = PlainHost(code)
    for seed in range(3):
        left = App(guest, code, clock=Clock(), randomness=Randomness(seed))
        right = App(plain, code, clock=Clock(), randomness=Randomness(seed))  # type: ignore[arg-type]  # has run()
        for method, arguments in [("init", {}), *steps(seed, 25)]:
            assert comparable(left.run(method, **arguments)) == comparable(right.run(method, **arguments))
        assert left.state == right.state
        assert left.root == right.root


class TestVectors:
    """Known answers of the reference's storage inside the guest. core 0.10.0: crates/storage."""

    def test_the_id_of_a_field(self) -> None:
        assert ITEMS.hex() == "2c28bb6706f1dff0b461c6b9b7d3be01d402ee789a66759cde0a34c6a1e2329a"

    def test_the_row_of_an_entry(self, guest: WasmGuest) -> None:
        app = App(guest, (WASM / "kv.wasm").read_bytes())
        app.ok("init")
        app.ok("set", key="a", value="b")
        entry = hashlib.sha256(ITEMS + b"__calimero_entry__" + b"a").digest()
        assert entry.hex().startswith("f4f215eb")
        row = app.state[hashlib.sha256(b"\1" + entry).digest()]
        assert len(row) == 98
        assert row[:10] == b"\1\0\0\0a\1\0\0\0b"
        assert row[18:34] == EXECUTOR[:16]
        assert row[34:66] == EXECUTOR
        assert row[66:] == entry

    def test_the_root_is_that_of_the_root_entity(self, guest: WasmGuest) -> None:
        app = App(guest, (WASM / "kv.wasm").read_bytes())
        app.ok("init")
        context = b"\1" * 32
        assert app.state[hashlib.sha256(b"\1" + context).digest()] == context
        assert app.root is not None
        assert app.root in app.state[hashlib.sha256(b"\0" + context).digest()]
