"""ReplicatedGrowableArray: text as a set of characters, each of which names the one to its left.

Positions are Unicode scalars. In the reference deleting a character removes it whole; what followed it then has a left
neighbour that is gone, and its place is that of storage, which differs between replicas. By our order such runs stand
behind the rest in the order of the neighbours that they lost, so the text depends on its characters alone. Where all
nodes agree on it a deleted character stays as a place without content, and nothing moves.
Source: core 0.10.0: crates/storage/src/collections/rga.rs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from node.codec import borsh
from node.codec.borsh import Codec, u32
from node.primitives import EntityId
from node.storage import crdt_type
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.shapes import Raw
from node.storage.faults import InvalidData
from node.storage.hlc import ZERO, HybridTimestamp
from node.storage.interface import Interface

UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"
"""Stands for a number that is no Unicode scalar."""


class CharId(msgspec.Struct, frozen=True, order=True):
    """Names a character: time of the insertion, and its place in the inserted string."""

    timestamp: HybridTimestamp
    seq: u32


class RgaChar(msgspec.Struct, frozen=True):
    """A character: its scalar value, and the character to its left when it was inserted."""

    content: u32
    left: CharId

    @property
    def text(self) -> str:
        scalar = self.content < 0x110000 and not 0xD800 <= self.content < 0xE000
        return chr(self.content) if scalar else UNKNOWN


GONE: Final = 0xFFFF_FFFF
"""Content of a character that was deleted and keeps its place."""

BEGIN: Final = CharId(ZERO, 0)
"""The left neighbour of the first character."""

KEY: Final[Raw[CharId]] = Raw(borsh.codec(CharId))
CHAR: Final[Codec[RgaChar]] = borsh.codec(RgaChar)

Chars = UnorderedMap[CharId, RgaChar]


class ReplicatedGrowableArray:
    """A text that several people write at once."""

    def __init__(self, chars: Chars) -> None:
        self.chars = chars

    @classmethod
    def open(cls, engine: Interface, entity: EntityId) -> ReplicatedGrowableArray:
        """The text whose map of characters has an id."""
        return cls(UnorderedMap.open(engine, entity, KEY, CHAR))

    @classmethod
    def create(cls, engine: Interface) -> ReplicatedGrowableArray:
        return cls(UnorderedMap.create(engine, KEY, CHAR))

    @classmethod
    def field(cls, engine: Interface, name: str) -> ReplicatedGrowableArray:
        """The text of a top-level field."""
        return cls(UnorderedMap.field(engine, KEY, CHAR, name, crdt_type.Rga()))

    @property
    def id(self) -> EntityId:
        return self.chars.id

    def insert(self, position: int, text: str) -> None:
        """Insert behind ``position`` characters. Raises :class:`InvalidData` behind the end."""
        stamp = self.chars.inner.engine.env.clock.next()
        order = self._order()
        if not 0 <= position <= len(order):
            raise InvalidData("position out of bounds")
        left = order[position - 1][0] if position else BEGIN
        for seq, letter in enumerate(text):
            here = CharId(stamp, seq)
            self.chars.insert(here, RgaChar(ord(letter), left))
            left = here

    def delete(self, position: int) -> None:
        """Delete one character. Raises :class:`InvalidData` behind the end."""
        order = self._order()
        if not 0 <= position < len(order):
            raise InvalidData("position out of bounds")
        self._remove(*order[position])

    def delete_range(self, start: int, end: int) -> None:
        """Delete from ``start`` up to ``end``, which may lie behind the end of the text."""
        if start > end:
            raise InvalidData("start must be <= end")
        order = self._order()
        if not 0 <= start <= len(order):
            raise InvalidData("position out of bounds")
        for char_id, char in order[start:end]:
            self._remove(char_id, char)

    def _remove(self, char_id: CharId, char: RgaChar) -> None:
        if self.chars.inner.engine.rules.text_keeps_deleted:
            self.chars.insert(char_id, RgaChar(GONE, char.left))
        else:
            self.chars.remove(char_id)

    def text(self) -> str:
        return "".join(char.text for _, char in self._order())

    def __len__(self) -> int:
        return len(self._order())

    def merge(self, other: ReplicatedGrowableArray) -> None:
        """Add the characters that this text lacks."""
        engine = self.chars.inner.engine
        for key, char in list(other.chars.entries()):
            gone = engine.rules.merge_respects_tombstones and engine.index.is_deleted(self.chars.entry(key))
            if not gone and self.chars.get(key) is None:
                self.chars.insert(key, char)

    def _order(self) -> list[tuple[CharId, RgaChar]]:
        chars = list(self.chars.entries())
        by_tree = self.chars.inner.engine.rules.text_by_tree
        order = tree_order(chars) if by_tree else reference_order(chars)
        return [item for item in order if item[1].content != GONE]


def tree_order(chars: Iterable[tuple[CharId, RgaChar]]) -> Iterator[tuple[CharId, RgaChar]]:
    """Characters from left to right: below each left neighbour the later insertion comes first."""
    followers, known = _followers(chars), {BEGIN}
    known.update(char_id for found in followers.values() for char_id, _ in found)
    lost = sorted((left for left in followers if left not in known), reverse=True)
    stack = [char for left in (*lost, BEGIN) for char in followers.get(left, ())]
    while stack:
        here = stack.pop()
        yield here
        stack.extend(followers.get(here[0], ()))


def _followers(chars: Iterable[tuple[CharId, RgaChar]]) -> dict[CharId, list[tuple[CharId, RgaChar]]]:
    """Characters by left neighbour, each group from the earliest to the latest."""
    groups: dict[CharId, list[tuple[CharId, RgaChar]]] = {}
    for char_id, char in sorted(chars, key=lambda item: item[0]):
        groups.setdefault(char.left, []).append((char_id, char))
    return groups


def reference_order(chars: list[tuple[CharId, RgaChar]]) -> Iterator[tuple[CharId, RgaChar]]:
    """Follow the latest follower as long as there is one, then go on with the first unplaced in storage order."""
    followers, placed, first = _followers(chars), set[CharId](), iter(chars)
    here: tuple[CharId, RgaChar] | None = _latest(followers, BEGIN, placed)
    while here is not None or len(placed) < len(chars):
        here = here or next(char for char in first if char[0] not in placed)
        placed.add(here[0])
        yield here
        here = _latest(followers, here[0], placed)


def _latest(
    followers: dict[CharId, list[tuple[CharId, RgaChar]]], left: CharId, placed: set[CharId]
) -> tuple[CharId, RgaChar] | None:
    group = followers.get(left, [])
    while group and group[-1][0] in placed:
        group.pop()
    return group[-1] if group else None
