from __future__ import annotations

from node.primitives import EntityId
from node.runtime.diagnosis import where_sync_stopped
from node.runtime.overlay import Overlay
from node.storage.action import Add
from node.storage.delta import Actions, encode_artifact
from node.storage.entities import Metadata
from node.storage.keys import entry_key, index_key
from tests.node.runtime.machine import CONTEXT

IDS = [EntityId(bytes([n]) * 32) for n in (7, 8, 9)]
DELTA = encode_artifact(Actions(tuple(Add(entity, b"", (), Metadata()) for entity in IDS)))


def test_the_last_entity_that_was_looked_at() -> None:
    state = Overlay(lambda _key: None)
    assert where_sync_stopped(DELTA, CONTEXT, state) == "sync stopped before the first of 3 actions"
    state.read(index_key(IDS[0]))
    state.read(entry_key(IDS[1]))
    expected = f"sync stopped at action 2 of 3: Add of entity {IDS[1].hex()}"
    assert where_sync_stopped(DELTA, CONTEXT, state) == expected


def test_the_root_is_looked_at_for_every_action_and_does_not_count() -> None:
    state = Overlay(lambda _key: None)
    state.read(index_key(IDS[2]))
    assert where_sync_stopped(DELTA, IDS[2], state) == "sync stopped before the first of 3 actions"


def test_a_delta_that_cannot_be_read() -> None:
    assert where_sync_stopped(b"?", CONTEXT, Overlay(lambda _key: None)).startswith("sync stopped: the delta cannot")
