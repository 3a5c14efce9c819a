"""Repair of a context whose state differs from a peer's although no delta explains it.

Children of an entity are compared in buckets of their ids, so that a wide tree costs what differs and not what it has.
Heads of a peer are adopted only while both roots are equal: then this state holds everything that is behind them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from typing import Final, TypeVar

import msgspec

from node.codec import borsh
from node.codec.borsh import u8, u32
from node.context.owner.content import wire_delta
from node.context.owner.snapshot import Owe
from node.context.owner.state import ContextState
from node.context.owner.tree import StateNode
from node.dag.delta import CausalDelta, Kind, checkpoint
from node.errors import NotFound
from node.primitives import DeltaId, EntityId, Hash
from node.storage.entities import EntityIndex
from node.storage.keys import entry_key, index_key
from node.store.base import Batch
from node.store.values import OutboxEntry

DIGEST: Final = 8
"""Bytes of a digest: an accident that hides a difference has a chance of 1 in 2^64; the roots are compared after."""

PER_BUCKET: Final = 8
"""Children of one bucket, on average: each differing child then brings eight rows of 72 bytes with it."""

MAX_BITS: Final = 16
"""65,536 buckets; their digests fill half a megabyte."""

MAX_READ: Final = 2 * 1024 * 1024
"""Bytes of rows behind one answer to a batch of questions: about 0.1 s of the owner's time, and with one more row of
usual size still far below a frame. An answer may stop at any question but the first; the rest is asked again."""

T = TypeVar("T")
Question = TypeVar("Question")


class Place(msgspec.Struct, frozen=True):
    """An entity without its children: enough to hold it, and to be named as an ancestor."""

    node: StateNode
    children: u32


class Row(msgspec.Struct, frozen=True):
    """A child as its parent lists it."""

    id: EntityId
    created_at: borsh.u64
    full_hash: Hash


class Buckets(msgspec.Struct, frozen=True):
    """Digests of the children of one entity, 8 bytes a bucket; a child's bucket are the first ``bits`` of its id."""

    bits: u32
    digests: bytes

    def differing(self, other: Buckets) -> list[int]:
        """Numbers of the buckets that are not equal."""
        size = 1 << self.bits
        return [n for n in range(size) if self._at(n) != other._at(n)]

    def _at(self, number: int) -> bytes:
        return self.digests[number * DIGEST : (number + 1) * DIGEST]


class Part(msgspec.Struct, frozen=True):
    """Some buckets of the children of one entity."""

    entity: EntityId
    bits: u8
    numbers: tuple[u32, ...]


def bucket_of(entity: bytes, bits: int) -> int:
    return int.from_bytes(entity[:4], "big") >> (32 - bits) if bits else 0


