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
        if isinstance(kind, crdt_type.PnCounter):
            return _merge_pn(engine, existing, incoming)
    return incoming


def _merge_pn(engine: Interface, existing: bytes, incoming: bytes) -> bytes:
    """A counter field is stored as the id of its steps up alone; the reference reads a pair and makes up the other."""
    if engine.rules.plain_counters and min(len(existing), len(incoming)) == ID_LENGTH:
        return _merge_plain(engine, existing, incoming)
    ours = _pn_counter(engine, existing)
    theirs = _pn_counter(engine, incoming) if ours is not None else None
    if ours is None or theirs is None:
        return incoming
    ours.merge(theirs)
    return ours.to_bytes()


def _merge_plain(engine: Interface, existing: bytes, incoming: bytes) -> bytes:
    if not {len(existing), len(incoming)} <= {ID_LENGTH, PAIR}:
        return incoming
    ours, theirs = EntityId(existing[:ID_LENGTH]), EntityId(incoming[:ID_LENGTH])
    GCounter.open(engine, ours).merge(GCounter.open(engine, theirs))
    return max(existing, incoming, key=len) if ours == theirs else existing


def _pn_counter(engine: Interface, data: bytes) -> PnCounter | None:
    """Read a pair of ids, None for other data. As in the reference a missing half is made before the rest is judged."""
    positive, negative = data[:ID_LENGTH], data[ID_LENGTH:PAIR]
    if len(positive) < ID_LENGTH:
        return None
    if len(negative) < ID_LENGTH and not engine.rules.plain_counters:
        made = UnorderedMap.create(engine, TEXT, NUMBER).id
        return PnCounter.open(engine, EntityId(positive), made) if not negative else None
    if len(data) != PAIR:
        return None
    return PnCounter.open(engine, EntityId(positive), EntityId(negative))
