"""Type descriptions: annotations read into a tree of nodes that the encoder and the decoder are generated from.

A described type is a frozen dataclass or a ``msgspec.Struct``; its fields are written in the order of declaration. A
type may not contain itself: the depth of a value is then bounded by its description and foreign bytes cannot exhaust
the stack.
Source of the layouts: the Borsh specification 1.0; https://borsh.io.
"""

from __future__ import annotations

import dataclasses
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Final, TypeAlias, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from node.errors import CodecError
from node.primitives import ID_LENGTH, Id32

TAG_ATTRIBUTE: Final = "__borsh_tag__"

Shape = TypeVar("Shape", bound=type)


def variant(tag: int) -> Callable[[Shape], Shape]:
    """Class decorator: the class is a variant of an enum and is always written behind its one-byte ``tag``."""

    def mark(kind: Shape) -> Shape:
        setattr(kind, TAG_ATTRIBUTE, tag)
        return kind

    return mark


# -- marks inside Annotated


@dataclass(frozen=True, slots=True)
class Int:
    """An integer of ``size`` bytes, little-endian."""

    size: int
    signed: bool = False


@dataclass(frozen=True, slots=True)
class Fixed:
    """Exactly ``size`` raw bytes, without a length in front."""

    size: int


@dataclass(frozen=True, slots=True)
class Max:
    """At most ``count`` bytes or items."""

    count: int


# -- nodes


@dataclass(frozen=True)
class IntNode:
    size: int
    signed: bool


@dataclass(frozen=True)
class BoolNode:
    size: int = 1


@dataclass(frozen=True)
class FloatNode:
    size: int = 8


@dataclass(frozen=True)
class RawNode:
    """Fixed bytes; ``kind`` is ``bytes`` or an id type."""

    size: int
    kind: type[bytes] = bytes


@dataclass(frozen=True)
class BytesNode:
    cap: int | None = None
    size: int = 4


@dataclass(frozen=True)
class StrNode:
    cap: int | None = None
    size: int = 4


@dataclass(frozen=True)
class ListNode:
    item: Node
    kind: type = list
    cap: int | None = None
    size: int = 4


@dataclass(frozen=True)
class MapNode:
    key: Node
    value: Node
    size: int = 4


@dataclass(frozen=True)
class TupleNode:
    items: tuple[Node, ...]

    @cached_property
    def size(self) -> int:
        return sum(item.size for item in self.items)


@dataclass(frozen=True)
class OptionNode:
    item: Node
    size: int = 1


@dataclass(frozen=True)
class StructNode:
    """``tag`` None: a plain struct; else a variant of an enum."""

    kind: type
    fields: tuple[tuple[str, Node], ...]
    tag: int | None = None

    @cached_property
    def size(self) -> int:
        return sum(node.size for _, node in self.fields) + (self.tag is not None)


@dataclass(frozen=True)
class UnionNode:
    variants: tuple[StructNode, ...]

    @cached_property
    def size(self) -> int:
        return min(one.size for one in self.variants)


Node: TypeAlias = (
    IntNode
    | BoolNode
    | FloatNode
    | RawNode
    | BytesNode
    | StrNode
    | ListNode
    | MapNode
    | TupleNode
    | OptionNode
    | StructNode
    | UnionNode
)
"""``size`` of a node is the least number of bytes that a value of it takes."""


def describe(kind: object, outer: tuple[type, ...] = ()) -> Node:
    """The node of a type. Raises :class:`CodecError` for a type that has no description."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return _annotated(args[0], args[1:], outer)
    if origin in (Union, types.UnionType):
        return _union(args, outer)
    if origin in (list, tuple, dict):
        return _container(origin, args, outer)
    if isinstance(kind, type):
        return _plain(kind, outer)
    raise CodecError(f"{kind!r} has no Borsh description")


def _plain(kind: type, outer: tuple[type, ...]) -> Node:
    if kind is bool:
        return BoolNode()
    if kind is float:
        return FloatNode()
    if kind is bytes:
        return BytesNode()
    if kind is str:
        return StrNode()
    if issubclass(kind, Id32):
        return RawNode(ID_LENGTH, kind)
    return _struct(kind, outer)


def _annotated(base: object, marks: Iterable[object], outer: tuple[type, ...]) -> Node:
    node = None if base is int else describe(base, outer)
    for mark in marks:
        node = _marked(node, mark)
    if node is None:
        raise CodecError("an integer needs a width: u8, u16, u32, u64, u128 or a signed one")
    return node


def _marked(node: Node | None, mark: object) -> Node | None:
    if isinstance(mark, Int):
        return IntNode(mark.size, mark.signed)
    if isinstance(mark, Fixed):
        return RawNode(mark.size)
    if isinstance(mark, Max) and isinstance(node, BytesNode | StrNode | ListNode):
        return dataclasses.replace(node, cap=mark.count)
    return node


def _union(args: tuple[object, ...], outer: tuple[type, ...]) -> Node:
    rest = tuple(arg for arg in args if arg is not types.NoneType)
    node = describe(rest[0], outer) if len(rest) == 1 else _enum(rest, outer)
    return OptionNode(node) if len(rest) < len(args) else node


def _enum(args: tuple[object, ...], outer: tuple[type, ...]) -> UnionNode:
    variants = tuple(describe(arg, outer) for arg in args)
    structs = tuple(node for node in variants if isinstance(node, StructNode) and node.tag is not None)
    if len({node.tag for node in structs}) != len(args):
        raise CodecError(f"every type of the union {args} must be a class with a tag of its own (@variant)")
    return UnionNode(structs)


def _container(origin: object, args: tuple[object, ...], outer: tuple[type, ...]) -> Node:
    if origin is dict:
        return MapNode(describe(args[0], outer), describe(args[1], outer))
    if origin is tuple and (len(args) != 2 or args[1] is not Ellipsis):
        return TupleNode(tuple(describe(arg, outer) for arg in args))
    item = describe(args[0], outer)
    if item.size == 0:
        raise CodecError(f"items of {args[0]!r} take no bytes; their number could not be checked")
    return ListNode(item, tuple if origin is tuple else list)


def _struct(kind: type, outer: tuple[type, ...]) -> StructNode:
    if kind in outer:
        raise CodecError(f"{kind.__name__} contains itself; such a type has no bounded depth")
    hints = get_type_hints(kind, include_extras=True)
    inner = (*outer, kind)
    fields = tuple((name, describe(hints[name], inner)) for name in _field_names(kind))
    return StructNode(kind, fields, getattr(kind, TAG_ATTRIBUTE, None))


def _field_names(kind: type) -> tuple[str, ...]:
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(field.name for field in dataclasses.fields(kind))
    raise CodecError(f"{kind.__name__} has no Borsh description; it must be a dataclass or a msgspec.Struct")
