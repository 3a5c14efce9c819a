"""Types that have no description are refused when they are described, not when a value comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import pytest

from node.codec.borsh import Fixed, Max, u8, variant
from node.codec.schema import (
    BytesNode,
    IntNode,
    ListNode,
    MapNode,
    OptionNode,
    RawNode,
    StructNode,
    TupleNode,
    UnionNode,
    describe,
)
from node.errors import CodecError
from node.primitives import EntityId


@dataclass(frozen=True)
class Recursive:
    inner: Recursive | None


@dataclass(frozen=True)
class Empty:
    pass


@variant(1)
@dataclass(frozen=True)
class One:
    value: u8


@variant(1)
@dataclass(frozen=True)
class Other:
    value: u8


@dataclass(frozen=True)
class Untagged:
    value: u8


REFUSED = {
    "recursion": (Recursive, "contains itself"),
    "plain int": (int, "no Borsh description"),
    "int without width": (Annotated[int, "text"], "needs a width"),
    "class": (object, "must be a dataclass"),
    "value": (5, "no Borsh description"),
    "items of no size": (list[Empty], "take no bytes"),
    "equal tags": (One | Other, "tag of its own"),
    "no tag": (One | Untagged, "tag of its own"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_type_without_description(name: str) -> None:
    kind, reason = REFUSED[name]
    with pytest.raises(CodecError, match=reason):
        describe(kind)


def test_nodes() -> None:
    assert describe(u8) == IntNode(1, signed=False)
    assert describe(EntityId) == RawNode(32, EntityId)
    assert describe(Annotated[bytes, Fixed(4)]) == RawNode(4)
    assert describe(Annotated[bytes, Max(4)]) == BytesNode(4)
    assert describe(Annotated[u8 | None, "a note"]) == OptionNode(IntNode(1, signed=False))
    assert describe(tuple[u8, ...]) == ListNode(IntNode(1, signed=False), tuple)
    assert describe(dict[u8, u8]) == MapNode(IntNode(1, signed=False), IntNode(1, signed=False))


def test_least_sizes() -> None:
    assert TupleNode((IntNode(4, signed=False), BytesNode())).size == 8
    assert StructNode(One, (("value", IntNode(1, signed=False)),), 1).size == 2
    assert UnionNode((StructNode(One, (("value", IntNode(8, signed=False)),), 1), StructNode(Empty, (), 0))).size == 1
