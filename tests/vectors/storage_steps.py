"""Drives an engine by plain steps, so that one list of steps runs here and in a harness over the real crate.

A step is a mapping with ``op`` and its arguments; bytes are hexadecimal texts. A failing step answers ``error``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Final, TypeAlias

from node.codec import borsh
from node.errors import StorageError
from node.primitives import ContextId, EntityId, Hash, PublicKey
from node.storage.action import Action
from node.storage.engine import Engine
from node.storage.entities import ChildInfo, Metadata
from node.storage.env import REFERENCE, Env, Rules
from node.storage.hlc import HybridClock
from node.storage.index import ZERO
from node.storage.js import JsHost, persist_root_state
from node.storage.rows import MemoryRows
from tests.vectors.storage import C, X, state_digest

Step: TypeAlias = Mapping[str, object]
ACTION: Final = borsh.codec(Action)


class Harness:
    """A context whose clock stands still between steps and whose random ids are counted."""

    def __init__(self, rules: Rules = REFERENCE, context_id: ContextId = C, executor: PublicKey = X) -> None:
        self.rows = MemoryRows()
        self.now = 0
        self.drawn = 0
        clock = HybridClock(lambda: self.now, int.from_bytes(bytes(range(16)), "little"), reference=True)
        self.env = Env(context_id, executor, lambda: self.now, self._random, clock)
        self.rules = rules
        self.artifact = b""
        self.ids: dict[str, EntityId] = {}

    def _random(self, size: int) -> bytes:
        raw = sha256(b"rand" + self.drawn.to_bytes(8, "little")).digest()
        self.drawn += 1
        return raw[:size]

    def engine(self) -> Engine:
        return Engine(self.rows, self.env, self.rules)

    @property
    def root_hash(self) -> Hash | None:
        return self.engine().root_hash

    @property
    def digest(self) -> str:
        return state_digest(self.rows)

    def apply(self, *actions: Action) -> None:
        """Apply each action in an execution of its own; a refused one leaves nothing behind."""
        for action in actions:
            engine = self.engine()
            engine.apply_action(action)
            engine.flush()

    def run(self, step: Step) -> object:
        """Run one step; ``at`` sets the clock. The artifact of its actions is kept."""
        self.now = int(str(step.get("at", self.now)))
        engine = self.engine()
        try:
            answer = OPERATIONS[str(step["op"])](self, engine, step)
        except StorageError as error:
            return {"error": str(error)}
        self.artifact = engine.pending.take_artifact()
        engine.flush()
        return answer


def _bytes(step: Step, name: str) -> bytes:
    return bytes.fromhex(str(step[name]))


def _id(harness: Harness, step: Step) -> EntityId:
    name = str(step["id"])
    return harness.ids[name] if name in harness.ids else EntityId(bytes.fromhex(name))


def _keep(harness: Harness, step: Step, made: EntityId) -> str:
    harness.ids[str(step.get("as", made.hex()))] = made
    return made.hex()


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _apply(harness: Harness, engine: Engine, step: Step) -> None:
    engine.apply_action(ACTION.decode(_bytes(step, "action")))


def _sync(harness: Harness, engine: Engine, step: Step) -> object:
    report = engine.sync(_bytes(step, "artifact"))
    return [reason for _, reason in report.skipped]


def _add_root(harness: Harness, engine: Engine, step: Step) -> None:
    engine.index.add_root(ChildInfo(harness.env.root, ZERO, borsh.decode(Metadata, _bytes(step, "metadata"))))


def _save_raw(harness: Harness, engine: Engine, step: Step) -> str | None:
    metadata = borsh.decode(Metadata, _bytes(step, "metadata"))
    return _hex(engine.save_raw(_id(harness, step), _bytes(step, "data"), metadata))


def _add_child(harness: Harness, engine: Engine, step: Step) -> bool:
    metadata, parent = borsh.decode(Metadata, _bytes(step, "metadata")), EntityId(_bytes(step, "parent"))
    return engine.add_child_to(parent, _id(harness, step), _bytes(step, "data"), metadata)


def _remove_child(harness: Harness, engine: Engine, step: Step) -> bool:
    return engine.remove_child_from(EntityId(_bytes(step, "parent")), _id(harness, step))


Operation: TypeAlias = Callable[[Harness, Engine, Step], object]

OPERATIONS: Final[dict[str, Operation]] = {
    "apply": _apply,
    "sync": _sync,
    "add_root": _add_root,
    "save_raw": _save_raw,
    "add_child": _add_child,
    "remove_child": _remove_child,
    "persist_root": lambda h, e, s: persist_root_state(e, _bytes(s, "data"), 0, 0),
    "map_new": lambda h, e, s: _keep(h, s, JsHost(e).new_map()),
    "map_insert": lambda h, e, s: _hex(JsHost(e).map(_id(h, s)).insert(_bytes(s, "key"), _bytes(s, "value"))),
    "map_remove": lambda h, e, s: _hex(JsHost(e).map(_id(h, s)).remove(_bytes(s, "key"))),
    "map_get": lambda h, e, s: _hex(JsHost(e).map(_id(h, s)).get(_bytes(s, "key"))),
    "map_contains": lambda h, e, s: JsHost(e).map(_id(h, s)).contains(_bytes(s, "key")),
    "map_len": lambda h, e, s: len(JsHost(e).map(_id(h, s))),
    "map_entries": lambda h, e, s: [[k.hex(), v.hex()] for k, v in JsHost(e).map(_id(h, s)).entries()],
    "vector_new": lambda h, e, s: _keep(h, s, JsHost(e).new_vector()),
    "vector_push": lambda h, e, s: JsHost(e).vector(_id(h, s)).push(_bytes(s, "value")),
    "vector_update": lambda h, e, s: _hex(JsHost(e).vector(_id(h, s)).update(int(str(s["index"])), _bytes(s, "value"))),
    "vector_pop": lambda h, e, s: _hex(JsHost(e).vector(_id(h, s)).pop()),
    "set_new": lambda h, e, s: _keep(h, s, JsHost(e).new_set()),
    "set_insert": lambda h, e, s: JsHost(e).set(_id(h, s)).insert(_bytes(s, "value")),
    "set_remove": lambda h, e, s: JsHost(e).set(_id(h, s)).remove(_bytes(s, "value")),
    "set_clear": lambda h, e, s: JsHost(e).set(_id(h, s)).clear(),
    "counter_new": lambda h, e, s: _keep(h, s, JsHost(e).new_counter()),
    "counter_increment": lambda h, e, s: JsHost(e).counter(_id(h, s)).increment(),
    "counter_value": lambda h, e, s: JsHost(e).counter(_id(h, s)).value(),
    "lww_new": lambda h, e, s: _keep(h, s, JsHost(e).new_register()),
    "lww_set": lambda h, e, s: JsHost(e).set_register(_id(h, s), _bytes(s, "value") if "value" in s else None),
    "user_new": lambda h, e, s: _keep(h, s, JsHost(e).new_user_storage()),
    "user_insert": lambda h, e, s: _hex(JsHost(e).user_storage(_id(h, s)).insert(_bytes(s, "value"))),
    "frozen_new": lambda h, e, s: _keep(h, s, JsHost(e).new_frozen_storage()),
    "frozen_add": lambda h, e, s: _hex(JsHost(e).frozen_storage(_id(h, s)).insert(_bytes(s, "value"))),
}
