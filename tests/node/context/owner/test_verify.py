"""Does a set of rows have the root that a peer announces?"""

from __future__ import annotations

from hashlib import sha256

import pytest

from node.codec import borsh
from node.context.owner.tree import StateNode, actions_of
from node.context.owner.verify import verified_root
from node.errors import IndexMismatch
from node.primitives import ContextId, EntityId, Hash
from node.storage.action import Add, DeleteRef
from node.storage.entities import ChildInfo, EntityIndex, Metadata
from node.storage.keys import entry_key, index_key

CONTEXT = ContextId(b"\xc1" * 32)
ROOT, A, B = EntityId(CONTEXT), EntityId(b"\x0a" * 32), EntityId(b"\x0b" * 32)


def digest(*parts: bytes) -> Hash:
    return Hash(sha256(b"".join(parts)).digest())


def index(entity: EntityId, data: bytes, parent: EntityId | None, *children: ChildInfo) -> EntityIndex:
    own = digest(data)
    full = digest(own, *(child.merkle_hash for child in children))
    return EntityIndex(entity, parent, children or None, full, own, Metadata(1, 1))


def row(child: EntityIndex, created: int = 1, stale: Hash | None = None) -> ChildInfo:
    return ChildInfo(child.id, stale or child.full_hash, Metadata(created, created))


def rows(*entities: tuple[EntityIndex, bytes]) -> dict[bytes, bytes]:
    found = {index_key(one.id): borsh.encode(one) for one, _ in entities}
    return found | {entry_key(one.id): data for one, data in entities}


def test_an_honest_tree_is_accepted() -> None:
    a, b = index(A, b"a", ROOT), index(B, b"b", ROOT)
    root = index(ROOT, b"root", None, row(a), row(b))
    assert verified_root(rows((a, b"a"), (b, b"b"), (root, b"root")), CONTEXT, root.full_hash) == root.full_hash


def test_rows_outside_the_tree_are_accepted() -> None:
    root = index(ROOT, b"root", None)
    held = rows((root, b"root")) | {b"app".ljust(32, b"\0"): b"anything"}
    assert verified_root(held, CONTEXT, root.full_hash)


def test_a_second_row_of_an_entity_may_be_stale() -> None:
    """Only the first row is kept current by the reference."""
    a = index(A, b"a", ROOT)
    root = index(ROOT, b"root", None, row(a), row(a, 2, Hash(b"\5" * 32)))
    assert verified_root(rows((a, b"a"), (root, b"root")), CONTEXT, root.full_hash)


def test_an_entity_that_moved_leaves_a_row_behind() -> None:
    b = index(B, b"b", ROOT)
    a = index(A, b"a", ROOT, row(b, 1, Hash(b"\5" * 32)))
    root = index(ROOT, b"root", None, row(a), row(b))
    assert verified_root(rows((a, b"a"), (b, b"b"), (root, b"root")), CONTEXT, root.full_hash)


def test_what_is_forged_or_missing_is_named() -> None:
    a = index(A, b"a", ROOT)
    root = index(ROOT, b"root", None, row(a))
    honest = rows((a, b"a"), (root, b"root"))
    wrong_child = index(ROOT, b"root", None, row(a, 1, Hash(b"\5" * 32)))
    wrong_full = EntityIndex(ROOT, None, root.children, Hash(b"\6" * 32), root.own_hash, Metadata(1, 1))
    cases: list[tuple[dict[bytes, bytes], Hash, str]] = [
        (honest, Hash(b"\5" * 32), "announced was"),
        ({}, root.full_hash, "has no index"),
        (honest | {index_key(A): b"junk"}, root.full_hash, "is damaged"),
        (honest | {entry_key(A): b"other"}, root.full_hash, "does not hash to its index"),
        (honest | {index_key(ROOT): borsh.encode(wrong_child)}, wrong_child.full_hash, "that its parent lists"),
        (honest | {index_key(ROOT): borsh.encode(wrong_full)}, wrong_full.full_hash, "its own children"),
    ]
    for held, claimed, words in cases:
        with pytest.raises(IndexMismatch, match=words):
            verified_root(held, CONTEXT, claimed)


def test_actions_of_an_entity() -> None:
    a = index(A, b"a", ROOT)
    root = index(ROOT, b"root", None, row(a, 3), row(a, 7))
    actions = actions_of(StateNode(a, b"a"), [root])
    assert [action.metadata.created_at for action in actions if isinstance(action, Add)] == [3, 7]
    assert all(isinstance(action, Add) and action.ancestors[0].id == ROOT for action in actions)
    gone = EntityIndex(A, ROOT, None, a.full_hash, a.own_hash, Metadata(1, 9), 9)
    assert actions_of(StateNode(gone, None), [root]) == [DeleteRef(A, 9, Metadata(1, 9))]
    assert actions_of(StateNode(a, None), [root]) == []
    assert [action.id for action in actions_of(StateNode(root, b"root"), [])] == [ROOT]
