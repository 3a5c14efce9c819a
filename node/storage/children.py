"""The children of one entity: rows in the order in which the parent's hash takes them.

A parent may have a hundred thousand children, so the list stays in its byte form: no row is decoded that is not asked
for, an appended child costs one hash step, a changed one the hashes behind it. Rows are a list, not a map: after
concurrent creations one id can stand in two rows, of which only the first is kept current.
Source: core 0.10.0: crates/storage/src/index.rs.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from hashlib import sha256
from struct import Struct
from typing import Final, TypeAlias

from node.codec import borsh
from node.primitives import EntityId, Hash
from node.storage.entities import ChildInfo

ID: Final = slice(0, 32)
HASH: Final = slice(32, 64)
HASH_SIZE: Final = 32

MARK_STEP: Final = 64
"""Children between two remembered hash states: an append hashes 1 KiB on average, a list of 100,000 keeps 1,600."""

SEARCHES: Final = 4
"""Ids that are looked for in the bytes of a list before its ids are put into a table, which takes about as long."""

_HEAD: Final = Struct("<32s32sQ")
"""Id, hash and creation time in front of every row."""

Key: TypeAlias = tuple[int, bytes]
"""Creation time and id: the order of the rows."""

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

    __slots__ = ("_area", "_digest", "_hashes", "_marks", "_own", "_rows", "_searched", "_stride", "_where", "version")

    def __init__(self) -> None:
        self._hashes = bytearray()
        self._area = bytearray()
        self._stride = 0
        self._rows: list[bytes] | None = None
        self._where: dict[bytes, list[int]] | None = None
        self._searched = 0
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
            self._hashes = bytearray().join([area[at : at + HASH_SIZE] for at in range(HASH.start, len(area), stride)])
            return self, offset + len(area)
        self._rows, end = _split(data, offset, count)
        self._hashes = bytearray().join([row[HASH] for row in self._rows])
        return self, end

    def __len__(self) -> int:
        return len(self._hashes) // HASH_SIZE

    def __iter__(self) -> Iterator[ChildInfo]:
        return (_CHILD.decode(self._row(at)) for at in range(len(self)))

    def __getitem__(self, at: int) -> ChildInfo:
        return _CHILD.decode(self._row(at))

    def __contains__(self, entity: EntityId) -> bool:
        return self.first(entity) is not None

    def ids(self) -> list[EntityId]:
        """Ids in list order, each once."""
        return [EntityId(entity) for entity in dict.fromkeys(entity for entity, _, _ in self._heads())]

    def first(self, entity: EntityId) -> int | None:
        """Position of the first row of an id."""
        if self._where is None and self._rows is None and self._searched < SEARCHES:
            self._searched += 1
            return self._search(entity)
        created = self._created().get(entity)
        return None if created is None else self._place_of((created[0], entity))

    def _search(self, entity: EntityId) -> int | None:
        """The same without a table: by the bytes of the id, where a row begins."""
        at = self._area.find(entity)
        while at >= 0 and at % self._stride:
            at = self._area.find(entity, at + 1)
        return None if at < 0 else at // self._stride

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
        at, raw = self._place_of(key), _CHILD.encode(info)
        replace = at < len(self) and self._key(at) == key
        self._put_row(at, raw, replace=replace)
        self._hashes[at * HASH_SIZE : (at + replace) * HASH_SIZE] = info.merkle_hash
        if not replace:
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
            at = self._place_of((time, entity))
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
        self._split_rows()[at : at + replace] = [raw]

    def _split_rows(self) -> list[bytes]:
        """Rows of unequal length are kept one by one from now on."""
        if self._rows is None:
            self._rows = [self._row(at) for at in range(len(self))]
            self._area = bytearray()
        return self._rows

    def _heads(self) -> Iterable[tuple[bytes, bytes, int]]:
        """Id, hash and creation time of every row in order."""
        if self._rows is None:
            return (_HEAD.unpack_from(self._area, at) for at in range(0, len(self._area), self._stride or 1))
        return (_HEAD.unpack_from(row) for row in self._rows)

    def _key(self, at: int) -> Key:
        row = (self._area, at * self._stride) if self._rows is None else (self._rows[at], 0)
        entity, _, created = _HEAD.unpack_from(*row)
        return created, entity

    def _place_of(self, key: Key) -> int:
        """Where a row with this key stands, or would stand; most new rows come last."""
        end = len(self)
        if not end or self._key(end - 1) < key:
            return end
        return bisect_left(range(end), key, key=self._key)

    def _created(self) -> dict[bytes, list[int]]:
        """Creation times by id, ascending."""
        if self._where is None:
            self._where = {}
            for entity, _, created in self._heads():
                self._where.setdefault(entity, []).append(created)
        return self._where

    def _remember(self, key: Key) -> None:
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
