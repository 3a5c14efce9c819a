"""Local writes and remote actions, and the defects of the reference that are repaired here."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from node.crypto import ed25519
from node.errors import StorageError
from node.primitives import EntityId, PrivateKey
from node.storage import crdt_type
from node.storage.action import Add, Compare, DeleteRef, Update
from node.storage.collections.collection import Collection
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.owned import FrozenStorage, UserStorage
from node.storage.collections.shapes import BLOB, TEXT
from node.storage.delta import sign_actions
from node.storage.engine import Engine
from node.storage.entities import FROZEN, UNSIGNED, ChildInfo, Metadata, SignatureData, User
from node.storage.env import INTEROP, REFERENCE, REPAIRED, Rules
from node.storage.faults import (
    ActionNotAllowed,
    CannotCreateOrphan,
    Cycle,
    InvalidData,
    InvalidTimestamp,
    MergeFailure,
    NonceReplay,
    UnknownEntity,
)
from node.storage.hlc import DRIFT_NS
from node.storage.keys import entry_key, index_key
from node.storage.rows import OverlayRows
from tests.vectors.storage import ROOT, C, X, digest, eid, md
from tests.vectors.storage_steps import Harness

NOW = 10**18
LINK = (ChildInfo(ROOT, digest(0), md(10, 10)),)
R = Update(ROOT, bytes(C), (), md(10, 10))


def started(rules: Rules = INTEROP) -> Harness:
    harness = Harness(rules)
    harness.now = NOW
    harness.apply(R)
    return harness


def add(number: int, data: bytes, created: int, updated: int, above: tuple[ChildInfo, ...] = LINK) -> Add:
    return Add(eid(number), data, above, md(created, updated))


# -- reading


def test_data_without_an_index_are_an_error() -> None:
    engine = started().engine()
    engine.rows.put(entry_key(eid(1)), b"stray")
    with pytest.raises(UnknownEntity, match=f"Index not found for ID: {'01' * 32}"):
        engine.find(eid(1))
    assert engine.find(eid(2)) is None


def test_a_damaged_index_is_named() -> None:
    engine = started().engine()
    engine.rows.put(index_key(eid(1)), b"\x01")
    with pytest.raises(StorageError, match=f"Deserialization error: index of {'01' * 32}"):
        engine.find(eid(1))


# -- local writes


def test_an_entity_without_a_place_is_refused() -> None:
    with pytest.raises(CannotCreateOrphan, match=f"Cannot create orphan with ID: {'01' * 32}"):
        started().engine().save_raw(eid(1), b"x", md(1, 1))


def test_the_kind_of_action_follows_from_the_times_alone() -> None:
    engine = started().engine()
    engine.add_child_to(ROOT, eid(1), b"x", md(NOW, NOW))
    engine.save_raw(eid(1), b"y", md(NOW, NOW))
    engine.save_raw(eid(1), b"z", md(NOW, NOW + 1))
    assert [type(action) for action in engine.pending.actions] == [Add, Add, Update]


def test_an_action_carries_the_hashes_after_the_save() -> None:
    engine = started().engine()
    engine.add_child_to(ROOT, eid(1), b"x", md(NOW, NOW))
    (action,) = engine.pending.actions
    assert isinstance(action, Add)
    assert action.ancestors == (ChildInfo(ROOT, engine.index.need(ROOT).full_hash, md(10, 10)),)


def test_an_older_local_write_is_refused_without_an_action() -> None:
    engine = started().engine()
    engine.add_child_to(ROOT, eid(1), b"x", md(NOW, NOW))
    assert engine.save_raw(eid(1), b"y", md(NOW, NOW - 1)) is None
    assert len(engine.pending.actions) == 1
    assert engine.find(eid(1)) == b"x"


def test_trap_t17_a_clock_that_went_back_does_not_lose_a_local_write() -> None:
    for rules, kept in ((INTEROP, "two"), (REFERENCE, "one")):
        harness = started(rules)
        table = UnorderedMap.create(harness.engine(), TEXT, TEXT)
        table.insert("k", "one")
        harness.now -= 10**9
        table.insert("k", "two")
        assert table.get("k") == kept


def test_trap_t17_also_behind_a_tombstone() -> None:
    harness = started(REPAIRED)
    table = UnorderedMap.create(harness.engine(), TEXT, TEXT)
    table.insert("k", "one")
    table.remove("k")
    harness.now -= 10**9
    table.insert("k", "two")
    assert table.get("k") == "two"


def test_defect_s3_a_root_has_its_hash_at_once() -> None:
    for rules, expected in (
        (INTEROP, "72cd6e8422c407fb6d098690f1130b7ded7ec2f7f5e1d30bd9d521f015363793"),
        (REFERENCE, "00" * 32),
    ):
        engine = Harness(rules).engine()
        engine.index.add_root(ChildInfo(ROOT, digest(1), md(1, 1)))
        assert engine.root_hash is not None
        assert engine.root_hash.hex() == expected


def test_defect_s8_a_local_delete_has_one_time() -> None:
    for rules, same in ((INTEROP, True), (REFERENCE, False)):
        harness = started(rules)
        ticking = replace(harness.env, now_ns=lambda harness=harness: tick(harness))
        engine = Engine(harness.rows, ticking, rules)
        engine.add_child_to(ROOT, eid(1), b"x", md(NOW, NOW))
        engine.remove_child_from(ROOT, eid(1))
        action = engine.pending.actions[-1]
        assert isinstance(action, DeleteRef)
        assert (action.deleted_at == engine.index.need(eid(1)).deleted_at) is same


def tick(harness: Harness) -> int:
    harness.now += 1
    return harness.now


def test_defect_s9_data_and_tombstone_change_together() -> None:
    harness = started()
    engine = harness.engine()
    engine.add_child_to(ROOT, eid(1), b"x", md(NOW, NOW))
    engine.flush()
    before = dict(harness.rows)
    written = OverlayRows(harness.rows.get)
    engine = Engine(written, harness.env, harness.rules)
    engine.remove_child_from(ROOT, eid(1))
    assert harness.rows == before
    engine.flush()
    assert written.writes[entry_key(eid(1))] is None
    assert written.writes[index_key(eid(1))] is not None


def test_removing_what_is_not_there_is_false() -> None:
    engine = started().engine()
    assert engine.remove_child_from(ROOT, eid(1)) is False
    engine.add_child_to(ROOT, eid(2), b"x", md(NOW, NOW))
    assert engine.remove_child_from(ROOT, eid(1)) is False
    with pytest.raises(UnknownEntity):
        engine.remove_child_from(eid(9), eid(1))


def test_defect_s20_a_frozen_entity_is_not_deleted_locally() -> None:
    for rules in (INTEROP, REFERENCE):
        engine = started(rules).engine()
        stone = FrozenStorage.create(engine, BLOB)
        key = stone.insert(b"ice")
        entity = stone.inner.entry(key)
        if rules.frozen_stays:
            with pytest.raises(ActionNotAllowed, match="Frozen data cannot be deleted"):
                engine.remove_child_from(stone.inner.id, entity)
        else:
            assert engine.remove_child_from(stone.inner.id, entity)


def test_trap_t7_adding_a_frozen_value_again_is_no_change() -> None:
    engine = started().engine()
    stone = FrozenStorage.create(engine, BLOB)
    key = stone.insert(b"ice")
    actions = len(engine.pending.actions)
    assert stone.insert(b"ice") == key
    assert len(engine.pending.actions) == actions
    assert stone.get(key) == b"ice"
    assert stone.contains(key)


def test_trap_t19_a_local_change_is_signed_anew() -> None:
    key = PrivateKey(b"\x11" * 32)
    me = ed25519.public_key(key)
    for rules, fresh in ((INTEROP, True), (REFERENCE, False)):
        harness = Harness(rules, executor=me)
        harness.now = NOW
        harness.apply(R)
        old = User(me, SignatureData(b"s" * 64, 5))
        engine = harness.engine()
        engine.add_child_to(ROOT, eid(1), b"x", Metadata(NOW, NOW, old))
        action = engine.pending.actions[-1]
        assert isinstance(action, Add)
        expected = User(me, SignatureData(UNSIGNED, NOW)) if fresh else old
        assert action.metadata.storage_type == expected
        assert isinstance(sign_actions([action], me, key)[0].metadata.storage_type, User)


def test_user_data_of_others_get_no_placeholder() -> None:
    engine = started().engine()
    other = User(ed25519.public_key(PrivateKey(b"\x22" * 32)))
    engine.add_child_to(ROOT, eid(1), b"x", Metadata(NOW, NOW, other))
    action = engine.pending.actions[-1]
    assert isinstance(action, Add)
    assert action.metadata.storage_type == other


def test_trap_t8_the_root_document_is_replaced_by_a_later_one() -> None:
    engine = started().engine()
    engine.save_raw(ROOT, b"doc", md(10, 20))
    assert engine.raw(ROOT) == b"doc"
    engine.save_raw(ROOT, b"abc", md(10, 20))
    assert engine.raw(ROOT) == b"doc"
    engine.save_raw(ROOT, b"xyz", md(10, 20))
    assert engine.raw(ROOT) == b"xyz"
    with pytest.raises(MergeFailure, match=r"Merge failed: No merge function registered for root entity\. Use #\[app"):
        started(REFERENCE).engine().save_raw(ROOT, b"doc", md(10, 20))


def test_defect_s10_descendants_are_deleted_with_their_parent() -> None:
    for rules, gone in ((REPAIRED, True), (INTEROP, False)):
        engine = started(rules).engine()
        engine.add_child_to(ROOT, eid(1), b"top", md(NOW, NOW))
        engine.add_child_to(eid(1), eid(2), b"mid", md(NOW, NOW))
        engine.add_child_to(eid(2), eid(3), b"low", md(NOW, NOW))
        engine.add_child_to(eid(1), eid(4), b"ice", Metadata(NOW, NOW, FROZEN))
        engine.add_child_to(eid(1), eid(5), b"moved", md(NOW, NOW))
        engine.index.add_child_to(ROOT, ChildInfo(eid(5), digest(1), md(NOW, NOW)))
        engine.remove_child_from(ROOT, eid(1))
        assert [engine.find(eid(number)) is None for number in (2, 3)] == [gone, gone]
        assert engine.find(eid(4)) == b"ice"
        assert engine.find(eid(5)) == b"moved"
        if gone:
            time = engine.index.need(eid(1)).deleted_at
            assert {engine.index.need(eid(number)).deleted_at for number in (1, 2, 3)} == {time}


def test_defect_s10_a_descendant_without_index_is_passed_over() -> None:
    engine = started(REPAIRED).engine()
    engine.add_child_to(ROOT, eid(1), b"top", md(NOW, NOW))
    engine.add_child_to(eid(1), eid(2), b"mid", md(NOW, NOW))
    engine.index.erase(eid(2))
    assert engine.remove_child_from(ROOT, eid(1))


# -- remote actions


def test_the_future_is_refused_beyond_five_seconds() -> None:
    harness = started()
    harness.apply(add(1, b"x", NOW, NOW + DRIFT_NS))
    for late in (add(2, b"x", NOW, NOW + DRIFT_NS + 1), DeleteRef(eid(1), NOW + DRIFT_NS + 1, md(NOW, NOW))):
        with pytest.raises(InvalidTimestamp, match=r"Invalid timestamp \d+ for an action, too far in the future"):
            harness.apply(late)


def test_a_comparison_is_not_applied() -> None:
    with pytest.raises(ActionNotAllowed, match="Action not allowed: Compare"):
        started().apply(Compare(eid(1)))


def test_an_applied_write_asks_for_a_comparison() -> None:
    engine = started().engine()
    engine.apply_action(add(1, b"x", 20, 20))
    assert engine.pending.actions == [Compare(eid(1))]


def test_an_entity_cannot_be_its_own_ancestor() -> None:
    harness = started()
    harness.apply(add(1, b"top", 20, 20), add(2, b"low", 20, 20, (ChildInfo(eid(1), digest(0), md(20, 20)), *LINK)))
    with pytest.raises(Cycle, match=f"entity {'01' * 32} would be its own ancestor"):
        harness.apply(add(1, b"top", 20, 30, (ChildInfo(eid(2), digest(0), md(20, 20)), *LINK)))
    with pytest.raises(InvalidData, match="names an ancestor twice"):
        harness.apply(add(3, b"x", 20, 20, (ChildInfo(eid(3), digest(0), md(20, 20)), *LINK)))
    with pytest.raises(Cycle):
        harness.engine().index.add_child_to(eid(1), ChildInfo(eid(1), digest(0), md(1, 1)))


def test_a_circle_in_stored_rows_ends_with_an_error() -> None:
    harness = started()
    engine = harness.engine()
    for number, parent in ((1, 2), (2, 1)):
        node = engine.index._get_or_make(eid(number), md(1, 1))
        node.parent_id = eid(parent)
    with pytest.raises(Cycle):
        engine.index.ancestors(eid(1))


def test_missing_ancestors_are_made_from_the_root_down() -> None:
    harness = Harness(INTEROP)
    harness.now = NOW
    chain = (ChildInfo(eid(5), digest(5), md(3, 3)), ChildInfo(eid(4), digest(4), md(2, 2)), *LINK)
    harness.apply(add(1, b"x", 20, 20, chain))
    index = harness.engine().index
    assert [link.id for link in index.ancestors(eid(1))] == [eid(5), eid(4), ROOT]
    assert index.need(eid(4)).own_hash == digest(4)


def test_trap_t6_an_add_over_foreign_data_is_a_switch() -> None:
    mine, other = PrivateKey(b"\x11" * 32), PrivateKey(b"\x22" * 32)
    first = signed(add(1, b"mine", 20, 20), mine, 20)
    stolen = signed(add(1, b"stolen", 20, 50), other, 50)
    for rules, held in ((INTEROP, False), (REPAIRED, True)):
        harness = started(rules)
        harness.apply(first)
        if held:
            with pytest.raises(ActionNotAllowed, match="Cannot change owner of User storage"):
                harness.apply(stolen)
            with pytest.raises(ActionNotAllowed, match="Cannot change StorageType"):
                harness.apply(add(1, b"plain", 20, 60))
        else:
            harness.apply(stolen)
        assert harness.engine().raw(eid(1)) == (b"mine" if held else b"stolen")


def signed(action: Add, key: PrivateKey, nonce: int) -> Add:
    kind = User(ed25519.public_key(key), SignatureData(UNSIGNED, nonce))
    blank = msgspec.structs.replace(action, metadata=msgspec.structs.replace(action.metadata, storage_type=kind))
    (made,) = sign_actions([blank], kind.owner, key)
    assert isinstance(made, Add)
    return made


def test_a_replayed_nonce_names_owner_and_nonce() -> None:
    key = PrivateKey(b"\x11" * 32)
    harness = started()
    harness.apply(signed(add(1, b"a", 20, 20), key, 20))
    with pytest.raises(NonceReplay, match=f"user {ed25519.public_key(key)}: received nonce 20, last was 20"):
        harness.apply(signed(add(1, b"b", 20, 20), key, 20))


FROZEN_CASES = {
    "too small": (Add(eid(1), bytes(63), LINK, Metadata(20, 20, FROZEN)), "Frozen data blob is too small"),
    "wrong hash": (Add(eid(1), bytes(70), LINK, Metadata(20, 20, FROZEN)), "Entry key does not match hash"),
    "update": (Update(eid(1), bytes(70), LINK, Metadata(20, 20, FROZEN)), "Frozen data cannot be updated"),
}


@pytest.mark.parametrize("name", FROZEN_CASES)
def test_frozen_data_prove_themselves(name: str) -> None:
    action, reason = FROZEN_CASES[name]
    with pytest.raises(StorageError, match=reason):
        started().apply(action)


def test_frozen_data_are_added_and_never_deleted() -> None:
    author, peer = started(), started()
    engine = author.engine()
    stone = FrozenStorage.create(engine, BLOB)
    entity = stone.inner.entry(stone.insert(b"ice"))
    for action in engine.pending.actions:
        peer.apply(action)
    assert peer.engine().find(entity) == engine.find(entity)
    with pytest.raises(ActionNotAllowed, match="Frozen data cannot be deleted"):
        peer.apply(DeleteRef(entity, NOW + 1, md(NOW, NOW)))


def test_user_data_travel_signed_and_only_their_owner_deletes_them() -> None:
    key = PrivateKey(b"\x11" * 32)
    me = ed25519.public_key(key)
    author, peer = Harness(INTEROP, executor=me), started()
    author.now = NOW
    author.apply(R)
    engine = author.engine()
    mine = UserStorage.create(engine, BLOB)
    mine.insert(b"1")
    author.now += 1
    mine.insert(b"2")
    author.now += 1
    assert mine.remove() == b"2"
    actions = sign_actions(engine.pending.actions, me, key)
    for action in actions:
        peer.apply(action)
    assert peer.root_hash == engine.root_hash
    with pytest.raises(StorageError, match="Invalid signature"):
        peer.apply(DeleteRef(mine.inner.entry(me), NOW + 9, Metadata(NOW, NOW, User(X))))
    with pytest.raises(InvalidData, match="Remote User delete must be signed"):
        peer.apply(DeleteRef(mine.inner.entry(me), NOW + 9, Metadata(NOW, NOW, User(me))))


def test_a_delete_of_an_entity_without_parent_only_buries_it() -> None:
    harness = started()
    engine = harness.engine()
    engine.apply_action(DeleteRef(ROOT, 30, md(10, 10)))
    assert engine.find(ROOT) is None


def test_defect_s16_value_and_index_are_written_with_one_flush() -> None:
    harness = started()
    engine = harness.engine()
    engine.add_child_to(ROOT, eid(1), b"x", md(NOW, NOW))
    assert harness.engine().index.get(eid(1)) is None
    engine.flush()
    again = harness.engine()
    assert again.find(eid(1)) == b"x"
    assert again.root_hash == engine.root_hash


def test_a_type_in_metadata_does_not_keep_an_entity_from_changing() -> None:
    harness = started()
    named = Metadata(20, 20, crdt_type=crdt_type.Custom("T"))
    harness.apply(Add(eid(1), b"x", LINK, named))
    harness.apply(Update(eid(1), b"y", LINK, msgspec.structs.replace(named, updated_at=30)))
    assert harness.engine().find(eid(1)) == b"y"


def test_collections_take_the_id_that_they_are_given() -> None:
    engine = started().engine()
    assert Collection.create(engine, TEXT, EntityId(b"q" * 32)).id == b"q" * 32
