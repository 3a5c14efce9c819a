"""Collections of JavaScript modules: wrappers, what they make when they are missing, the root document."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.primitives import EntityId
from node.storage.action import Add, Update
from node.storage.engine import Engine
from node.storage.env import INTEROP, REFERENCE, Rules
from node.storage.faults import CannotCreateOrphan, MergeFailure, Undecodable
from node.storage.js import JsHost, persist_root_state, read_root_state
from node.storage.keys import entry_key
from tests.vectors.storage import ROOT, X, eid
from tests.vectors.storage_steps import Harness

SECOND = 10**9


def made(rules: Rules = INTEROP) -> tuple[Harness, Engine, JsHost]:
    harness = Harness(rules)
    harness.now = 5 * SECOND
    engine = harness.engine()
    return harness, engine, JsHost(engine)


def ids(engine: Engine) -> list[EntityId]:
    """Entities of the pending actions, which are then forgotten."""
    found = [action.id for action in engine.pending.actions]
    engine.pending.clear()
    return found


OPENERS: dict[str, Callable[[JsHost, EntityId], object]] = {
    "map": JsHost.map,
    "set": JsHost.set,
    "vector": JsHost.vector,
    "counter": JsHost.counter,
    "user storage": JsHost.user_storage,
    "frozen storage": JsHost.frozen_storage,
    "register": JsHost.register,
}


@pytest.mark.parametrize("name", OPENERS)
def test_a_missing_collection_is_made_under_its_id(name: str) -> None:
    harness, engine, host = made()
    OPENERS[name](host, eid(7))
    entities = ids(engine)
    assert entities[-1] == eid(7)
    assert len(entities) == (1 if name == "register" else 2)
    assert engine.index.need(eid(7)).parent_id == ROOT
    harness.now += SECOND
    OPENERS[name](host, eid(7))
    assert ids(engine) == []


def test_the_first_collection_makes_the_index_of_the_root() -> None:
    _, engine, host = made()
    host.new_register()
    root = engine.index.need(ROOT)
    assert root.metadata.created_at == 5 * SECOND
    assert engine.raw(ROOT) is None


def test_sizes_of_wrappers() -> None:
    _, engine, host = made()
    sizes = {
        host.new_map(): 64,
        host.new_set(): 64,
        host.new_vector(): 64,
        host.new_counter(): 64,
        host.new_user_storage(): 96,
        host.new_frozen_storage(): 96,
        host.new_register(): 1 + 24 + 32 + 32,
    }
    assert {entity: len(engine.raw(entity) or b"") for entity in sizes} == sizes


def test_a_wrapper_of_another_form_is_refused() -> None:
    _, engine, host = made()
    entity = host.new_map()
    with pytest.raises(Undecodable, match="Deserialization error"):
        host.user_storage(entity)
    engine.rows.put(entry_key(entity), b"\x01")
    with pytest.raises(Undecodable):
        host.map(entity)


def test_a_tombstone_is_no_collection_again() -> None:
    harness, engine, host = made(REFERENCE)
    entity = host.new_map()
    harness.now += SECOND
    engine.remove_child_from(ROOT, entity)
    harness.now += SECOND
    with pytest.raises(CannotCreateOrphan):
        host.map(entity)


def test_operations_through_the_host() -> None:
    harness, _, host = made()
    table, values, items = host.new_map(), host.new_set(), host.new_vector()
    counter, mine, stone = host.new_counter(), host.new_user_storage(), host.new_frozen_storage()
    assert host.map(table).insert(b"k", b"v") is None
    assert host.map(table).get(b"k") == b"v"
    assert host.set(values).insert(b"x")
    host.vector(items).push(b"1")
    assert host.vector(items).get(0) == b"1"
    host.counter(counter).increment()
    assert host.counter(counter).count_of(X) == 1
    assert host.user_storage(mine).insert(b"me") is None
    key = host.frozen_storage(stone).insert(b"ice")
    assert host.frozen_storage(stone).get(key) == b"ice"
    assert harness.drawn > 0


def test_a_register_moves_its_time_with_every_write() -> None:
    harness, engine, host = made()
    entity = host.new_register()
    before = host.register(entity)
    assert (before.value, before.node_id) == (None, X)
    harness.now += SECOND
    assert host.set_register(entity, b"x")
    harness.now += SECOND
    assert not host.set_register(entity, b"x")
    after = host.register(entity)
    assert (after.value, after.timestamp > before.timestamp) == (b"x", True)
    assert isinstance(engine.pending.actions[-1], Update)
    assert host.set_register(entity, None)


def test_the_root_document_is_later_than_what_it_replaces() -> None:
    harness, engine, host = made()
    host.new_map()
    engine.pending.clear()
    assert read_root_state(engine) is None
    persist_root_state(engine, b"one", 0, 0)
    action = engine.pending.actions[-1]
    assert isinstance(action, Update)
    assert (action.metadata.created_at, action.metadata.updated_at) == (5 * SECOND, 5 * SECOND + 1)
    persist_root_state(engine, b"two", 7 * SECOND, 9 * SECOND)
    assert engine.index.need(ROOT).metadata.updated_at == 9 * SECOND + 1
    harness.now = 20 * SECOND
    persist_root_state(engine, b"three", 0, 2**64 - 1)
    assert engine.index.need(ROOT).metadata.updated_at == 2**64 - 1
    assert read_root_state(engine) == b"three"


def test_trap_t8_the_reference_cannot_store_a_second_document() -> None:
    _, engine, _ = made(REFERENCE)
    persist_root_state(engine, b"one", 0, 0)
    with pytest.raises(MergeFailure):
        persist_root_state(engine, b"two", 0, 0)


def test_trap_t1_collections_hang_below_the_root_of_their_own_context() -> None:
    _, first, host = made()
    host.new_map()
    other = Harness(INTEROP, context_id=type(X)(b"\x99" * 32))  # type: ignore[arg-type]
    other.now = SECOND
    engine = other.engine()
    entity = JsHost(engine).new_map()
    assert engine.index.need(entity).parent_id == b"\x99" * 32
    assert isinstance(first.pending.actions[0], Add)


@pytest.mark.parametrize("name", sorted(set(OPENERS) - {"register"}))
def test_defect_s14_two_nodes_that_miss_a_collection_make_the_same_one(name: str) -> None:
    for rules, same in ((INTEROP, True), (REFERENCE, False)):
        held = []
        for drawn in (0, 99):
            harness, engine, host = made(rules)
            harness.drawn = drawn
            OPENERS[name](host, eid(7))
            held.append(engine.raw(eid(7)))
        assert (held[0] == held[1]) is same


def test_an_engine_that_is_closed_has_written_its_tree() -> None:
    harness, engine, host = made()
    entity = host.new_map()
    assert harness.engine().find(ROOT) is None
    engine.close()
    assert harness.engine().find(entity) == engine.raw(entity)
