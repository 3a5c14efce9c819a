"""Random call sequences over the test applications: two replicas, mistakes of the caller, and deltas on their way.

A sequence is a function of its seed. It draws its next call when the one before is done, since deltas come from calls.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from base58 import b58encode

from node.runtime.call import INIT, SYNC_NEXT
from tests.interop.runtime_oracle.driver import Moment, Step
from tests.workers.runtime_engine.js_guests import ALL_OPS, ALL_SLOTS, MAP_OPS, js_module

WASM: Final = Path(__file__).parents[2] / "apps" / "wasm"
APPS: Final = ("kv", "collections", "private", "owned")
JS: Final = ("js_map", "js_all", "js_map_flush", "js_all_flush")
"""Guests in the shape of the JavaScript SDK; the last two write their document once."""

LENGTH: Final = 16
START: Final = 1_700_000_000_000_000_000
CONTEXT: Final = b"\xc1" * 32
EXECUTORS: Final = {"one": b"\xe1" * 32, "two": b"\xe2" * 32}
MEMBERS: Final = (*EXECUTORS.values(), b"\xe3" * 32)
WORDS: Final = ("a", "b", "key", "", "ä", '"', "x" * 300)
HASH: Final = "00" * 32

LEFT_OUT: Final = frozenset({"attach"})
"""Writes a blob: the crate alone has no node to write it to."""


def modules() -> dict[str, bytes]:
    """The bytecode of all applications by name."""
    rust = {name: (WASM / f"{name}.wasm").read_bytes() for name in APPS}
    return rust | {
        "js_map": js_module(),
        "js_all": js_module(ALL_SLOTS, ALL_OPS),
        "js_map_flush": js_module(persist=False),
        "js_all_flush": js_module(ALL_SLOTS, ALL_OPS, persist=False),
    }


def _manifest(name: str) -> dict[str, dict[str, Any]]:
    methods = json.loads((WASM / f"{name}.abi.json").read_text())["methods"]
    return {m["name"]: {p["name"]: p["type"] for p in m.get("params", ())} for m in methods}


MANIFESTS: Final = {name: _manifest(name) for name in APPS}


@dataclass
class Sequence:
    """``app`` may be one of APPS or JS. :meth:`steps` is sent the artifact of each step, empty where nothing was
    committed. ``slots`` are the collections of a JavaScript guest that it uses: often one, so that much happens to it.
    """

    app: str
    seed: int
    rng: random.Random = field(init=False)
    artifacts: list[tuple[str, bytes]] = field(default_factory=list)
    now: int = START
    slots: tuple[str, ...] = ALL_SLOTS

    def __post_init__(self) -> None:
        self.rng = random.Random(f"{self.app} {self.seed}")
        if self.app.startswith("js_all") and self.rng.random() < 0.7:
            self.slots = (self.rng.choice(ALL_SLOTS),)

    def steps(self) -> Iterator[Step]:
        yield self._step("one", INIT, self._arguments(INIT))
        yield self._step("two", SYNC_NEXT, self.artifacts[0][1])
        for _ in range(LENGTH):
            replica = self.rng.choice(("one", "two"))
            yield self._step(replica, *self._next(replica))

    def committed(self, step: Step, artifact: bytes) -> None:
        """Tell of a delta that another replica may get."""
        if step.method != SYNC_NEXT and artifact:
            self.artifacts.append((step.replica, artifact))

    def _step(self, replica: str, method: str, payload: bytes) -> Step:
        """Clocks go on, stand, and at times go back."""
        rust = self.app in APPS
        self.now += self.rng.choice((0, 1_000_000, 1_000_000_000, 1_000_000_000, -500_000))
        moment = Moment(self.now, 1000 if rust else 0, self.rng.getrandbits(63))
        return Step(self.app, replica, CONTEXT, EXECUTORS[replica], method, payload, moment, MEMBERS)

    def _next(self, replica: str) -> tuple[str, bytes]:
        kind = self.rng.random()
        arrived = [artifact for origin, artifact in self.artifacts if origin != replica]
        if kind < 0.3 and arrived:
            return SYNC_NEXT, self.rng.choice(arrived[-3:])
        if kind < 0.33:
            return self.rng.choice(("missing", "", "not ok", "m" * 257, "memory")), b"{}"
        method = self.rng.choice(self._methods())
        if kind < 0.38 and self.app in APPS:
            return method, self.rng.choice((b"", b"[]", b"{", b'{"key": 5}', b"\xff", b"null"))
        return method, self._arguments(method)

    def _methods(self) -> list[str]:
        if self.app in APPS:
            return [name for name in MANIFESTS[self.app] if name not in LEFT_OUT and name != INIT]
        return [op.name for op in (MAP_OPS if self.app.startswith("js_map") else ALL_OPS) if op.slot in self.slots]

    def _arguments(self, method: str) -> bytes:
        if self.app not in APPS:
            return self._js_arguments(method)
        fields = MANIFESTS[self.app][method]
        return json.dumps({name: self._value(name, kind) for name, kind in fields.items()}).encode()

    def _js_arguments(self, method: str) -> bytes:
        rng = self.rng
        if method in {"profile_of", "user_has", "hits_of"}:
            return rng.choice(MEMBERS)
        return rng.choice((b"key-0001", b"key-0002", b"\0key-003")) + rng.choice((b"", b"value", b"other"))

    def _value(self, name: str, kind: dict[str, Any]) -> Any:
        makers: dict[str, Callable[[], Any]] = {
            "string": lambda: self.rng.choice((*WORDS, HASH) if name == "hash" else WORDS),
            "u32": lambda: self.rng.choice((0, 0, 1, 2, 3, 100)),
            "bytes": lambda: b58encode(self.rng.choice((*MEMBERS, CONTEXT))).decode(),
            "map": lambda: {self.rng.choice(WORDS): self.rng.choice(WORDS) for _ in range(self.rng.randrange(4))},
        }
        return makers[kind["kind"]]()
