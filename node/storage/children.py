"""The children of one entity: rows in the order in which the parent's hash takes them.

A parent may have a hundred thousand children, so the list stays in its byte form: no row is decoded that is not asked
for, an appended child costs one hash step, a changed one the hashes behind it. Rows are a list, not a map: after
concurrent creations one id can stand in two rows, of which only the first is kept current.
Source: core 0.10.0: crates/storage/src/index.rs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from hashlib import sha256
from itertools import pairwise
from struct import Struct
from typing import Final

from node.codec import borsh
from node.errors import DecodeError
from node.primitives import EntityId, Hash
from node.storage.entities import ChildInfo

ID: Final = slice(0, 32)
HASH: Final = slice(32, 64)
HASH_SIZE: Final = 32

MARK_STEP: Final = 64
"""Children between two remembered hash states: an append hashes 1 KiB on average, a list of 100,000 keeps 1,600."""

_HEAD: Final = Struct("<32s32sQ")
"""Id, hash and creation time in front of every row."""

_CHILD: Final = borsh.codec(ChildInfo)

SHAPES: Final[dict[int, tuple[tuple[int, frozenset[int]], ...]]] = {
    83: ((80, frozenset({0, 2})), (81, frozenset({0})), (82, frozenset({0}))),
    116: ((80, frozenset({1})), (113, frozenset({0})), (114, frozenset({0})), (115, frozenset({0}))),
    188: ((80, frozenset({1})), (113, frozenset({1})), (186, frozenset({0})), (187, frozenset({0}))),
}
"""Lengths of rows without type and name, and the bytes that prove a row to have that length: public or frozen, owned
by a user and unsigned, owned and signed."""


class ChildList:
    """Children sorted by (created_at, id). ``version`` moves with every change."""

    __slots__ = ("_area", "_digest", "_hashes", "_marks", "_order", "_own", "_rows", "_stride", "_where", "version")

    def __init__(self) -> None:
        self._order: list[tuple[int, bytes]] = []
        self._hashes = bytearray()
        self._area = bytearray()
        self._stride = 0
        self._rows: list[bytes] | None = None
        self._where: dict[bytes, list[int]] | None = None
        self._marks = [sha256()]
        self._own: bytes | None = None
        self._digest: Hash | None = None
        self.version = 0

    @classmethod
    def read(cls, data: bytes, offset: int, count: int) -> tuple[ChildList, int]:
        """Take ``count`` rows from ``data``; answers the list and the offset behind them. Raises DecodeError."""
        self = cls()
        if not count:
            return self, offset
        _, end = _CHILD.decode_prefix(data, offset)
        stride = end - offset
        area = data[offset : offset + stride * count]
        if len(area) == stride * count and _is_uniform(area, stride):
            self._stride, self._area = stride, bytearray(area)
            heads = [_HEAD.unpack_from(area, at) for at in range(0, len(area), stride)]
            end = offset + len(area)
        else:
            self._rows, end = _split(data, offset, count)
            heads = [_HEAD.unpack_from(row) for row in self._rows]
        self._order = [(created, entity) for entity, _, created in heads]
        self._hashes = bytearray(b"".join(merkle for _, merkle, _ in heads))
        self._check_order(offset)
        return self, end

    def _check_order(self, offset: int) -> None:
        if any(left >= right for left, right in pairwise(self._order)):
            raise DecodeError("children are not in order of creation", offset=offset, field="children")

    def __len__(self) -> int:
        return len(self._order)

    def __iter__(self) -> Iterator[ChildInfo]:
        return (_CHILD.decode(self._row(at)) for at in range(len(self)))

    def __getitem__(self, at: int) -> ChildInfo:
        return _CHILD.decode(self._row(at))

    def __contains__(self, entity: EntityId) -> bool:
        return entity in self._created()

    def ids(self) -> list[EntityId]:
        """Ids in list order, each once."""
        return [EntityId(entity) for entity in dict.fromkeys(entity for _, entity in self._order)]

    def first(self, entity: EntityId) -> int | None:
        """Position of the first row of an id."""
        created = self._created().get(entity)
        return None if created is None else bisect_left(self._order, (created[0], entity))

    @property
    def size(self) -> int:
        """Bytes of :meth:`pieces`."""
        return 4 + (len(self._area) if self._rows is None else sum(map(len, self._rows)))

    def pieces(self) -> list[bytes | bytearray]:
        """Borsh ``vec<ChildInfo>`` in pieces to join; they are not to be kept."""
        return [len(self).to_bytes(4, "little"), *([self._area] if self._rows is None else self._rows)]

    # changes

    def place(self, info: ChildInfo) -> None:
        """Insert a row, or replace the one with the same id and creation time."""
        key = (info.metadata.created_at, bytes(info.id))
        at = bisect_left(self._order, key)
        raw = _CHILD.encode(info)
        if at < len(self) and self._order[at] == key:
            self._hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE] = info.merkle_hash
            self._put_row(at, raw, replace=True)
        else:
            self._order.insert(at, key)
            self._hashes[at * HASH_SIZE : at * HASH_SIZE] = info.merkle_hash
            self._put_row(at, raw, replace=False)
            self._remember(key)
        self._changed(at)

    def set_hash(self, at: int, merkle_hash: Hash) -> None:
        """Give the row at a position another hash."""
        place = slice(at * HASH_SIZE, (at + 1) * HASH_SIZE)
        if bytes(self._hashes[place]) == merkle_hash:
            return
        self._hashes[place] = merkle_hash
        if self._rows is None:
            start = at * self._stride
            self._area[start + HASH.start : start + HASH.stop] = merkle_hash
        else:
            row = self._rows[at]
            self._rows[at] = row[: HASH.start] + merkle_hash + row[HASH.stop :]
        self._changed(at)

    def drop(self, entity: EntityId) -> bool:
        """Remove all rows of an id; False if there is none."""
        created = self._created().pop(entity, None)
        for time in created or ():
            at = bisect_left(self._order, (time, entity))
            del self._order[at]
            del self._hashes[at * HASH_SIZE : (at + 1) * HASH_SIZE]
            if self._rows is None:
                del self._area[at * self._stride : (at + 1) * self._stride]
            else:
                del self._rows[at]
            self._changed(at)
        return created is not None

    # the hash

    def digest(self, own: Hash) -> Hash:
        """SHA-256 over ``own`` and all hashes in list order."""
        if own != self._own:
            self._own, self._marks, self._digest = bytes(own), [sha256(own)], None
        if self._digest is None:
            self._digest = self._compute()
        return self._digest

    def _compute(self) -> Hash:
        marks, hashes, step = self._marks, memoryview(self._hashes), MARK_STEP * HASH_SIZE
        while len(marks) * step <= len(hashes):
            state = marks[-1].copy()
            state.update(hashes[(len(marks) - 1) * step : len(marks) * step])
            marks.append(state)
        state = marks[-1].copy()
        state.update(hashes[(len(marks) - 1) * step :])
        return Hash(state.digest())

    def _changed(self, at: int) -> None:
        """Forget what was remembered of the hash behind position ``at``."""
        del self._marks[at // MARK_STEP + 1 :]
        self._digest = None
        self.version += 1

    # rows

    def _row(self, at: int) -> bytes:
        if self._rows is not None:
            return self._rows[at]
        return bytes(self._area[at * self._stride : (at + 1) * self._stride])

    def _put_row(self, at: int, raw: bytes, *, replace: bool) -> None:
        if self._rows is None and len(raw) == (self._stride or len(raw)):
            self._stride = len(raw)
            start = at * self._stride
            self._area[start : start + self._stride * replace] = raw
            return
        rows = self._split_rows(len(self) - (not replace))
        rows[at : at + replace] = [raw]

    def _split_rows(self, count: int) -> list[bytes]:
        """Rows of unequal length are kept one by one from now on."""
        if self._rows is None:
            stride = self._stride
            self._rows = [bytes(self._area[at * stride : (at + 1) * stride]) for at in range(count)]
            self._area = bytearray()
        return self._rows

    def _created(self) -> dict[bytes, list[int]]:
        """Creation times by id, ascending."""
        if self._where is None:
            self._where = {}
            for created, entity in self._order:
                self._where.setdefault(entity, []).append(created)
        return self._where

    def _remember(self, key: tuple[int, bytes]) -> None:
        if self._where is not None:
            times = self._where.setdefault(key[1], [])
            times.append(key[0])
            times.sort()


def _is_uniform(area: bytes, stride: int) -> bool:
    """Whether ``area`` is rows of ``stride`` bytes each; a length that is not in the table is never assumed."""
    shape = SHAPES.get(stride)
    return shape is not None and all(set(area[at::stride]) <= allowed for at, allowed in shape)


def _split(data: bytes, offset: int, count: int) -> tuple[list[bytes], int]:
    rows = []
    for _ in range(count):
        _, end = _CHILD.decode_prefix(data, offset)
        rows.append(data[offset:end])
        offset = end
    return rows, offset
