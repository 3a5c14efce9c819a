"""Forms of tree comparison and snapshots, against bytes worked out from the reference's layouts."""

from __future__ import annotations

from node.codec import borsh
from node.primitives import EntityId, Hash
from node.storage.crdt_type import GCounter
from node.sync.page import pack_rows, unpack_rows
from node.sync.wire import LeafMetadata, TreeLeafData, TreeNode


def test_a_leaf_of_a_tree() -> None:
    leaf = TreeLeafData(EntityId(b"\1" * 32), b"\xaa\xbb", LeafMetadata(GCounter(), 100, 0, bytes(32), None))
    node = TreeNode(EntityId(b"\1" * 32), Hash(b"\2" * 32), (), leaf)
    raw = b"\1" * 32 + b"\2" * 32 + bytes(4) + b"\1" * 33 + b"\2\0\0\0\xaa\xbb\1\x64" + bytes(48)
    assert borsh.encode(node) == raw
    assert borsh.decode(TreeNode, raw) == node


def test_an_inner_node_of_a_tree() -> None:
    node = TreeNode(EntityId(b"\1" * 32), Hash(b"\2" * 32), (EntityId(b"\3" * 32),), None)
    raw = b"\1" * 32 + b"\2" * 32 + b"\1\0\0\0" + b"\3" * 32 + b"\0"
    assert borsh.encode(node) == raw
    assert borsh.decode(TreeNode, raw) == node


def test_a_record_of_a_snapshot() -> None:
    raw = b"\5" * 32 + b"\2\0\0\0\x0a\x0b"
    assert pack_rows([(b"\5" * 32, b"\x0a\x0b")]) == raw
    assert list(unpack_rows(raw)) == [(b"\5" * 32, b"\x0a\x0b")]
