"""One value of two, by the type of the incoming one.

Entries of collections carry no type, so for them the later write stands. Counters and texts are ids of collections;
what is merged are the entries behind the ids.
Source: core 0.10.0: crates/storage/src/merge.rs.
"""

from __future__ import annotations

from typing import Final

from node.primitives import ID_LENGTH, EntityId
from node.storage import crdt_type
from node.storage.collections.counter import GCounter, PnCounter
from node.storage.collections.maps import UnorderedMap
from node.storage.collections.shapes import NUMBER, TEXT
from node.storage.collections.text import ReplicatedGrowableArray
from node.storage.entities import Metadata
from node.storage.interface import Interface

PAIR: Final = 2 * ID_LENGTH


def merge_entity(engine: Interface, existing: bytes, incoming: bytes, metadata: Metadata) -> bytes:
    """The value to keep; the incoming one is not older than the existing one. Undecodable data are replaced."""
    kind = metadata.crdt_type
    if isinstance(kind, crdt_type.FrozenStorage):
        return existing
    with engine.merge_mode():
        if isinstance(kind, crdt_type.GCounter) and len(existing) == len(incoming) == ID_LENGTH:
            GCounter.open(engine, EntityId(existing)).merge(GCounter.open(engine, EntityId(incoming)))
            return existing
        if isinstance(kind, crdt_type.Rga) and len(existing) == len(incoming) == ID_LENGTH:
            text = ReplicatedGrowableArray.open(engine, EntityId(existing))
            text.merge(ReplicatedGrowableArray.open(engine, EntityId(incoming)))
            return existing
        if isinstance(kind, crdt_type.PnCounter) and _is_counter(existing) and _is_counter(incoming):
            return _merge_pn(engine, existing, incoming)
    return incoming


def _is_counter(data: bytes) -> bool:
    return len(data) in (ID_LENGTH, PAIR)


def _merge_pn(engine: Interface, existing: bytes, incoming: bytes) -> bytes:
    """A counter field is stored as the id of its steps up alone; the reference reads a pair and makes up the other."""
    if engine.rules.plain_counters and min(len(existing), len(incoming)) == ID_LENGTH:
        ours, theirs = EntityId(existing[:ID_LENGTH]), EntityId(incoming[:ID_LENGTH])
        GCounter.open(engine, ours).merge(GCounter.open(engine, theirs))
        return max(existing, incoming, key=len) if ours == theirs else existing
    counter = _pn_counter(engine, existing)
    counter.merge(_pn_counter(engine, incoming))
    return counter.to_bytes()


def _pn_counter(engine: Interface, data: bytes) -> PnCounter:
    positive = EntityId(data[:ID_LENGTH])
    if len(data) == ID_LENGTH:
        return PnCounter.open(engine, positive, UnorderedMap.create(engine, TEXT, NUMBER).id)
    return PnCounter.open(engine, positive, EntityId(data[ID_LENGTH:]))