def bits_for(children: int) -> int:
    """How many bits of the id make buckets of the wanted size."""
    return min(MAX_BITS, max(0, (children // PER_BUCKET).bit_length()))


SPARSER: Final = 1.25
"""Growth of the distances of a sample: an answer brings at most a quarter more than what is behind the fork."""

MAX_SAMPLE: Final = 256
"""Ids of a sample, 8 KiB; a history of a million deltas gives 70, unless it has that many heads."""


class Repair:
    """Reads for a comparison. ``owe`` notes the handlers of deltas that waited here and are adopted."""

    def __init__(self, state: ContextState, owe: Owe) -> None:
        self._state = state
        self._owe = owe
        self._read = 0
        """Bytes behind the answer that is being made."""

    # comparing

    def places(self, entities: Iterable[EntityId]) -> list[Place | None]:
        """Several entities, as far as an answer goes."""
        return self._answer(entities, self.place)

    def buckets_of(self, wanted: Iterable[tuple[EntityId, int | None]]) -> list[Buckets]:
        """Digests of the children of several entities, as far as an answer goes."""
        return self._answer(wanted, lambda asked: self.buckets(*asked))

    def rows_of(self, parts: Iterable[Part]) -> list[list[Row]]:
        """Children in some buckets of several entities, as far as an answer goes."""
        return self._answer(parts, lambda part: self.rows(part.entity, part.bits, part.numbers))

    def _answer(self, questions: Iterable[Question], read: Callable[[Question], T]) -> list[T]:
        found: list[T] = []
        self._read = 0
        for question in questions:
            if self._read >= MAX_READ:
                break
            found.append(read(question))
        return found

    def _raw(self, key: bytes) -> bytes | None:
        """A row of the state, counted."""
        raw = self._state.rows.state(key)
        self._read += len(raw or b"")
        return raw

    def place(self, entity: EntityId) -> Place | None:
        """One entity, tombstones included; None if it was never here."""
        raw = self._raw(index_key(entity))
        if raw is None:
            return None
        index = borsh.decode(EntityIndex, raw)
        bare = msgspec.structs.replace(index, children=None)
        return Place(StateNode(bare, self._raw(entry_key(entity))), len(index.children or ()))

    def buckets(self, entity: EntityId, bits: int | None) -> Buckets:
        """Digests of the children of an entity; ``bits`` None: as many as fit their number."""
        rows = self.rows(entity)
        bits = bits_for(len(rows)) if bits is None else _possible(bits)
        self._read += DIGEST << bits
        parts: list[list[bytes]] = [[] for _ in range(1 << bits)]
        for row in sorted(rows, key=_order):
            parts[bucket_of(row.id, bits)].append(row.id + row.created_at.to_bytes(8, "little") + row.full_hash)
        return Buckets(bits, b"".join(_digest(part) for part in parts))

    def rows(self, entity: EntityId, bits: int = 0, buckets: Iterable[int] | None = None) -> list[Row]:
        """The children of an entity, all of them or those in some buckets."""
        bits = _possible(bits)
        raw = self._raw(index_key(entity))
        children = borsh.decode(EntityIndex, raw).children if raw is not None else None
        wanted = None if buckets is None else set(buckets)
        return [
            Row(child.id, child.metadata.created_at, child.merkle_hash)
            for child in children or ()
            if wanted is None or bucket_of(child.id, bits) in wanted
        ]

    # histories

    def sample(self) -> tuple[DeltaId, ...]:
        """Applied deltas that tell a peer what is here: the heads, and ids further and further back. After a partition
        the peer knows none of the heads, and finds the fork between two of the others."""
        found = dict.fromkeys(self._state.dag.heads[:MAX_SAMPLE])
        distance = 1.0
        for number, link in enumerate(self._state.dag.newest()):
            if number >= distance and len(found) < MAX_SAMPLE:
                found[link.id] = None
                distance *= SPARSER
        return tuple(found)

    def lacking(self, have: Iterable[DeltaId], limit: int, max_bytes: int) -> list[bytes]:
        """Deltas that are applied here and are not behind ``have``, in the order in which they can be applied.

        Wire form each. A checkpoint is passed over: whether its deltas are there only the other node knows, and after a
        partition it usually has them. A delta that was lost here ends the answer.
        """
        dag, behind = self._state.dag, self._behind(have)
        found: list[bytes] = []
        for link in dag.applied():
            if link.id in behind:
                continue
            delta = self._state.rows.causal(link.id)
            if delta is None or len(found) >= limit or max_bytes <= 0:
                break
            if delta.kind is Kind.CHECKPOINT:
                continue
            found.append(wire_delta(delta))
            max_bytes -= len(found[-1])
        return found

    def _behind(self, have: Iterable[DeltaId]) -> set[DeltaId]:
        """These deltas and all their ancestors, as far as they are known here."""
        dag = self._state.dag
        behind: set[DeltaId] = set()
        queue = list(have)
        while queue:
            delta_id = queue.pop()
            if delta_id not in behind:
                behind.add(delta_id)
                queue.extend(dag.parents(delta_id) or ())
        return behind

    # adopting

    def adopt_heads(self, root: Hash, heads: Iterable[DeltaId]) -> list[OutboxEntry]:
        """Count deltas of a peer whose root is ours as applied; answers the handlers owed for those that waited here.

        Raises :class:`NotFound` when the root is another one by now: the comparison has to be repeated.
        """
        state = self._state
        if state.meta.root_hash != root or root.is_zero:
            raise NotFound("the state moved since it was compared")
        fresh = [head for head in dict.fromkeys(heads) if not head.is_zero and state.dag.parents(head) is None]
        held = {head: delta for head in fresh if (delta := state.rows.causal(head)) is not None}
        batch = Batch()
        entries = [self._adopt(batch, head, held.get(head), root) for head in fresh]
        parents = {parent for delta in held.values() for parent in delta.parents}
        kept = tuple(head for head in (*state.dag.heads, *fresh) if head not in parents)
        if fresh:
            state.commit(batch, meta=replace(state.meta, dag_heads=kept))
        for head in fresh:
            state.dag.restore_checkpoint(head)
            if head in held and state.dag.covers(head):
                state.dag.learn(held[head])
        return [entry for entry in entries if entry is not None]

    def _adopt(self, batch: Batch, head: DeltaId, held: CausalDelta | None, root: Hash) -> OutboxEntry | None:
        self._state.rows.put_delta(batch, held or checkpoint(head, root), applied=True)
        origin = self._state.rows.origin(head) if held is not None else None
        return self._owe(batch, held, origin.author) if held is not None and origin is not None else None


def _possible(bits: int) -> int:
    return max(0, min(bits, MAX_BITS))


def _order(row: Row) -> tuple[bytes, int]:
    return row.id, row.created_at


def _digest(part: list[bytes]) -> bytes:
    return sha256(b"".join(part)).digest()[:DIGEST] if part else bytes(DIGEST)
