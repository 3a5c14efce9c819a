"""The type of an entity's value, as its metadata carries it; it decides how two concurrent values become one.

Never part of a hash. Names inside are those of the application's own language.
Source: core 0.10.0: crates/primitives/src/crdt.rs.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from node.codec.borsh import variant


@variant(0)
class LwwRegister(msgspec.Struct, frozen=True):
    """The later write wins."""

    inner_type: str = ""


@variant(1)
class GCounter(msgspec.Struct, frozen=True):
    """A counter that only grows."""


@variant(2)
class PnCounter(msgspec.Struct, frozen=True):
    """A counter that grows and shrinks."""


@variant(3)
class Rga(msgspec.Struct, frozen=True):
    """Text."""


@variant(4)
class UnorderedMap(msgspec.Struct, frozen=True):
    key_type: str
    value_type: str


@variant(5)
class UnorderedSet(msgspec.Struct, frozen=True):
    element_type: str


@variant(6)
class Vector(msgspec.Struct, frozen=True):
    element_type: str


@variant(7)
class UserStorage(msgspec.Struct, frozen=True):
    """Entries that only their owner may change."""


@variant(8)
class FrozenStorage(msgspec.Struct, frozen=True):
    """Entries that nobody may change; the first value stays."""


@variant(9)
class Custom(msgspec.Struct, frozen=True):
    name: str


CrdtType: TypeAlias = (
    LwwRegister
    | GCounter
    | PnCounter
    | Rga
    | UnorderedMap
    | UnorderedSet
    | Vector
    | UserStorage
    | FrozenStorage
    | Custom
)
