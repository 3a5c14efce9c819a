"""The child list against a plain model: same bytes, same hash, whatever is done to it."""

from __future__ import annotations

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.codec import borsh
from node.errors import DecodeError
from node.primitives import EntityId, Hash, PublicKey
from node.storage.children import MARK_STEP, SEARCHES, ChildList
from node.storage.entities import FROZEN, PUBLIC, ChildInfo, Metadata, SignatureData, StorageType, User
from tests.vectors.storage import digest, eid

OWN = Hash(b"o" * 32)
OWNER = PublicKey(b"p" * 32)
KINDS: list[StorageType] = [PUBLIC, FROZEN, User(OWNER), User(OWNER, SignatureData(b"s" * 64, 3))]
CHILDREN = borsh.codec(tuple[ChildInfo, ...])


def info(number: int, created: int, merkle: int = 1, kind: StorageType = PUBLIC, name: str | None = None) -> ChildInfo:
    return ChildInfo(eid(number), digest(merkle), Metadata(created, created, kind, field_name=name))


class Model:
    """The same operations on a sorted list of rows."""

    def __init__(self) -> None:
        self.rows: list[ChildInfo] = []

    def place(self, new: ChildInfo) -> None:
        key = (new.metadata.created_at, new.id)
        self.rows = [row for row in self.rows if (row.metadata.created_at, row.id) != key] + [new]
        self.rows.sort(key=lambda row: (row.metadata.created_at, row.id))

    def set_hash(self, at: int, merkle: Hash) -> None:
        self.rows[at] = ChildInfo(self.rows[at].id, merkle, self.rows[at].metadata)

    def drop(self, entity: EntityId) -> None:
        self.rows = [row for row in self.rows if row.id != entity]

    def digest(self) -> Hash:
        return Hash(sha256(OWN + b"".join(row.merkle_hash for row in self.rows)).digest())


INFOS = st.builds(
    info,
    st.integers(0, 12),
    st.integers(0, 6),
    st.integers(0, 255),
    st.sampled_from(KINDS),
    st.sampled_from([None, None, None, "n"]),
)
PLACE = st.tuples(st.just("place"), INFOS)
OTHERS = st.tuples(st.sampled_from(["hash", "drop", "read"]), st.integers(0, 12))
STEPS = st.lists(st.one_of(PLACE, PLACE, OTHERS), max_size=60)


@settings(max_examples=300)
@given(STEPS)
def test_it_behaves_as_a_sorted_list(steps: list[tuple[str, object]]) -> None:
    children, model = ChildList(), Model()
    for kind, value in steps:
        if isinstance(value, ChildInfo):
            children.place(value)
            model.place(value)
        elif kind == "hash" and isinstance(value, int) and model.rows:
            at = value % len(model.rows)
            children.set_hash(at, digest(value))
            model.set_hash(at, digest(value))
        elif kind == "drop" and isinstance(value, int):
            assert children.drop(eid(value)) == any(row.id == eid(value) for row in model.rows)
            model.drop(eid(value))
        else:
            children = reread(children)
        assert_equal(children, model)


def reread(children: ChildList) -> ChildList:
    raw = b"".join(children.pieces())
    again, end = ChildList.read(raw, 4, int.from_bytes(raw[:4], "little"))
    assert end == len(raw) == children.size
    return again


def assert_equal(children: ChildList, model: Model) -> None:
    assert b"".join(children.pieces()) == CHILDREN.encode(tuple(model.rows))
    assert list(children) == model.rows
    assert children.digest(OWN) == model.digest()
    assert children.ids() == list(dict.fromkeys(row.id for row in model.rows))
    for number in range(13):
        found = [at for at, row in enumerate(model.rows) if row.id == eid(number)]
        assert children.first(eid(number)) == (found[0] if found else None)
        assert (eid(number) in children) == bool(found)


def many(count: int) -> ChildList:
    children = ChildList()
    for number in range(count):
        children.place(ChildInfo(EntityId(number.to_bytes(32, "big")), digest(number % 256), Metadata(number, number)))
    return children


@pytest.mark.parametrize("at", [0, MARK_STEP - 1, MARK_STEP, 3 * MARK_STEP])
def test_the_hash_is_right_after_a_change_at_any_place(at: int) -> None:
    children = many(3 * MARK_STEP + 1)
    children.digest(OWN)
    children.set_hash(at, digest(200))
    expected = sha256(OWN + b"".join(row.merkle_hash for row in children)).digest()
    assert children.digest(OWN) == expected
    assert children.digest(Hash(b"q" * 32)) != expected
    assert children.digest(OWN) == expected


def test_an_equal_hash_changes_nothing() -> None:
    children = many(3)
    version = children.version
    children.set_hash(1, digest(1))
    assert children.version == version


def test_rows_are_found_by_position() -> None:
    children = many(3)
    assert children[2].metadata.created_at == 2


def test_an_id_is_found_where_a_row_begins_and_nowhere_else() -> None:
    inside = ChildInfo(EntityId(b"a" * 32), Hash(b"b" * 32), Metadata(1, 1))
    for children in (many(3), many(70)):
        children.place(inside)
        wanted = children.ids()
        for _ in range(2 * SEARCHES):
            assert EntityId(b"b" * 32) not in children
            assert children.first(wanted[-1]) == len(children) - 1


def test_rows_that_only_seem_to_have_one_length_are_read_one_by_one() -> None:
    rows = (info(1, 1), info(2, 2, kind=User(OWNER)), info(3, 3, name="x" * 20))
    raw = CHILDREN.encode(rows)
    children, end = ChildList.read(raw, 4, 3)
    assert end == len(raw)
    assert list(children) == list(rows)


def test_cut_rows_are_refused() -> None:
    raw = CHILDREN.encode((info(1, 1), info(2, 2)))
    with pytest.raises(DecodeError):
        ChildList.read(raw[:-1], 4, 2)
    with pytest.raises(DecodeError):
        ChildList.read(raw, 4, 3)
