"""A native application for the simulator: a map of text to text on the project's own storage engine.

It does what a compiled module does: reads rows, writes rows, leaves actions and a root. Methods: ``init``, ``set`` and
``remove`` (key, value), ``get``, and the sync entry.
"""

from __future__ import annotations

import json
from typing import Final

from node.errors import MethodResolutionError, WasmTrap
from node.primitives import EntityId
from node.runtime.call import SYNC_NEXT, GuestCall, Outcome
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.shapes import Text
from node.storage.crdt_type import UnorderedMap as MapType
from node.storage.delta import Actions, decode_artifact
from node.storage.entities import Metadata
from node.storage.env import REPAIRED, Rules, guest_env
from node.storage.faults import ActionRefused
from node.storage.interface import Interface
from node.storage.keys import collection_id
from node.storage.rows import OverlayRows

FIELD: Final = "items"
ITEMS: Final = collection_id(FIELD)
TYPE: Final = MapType("String", "String")
TEXT: Final = Text()


def take_later(engine: Interface, existing: bytes, incoming: bytes, metadata: Metadata) -> bytes:
    """The engine asks only when the incoming value is later."""
    return incoming


class MapGuest:
    """Runs calls of the map application under one set of storage rules."""

    def __init__(self, rules: Rules = REPAIRED) -> None:
        self.rules = rules

    def run(self, call: GuestCall) -> Outcome:
        rows = OverlayRows(call.state)
        env = guest_env(call.context_id, call.executor, call.now_ns, call.random_bytes)
        engine = Interface(rows, env, take_later, self.rules)
        method = _METHODS.get(call.method)
        if method is None:
            return Outcome(error=MethodResolutionError(f'method "{call.method}" not found'))
        try:
            returns = method(engine, call.args)
        except ActionRefused as refused:
            return Outcome(error=WasmTrap(str(refused)))
        return _outcome(engine, rows, returns, remote=call.method == SYNC_NEXT)


def _outcome(engine: Interface, rows: OverlayRows, returns: bytes | None, *, remote: bool) -> Outcome:
    engine.flush()
    if not rows.writes:
        return Outcome(returns=returns)
    artifact = engine.pending.take_artifact()
    return Outcome(
        returns=returns, root_hash=engine.root_hash, artifact=b"" if remote else artifact, writes=rows.writes
    )


def _map(engine: Interface) -> UnorderedMap[str, str]:
    return UnorderedMap.open(engine, ITEMS, TEXT, TEXT)


def _init(engine: Interface, args: bytes) -> None:
    now = engine.now()
    root = engine.env.root
    engine.save_raw(root, bytes(root), Metadata(now, now))
    UnorderedMap.field(engine, TEXT, TEXT, FIELD, TYPE)


def _set(engine: Interface, args: bytes) -> None:
    key, value = json.loads(args)
    _map(engine).insert(key, value)


def _remove(engine: Interface, args: bytes) -> None:
    _map(engine).remove(json.loads(args))


def _get(engine: Interface, args: bytes) -> bytes:
    return json.dumps(_map(engine).get(json.loads(args))).encode()


def _sync(engine: Interface, args: bytes) -> None:
    artifact = decode_artifact(args)
    assert isinstance(artifact, Actions)
    for action in artifact.actions:
        try:
            engine.apply_action(action)
        except ActionRefused:
            if not engine.rules.skip_refused:
                raise


def entry_of(key: str) -> EntityId:
    """The entity of a key."""
    return UnorderedMap.open(None, ITEMS, TEXT, TEXT).entry(key)  # type: ignore[arg-type]  # the id needs no engine


_METHODS: Final = {"init": _init, "set": _set, "remove": _remove, "get": _get, SYNC_NEXT: _sync}
