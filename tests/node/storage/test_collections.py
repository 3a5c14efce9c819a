"""Collections: what they answer, in which order, and what they refuse."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.errors import DecodeError, NotFound, StorageError
from node.primitives import EntityId, Hash, PublicKey
from node.storage import crdt_type
from node.storage.action import Action, Add, DeleteRef, Update
from node.storage.collections.collection import Collection
from node.storage.collections.counter import I64_MAX, U64_MAX, GCounter, PnCounter
from node.storage.collections.maps import UnorderedMap, UnorderedSet
from node.storage.collections.owned import FrozenStorage, UserStorage
from node.storage.collections.register import RegisterShape, register
from node.storage.collections.shapes import BLOB, DIGEST, NUMBER, OWNER, TEXT, read_entry, write_entry
from node.storage.collections.text import CharId, ReplicatedGrowableArray, RgaChar
from node.storage.collections.vector import Vector
from node.storage.delta import actions_of
from node.storage.engine import Engine
from node.storage.entities import Metadata
from node.storage.env import INTEROP, REFERENCE, REPAIRED, Rules
from node.storage.faults import InvalidData, Undecodable
from node.storage.hlc import ZERO, HybridTimestamp
from node.storage.keys import collection_id, entry_key
from tests.vectors.storage import ROOT, C, X, eid, md
from tests.vectors.storage_steps import Harness

NOW = 10**18
MAP_TYPE = crdt_type.UnorderedMap("String", "String")


@pytest.fixture
def harness() -> Harness:
    made = Harness(INTEROP)
    made.now = NOW
    return made


@pytest.fixture
def engine(harness: Harness) -> Engine:
    return harness.engine()


def kinds(engine: Engine) -> list[str]:
    """Names of the pending actions, which are then forgotten."""
    found = [type(action).__name__ for action in engine.pending.actions]
    engine.pending.clear()
    return found


# -- maps and sets


def test_map(engine: Engine) -> None:
    table = UnorderedMap.create(engine, TEXT, TEXT)
    assert (table.insert("a", "1"), table.insert("a", "2"), table.insert("b", "3")) == (None, "1", None)
    assert (table.get("a"), table.get("c"), table.contains("b"), table.contains("c"), len(table)) == (
        "2",
        None,
        True,
        False,
        2,
    )
    assert (table.remove("a"), table.remove("a")) == ("2", None)
    assert kinds(engine) == ["Add", "Add", "Update", "Add", "DeleteRef"]
    table.clear()
    assert (list(table.entries()), len(table), kinds(engine)) == ([], 0, ["DeleteRef"])


def test_set(engine: Engine) -> None:
    values = UnorderedSet.create(engine, TEXT)
    assert (values.insert("x"), values.insert("x"), values.insert("y")) == (True, False, True)
    assert (values.contains("x"), values.contains("z"), len(values)) == (True, False, 2)
    assert (values.remove("x"), values.remove("x")) == (True, False)
    assert list(values.values()) == ["y"]
    assert kinds(engine) == ["Add", "Add", "Add", "DeleteRef"]


def test_defect_s18_touching_a_set_value_is_no_change_unless_the_reference_is_repeated() -> None:
    for rules, expected in ((INTEROP, []), (REFERENCE, ["Update"])):
        harness = Harness(rules)
        engine = harness.engine()
        values = UnorderedSet.create(engine, TEXT)
        values.insert("x")
        engine.pending.clear()
        harness.now += 1
        values.insert("x")
        assert kinds(engine) == expected


def test_iteration_follows_creation_and_then_the_order_of_appending(harness: Harness) -> None:
    engine = harness.engine()
    table = UnorderedMap.field(engine, TEXT, TEXT, "t", MAP_TYPE)
    keys = [f"k{number}" for number in range(8)]
    for key in keys:
        table.insert(key, key)
    assert [key for key, _ in table.entries()] == keys
    by_id = sorted(keys, key=table.entry)
    again = UnorderedMap.open(engine, table.id, TEXT, TEXT)
    assert [key for key, _ in again.entries()] == by_id
    again.remove(by_id[0])
    again.insert("new", "new")
    assert [key for key, _ in again.entries()] == [*by_id[1:], "new"]
    again.remove("new")
    assert [key for key, _ in again.entries()] == by_id[1:]


@pytest.mark.parametrize("touch", [lambda table: table.contains("early"), lambda table: table.remove("gone")])
def test_asking_and_removing_fix_the_order_as_iterating_does(
    harness: Harness, touch: Callable[[UnorderedMap[str, str]], object]
) -> None:
    engine = harness.engine()
    table = UnorderedMap.create(engine, TEXT, TEXT)
    table.insert("gone", "")
    table.insert("late", "")
    opened = UnorderedMap.open(engine, table.id, TEXT, TEXT)
    touch(opened)
    opened.remove("gone")
    harness.now -= 1
    opened.insert("early", "")
    assert [key for key, _ in opened.entries()] == ["late", "early"]


def test_a_field_has_the_id_of_its_name(engine: Engine) -> None:
    assert UnorderedMap.field(engine, TEXT, TEXT, "items", MAP_TYPE).id == collection_id("items")
    assert UnorderedSet.field(engine, TEXT, "s", crdt_type.UnorderedSet("String")).id == collection_id("s")
    assert Vector.field(engine, TEXT, "v", crdt_type.Vector("String")).id == collection_id("v")
    assert ReplicatedGrowableArray.field(engine, "r").id == collection_id("r")
    actions = engine.pending.actions
    assert isinstance(actions[0], Add)
    assert actions[0].metadata == Metadata(NOW, NOW, crdt_type=MAP_TYPE, field_name="items")
    assert actions[0].data == collection_id("items")


def test_renaming_moves_maps_and_sets_and_loses_what_vectors_hold(engine: Engine) -> None:
    table, values = UnorderedMap.create(engine, TEXT, TEXT), UnorderedSet.create(engine, TEXT)
    items = Vector.create(engine, TEXT)
    table.insert("a", "1")
    values.insert("x")
    items.push("gone")
    old = [table.id, values.id, items.id]
    engine.pending.clear()
    table.rename("t", MAP_TYPE)
    values.rename("s", crdt_type.UnorderedSet("String"))
    items.rename("v", crdt_type.Vector("String"))
    assert kinds(engine) == ["DeleteRef", "Add", "Add"] * 2 + ["Add"]
    assert (dict(table.entries()), list(values.values()), list(items.values())) == ({"a": "1"}, ["x"], [])
    assert [engine.index.get(entity) for entity in old] == [None] * 3
    children = engine.index.children(ROOT)
    assert children is not None
    assert set(children.ids()) == {collection_id(name) for name in ("t", "s", "v")}


def test_entries_that_cannot_be_read_are_passed_over(engine: Engine) -> None:
    table = UnorderedMap.create(engine, TEXT, TEXT)
    for key in "abc":
        table.insert(key, key)
    engine.rows.put(entry_key(table.entry("a")), b"\xff")
    engine.rows.remove(entry_key(table.entry("b")))
    assert [key for key, _ in table.entries()] == ["c"]
    assert len(table) == 3
    with pytest.raises(Undecodable, match="Deserialization error"):
        table.get("a")


def test_a_collection_that_has_not_arrived_is_empty(engine: Engine) -> None:
    table = UnorderedMap.open(engine, eid(5), TEXT, TEXT)
    assert (len(table), table.contains("a"), table.get("a"), list(table.entries())) == (0, False, None, [])


def test_the_root_can_be_a_collection(engine: Engine) -> None:
    top = Collection.create(engine, TEXT, ROOT)
    top.insert(eid(7), "state")
    assert top.get(eid(7)) == "state"
    assert engine.raw(ROOT) == bytes(C)


# -- vectors


def test_vector(engine: Engine, harness: Harness) -> None:
    items = Vector.create(engine, TEXT)
    assert (items.pop(), items.last(), items.get(0), items.update(0, "x")) == (None, None, None, None)
    for value in "abc":
        harness.now += 1
        items.push(value)
    assert (items.get(1), items.get(3), items.last(), len(items), items.contains("c"), items.contains("z")) == (
        "b",
        None,
        "c",
        3,
        True,
        False,
    )
    assert items.update(1, "B") == "b"
    assert items.pop() == "c"
    assert list(Vector.open(engine, items.id, TEXT).values()) == ["a", "B"]
    items.clear()
    assert len(items) == 0


def test_a_vector_names_an_entry_that_is_gone(engine: Engine) -> None:
    items = Vector.create(engine, TEXT)
    items.push("a")
    (entity,) = items.inner.ids()
    engine.rows.remove(entry_key(entity))
    with pytest.raises(NotFound, match=f"Record not found with ID: {entity.hex()}"):
        items.get(0)
    assert items.update(0, "x") is None
    other = Vector.create(engine, TEXT)
    with pytest.raises(NotFound):
        other.merge(items, max)


# -- counters


def test_counters(engine: Engine) -> None:
    up, both = GCounter.create(engine), PnCounter.create(engine)
    up.increment()
    up.increment(PublicKey(b"y" * 32))
    both.increment()
    both.decrement()
    both.decrement()
    assert (up.value(), up.count_of(X), up.count_of(PublicKey(b"z" * 32)), both.value()) == (2, 1, 0, -1)
    assert GCounter.open(engine, EntityId(up.to_bytes())).value() == 2
    raw = both.to_bytes()
    assert PnCounter.open(engine, EntityId(raw[:32]), EntityId(raw[32:])).value() == -1


def test_counter_fields(engine: Engine) -> None:
    assert GCounter.field(engine, "n").positive.id == collection_id("__counter_internal_n_positive")
    both = PnCounter.field(engine, "m")
    assert both.negative.id == collection_id("__counter_internal_m_negative")


def test_counters_refuse_to_overflow(engine: Engine) -> None:
    up, both = GCounter.create(engine), PnCounter.create(engine)
    up.positive.insert(X.hex(), U64_MAX)
    with pytest.raises(InvalidData, match="Counter increment overflow: value already at u64::MAX"):
        up.increment()
    up.positive.insert("other", 1)
    with pytest.raises(InvalidData, match="Counter sum overflow: exceeded u64::MAX"):
        up.value()
    both.negative.insert(X.hex(), U64_MAX)
    with pytest.raises(InvalidData, match="Counter decrement overflow: value already at u64::MAX"):
        both.decrement()
    with pytest.raises(InvalidData, match=f"Counter value {U64_MAX} exceeds i64::MAX"):
        both.value()
    both.negative.clear()
    both.positive.insert("one", I64_MAX)
    assert both.value() == I64_MAX
    both.positive.insert("two", 1)
    with pytest.raises(InvalidData, match="Counter positive sum overflow: exceeded i64::MAX"):
        both.value()


# -- owned and frozen


def test_user_storage(engine: Engine) -> None:
    mine = UserStorage.field(engine, BLOB, "u", "V")
    assert mine.inner.id == collection_id("__user_storage_u")
    assert mine.to_bytes() == mine.inner.id + collection_id("u")
    assert (mine.insert(b"1"), mine.insert(b"2"), mine.get(), mine.get(PublicKey(b"z" * 32))) == (
        None,
        b"1",
        b"2",
        None,
    )
    assert (mine.contains(), mine.contains(PublicKey(b"z" * 32))) == (True, False)
    again = UserStorage.open(engine, mine.inner.id, mine.element, BLOB)
    assert again.remove() == b"2"
    assert not again.contains()


def test_frozen_storage_has_the_id_of_the_reference(engine: Engine) -> None:
    stone = FrozenStorage.field(engine, BLOB, "f", "V")
    key = stone.insert(b"ice")
    assert stone.inner.id == collection_id("__frozen_storage_f")
    assert stone.to_bytes() == stone.inner.id + collection_id("f")
    assert FrozenStorage.open(engine, stone.inner.id, stone.element, BLOB).get(key) == b"ice"
    assert stone.get(Hash.zero()) is None


# -- text


@pytest.mark.parametrize("rules", [INTEROP, REPAIRED], ids=["interop", "repaired"])
def test_text(rules: Rules) -> None:
    harness = Harness(rules)
    engine = harness.engine()
    note = ReplicatedGrowableArray.create(engine)
    note.insert(0, "hello")
    harness.now += 10**9
    note.insert(5, " wörld")
    harness.now += 10**9
    note.insert(0, "> ")
    assert (note.text(), len(note)) == ("> hello wörld", 13)
    note.delete(1)
    note.delete_range(0, 1)
    note.delete_range(5, 100)
    assert ReplicatedGrowableArray.open(engine, note.id).text() == "hello"


def test_defect_s15_what_follows_a_deleted_character_stays_where_it_is() -> None:
    for rules, expected in ((REPAIRED, "bcxd"), (INTEROP, "xbcd")):
        harness = Harness(rules)
        note = ReplicatedGrowableArray.create(harness.engine())
        note.insert(0, "abcd")
        harness.now += 10**9
        note.delete(0)
        note.insert(2 if rules == REPAIRED else 0, "x")
        assert note.text() == expected


def test_text_refuses_positions_outside(engine: Engine) -> None:
    note = ReplicatedGrowableArray.create(engine)
    for action in (lambda: note.insert(1, "x"), lambda: note.delete(0), lambda: note.delete_range(1, 2)):
        with pytest.raises(InvalidData, match="position out of bounds"):
            action()
    with pytest.raises(InvalidData, match="start must be <= end"):
        note.delete_range(2, 1)


def put(note: ReplicatedGrowableArray, letter: str, number: int, left: int) -> None:
    here, before = (CharId(HybridTimestamp(at, 1), 0) for at in (number, left))
    note.chars.insert(here, RgaChar(ord(letter), before))


@pytest.mark.parametrize(("rules", "expected"), [(INTEROP, {"acdb"}), (REFERENCE, {"acdb", "acbd"})])
def test_defect_s15_the_order_depends_on_the_characters_alone(rules: Rules, expected: set[str]) -> None:
    """b and c both follow a, d follows c: whoever heard them in another order sees the same text."""
    found = set()
    for order in ("abcd", "adbc", "acbd", "bacd", "dcba"):
        harness = Harness(rules)
        note = ReplicatedGrowableArray.create(harness.engine())
        for letter in order:
            harness.now += 1
            put(note, letter, *{"a": (1, 0), "b": (2, 1), "c": (3, 1), "d": (4, 3)}[letter])
        found.add(note.text())
    assert found <= expected
    assert len(found) == 1 or rules == REFERENCE


def test_defect_s15_what_lost_its_left_neighbour_stands_behind_the_rest(engine: Engine) -> None:
    note = ReplicatedGrowableArray.create(engine)
    for letter, number, left in (("x", 9, 8), ("y", 5, 4), ("a", 1, 0), ("z", 6, 5)):
        put(note, letter, number, left)
    assert note.text() == "ayzx"


def test_the_order_of_the_reference_follows_the_latest_and_then_storage() -> None:
    harness = Harness(REFERENCE)
    note = ReplicatedGrowableArray.create(harness.engine())
    for letter, number, left in (("b", 2, 0), ("x", 9, 8), ("a", 3, 0), ("c", 4, 2)):
        harness.now += 1
        put(note, letter, number, left)
    assert note.text() == "abcx"
    other = ReplicatedGrowableArray.create(harness.engine())
    for letter, number, left in (("c", 4, 2), ("b", 2, 8)):
        harness.now += 1
        put(other, letter, number, left)
    assert other.text() == "cb"
    assert ReplicatedGrowableArray.create(harness.engine()).text() == ""


def test_a_number_that_is_no_scalar_shows_as_unknown(engine: Engine) -> None:
    note = ReplicatedGrowableArray.create(engine)
    for number, content in enumerate((0xD800, 0x110000, 0x10FFFF), 1):
        note.chars.insert(CharId(HybridTimestamp(number, 1), 0), RgaChar(content, CharId(ZERO, 0)))
    assert sorted(note.text()) == ["\ufffd", "\ufffd", "\U0010ffff"]


def test_an_entry_of_a_text_has_92_bytes(engine: Engine) -> None:
    note = ReplicatedGrowableArray.create(engine)
    put(note, "a", 1, 0)
    (entity,) = note.chars.inner.ids()
    assert len(engine.raw(entity) or b"") == 92


# -- shapes and registers


def test_shapes() -> None:
    for shape, value, raw in (
        (TEXT, "é", "é".encode()),
        (BLOB, b"x", b"x"),
        (OWNER, X, bytes(X)),
        (DIGEST, Hash.zero(), bytes(32)),
    ):
        encoded = shape.encode(value)  # type: ignore[attr-defined]
        assert shape.decode_prefix(encoded) == (value, len(encoded))  # type: ignore[attr-defined]
        assert shape.raw(value) == raw  # type: ignore[attr-defined]


def test_an_entry_must_end_behind_its_id() -> None:
    data = write_entry(NUMBER, 5, eid(1))
    assert read_entry(NUMBER, data) == 5
    with pytest.raises(DecodeError, match="1 bytes are left over behind the entry"):
        read_entry(NUMBER, data + b"\0")
    with pytest.raises(DecodeError):
        read_entry(NUMBER, data[:-1])


def test_registers_carry_time_and_executor(engine: Engine) -> None:
    shape = RegisterShape(TEXT)
    written = register(engine, "v")
    assert written.node_id == X
    assert shape.decode_prefix(shape.encode(written)) == (written, 5 + 24 + 32)
    with engine.merge_mode():
        merged = register(engine, "v")
    assert (merged.timestamp, merged.node_id) == (ZERO, PublicKey.zero())


def test_nested_collections_are_values_by_id(engine: Engine) -> None:
    """A map of counters: the value is the counter's id, its entries live below the root."""
    table, inner = UnorderedMap.create(engine, TEXT, OWNER), GCounter.create(engine)
    table.insert("likes", PublicKey(inner.to_bytes()))
    found = table.get("likes")
    assert found is not None
    GCounter.open(engine, EntityId(found)).increment()
    assert inner.value() == 1
    assert engine.index.need(inner.positive.id).parent_id == ROOT


def test_every_action_of_a_collection_can_be_replayed(engine: Engine) -> None:
    table = UnorderedMap.field(engine, TEXT, TEXT, "t", MAP_TYPE)
    table.insert("a", "1")
    table.insert("a", "2")
    table.remove("a")
    artifact = engine.pending.take_actions()
    actions: tuple[Action, ...] = actions_of(artifact)
    assert [type(action) for action in actions] == [Add, Add, Update, DeleteRef]
    peer = Harness(INTEROP)
    peer.now = NOW
    other = peer.engine()
    assert other.sync(artifact).skipped == []
    assert other.index.need(table.id).full_hash == engine.index.need(table.id).full_hash


def test_metadata_of_an_entry_keeps_its_creation(engine: Engine, harness: Harness) -> None:
    table = UnorderedMap.create(engine, TEXT, TEXT)
    table.insert("a", "1")
    harness.now += 5
    table.insert("a", "2")
    assert engine.index.metadata(table.entry("a")) == md(NOW, NOW + 5)
    update = engine.pending.actions[-1]
    assert isinstance(update, Update)
    assert update.metadata == md(NOW, NOW + 5)


def test_an_error_of_storage_is_one() -> None:
    assert issubclass(Undecodable, StorageError)
