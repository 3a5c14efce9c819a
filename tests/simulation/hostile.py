"""What a hostile member publishes: deltas that are well sealed and badly made, and state that no delta explains."""

from __future__ import annotations

import random
from typing import Final

from node.crypto.seal import seal
from node.dag.delta import CausalDelta
from node.primitives import DeltaId, EntityId
from node.storage.action import ACTIONS, Action, Add, DeleteRef
from node.storage.delta import delta_id
from node.storage.entities import ChildInfo, Metadata
from node.sync.wire import StateDelta, encode_broadcast
from tests.simulation.guest import ITEMS, TEXT, entry_of
from tests.simulation.registry import CONTEXT
from tests.simulation.station import Station

_DELTA: Final = 2
_HEADS: Final = 4
_LACKING: Final = 67
_TREE: Final = (64, 65, 66)
_PAGE: Final = 8


def is_answer(frame: bytes) -> bool:
    """A message that carries state or history, not one of a handshake."""
    return frame[0] == 1 and frame[9] in (_DELTA, _HEADS, _PAGE, _LACKING, *_TREE)


def checkable(frame: bytes) -> tuple[int, int]:
    """Where a frame may be garbled so that a receiver can tell.

    The id of a delta in the 0.10.0 format covers neither ancestors nor times, and an entity of a comparison is as
    unsigned as the reference's leaves: a member who garbles those is believed, and only a signature would show it. Of a
    delta its id and first parent are garbled, of a comparison its root, of a snapshot page its first key (the root
    covers keys and data, and no times), of everything else any byte.
    """
    if frame[0] == 1 and frame[9] == _DELTA:
        return 14, min(len(frame), 14 + 32 + 4 + 32)
    if frame[0] == 1 and frame[9] == _LACKING and len(frame) > 90:
        return 18, 18 + 32
    if frame[0] == 1 and frame[9] in _TREE:
        return 10, 42
    if frame[0] == 1 and frame[9] == _PAGE and len(frame) > 80:
        size = int.from_bytes(frame[14:18], "little")
        first = 19 + ((size - 15) // 255 + 1 if size >= 15 else 0)
        return first, first + 32
    return 9, len(frame)


def sealed(station: Station, delta: CausalDelta, parents: tuple[DeltaId, ...]) -> bytes:
    """A gossip message of this member that claims these parents."""
    key = station.keys.sender_key
    assert key is not None
    nonce, artifact = seal(key, b"\0" + delta.payload, station.rng.randbytes)
    root = delta.expected_root_hash
    return encode_broadcast(
        StateDelta(CONTEXT, station.member, delta.id, parents, delta.hlc, root, artifact, nonce, None)
    )


def latest(station: Station) -> CausalDelta | None:
    """The delta that the node applied last."""
    links = [link.id for link in station.here.state.dag.applied()]
    return station.here.delta(links[-1]) if links else None


def orphan(station: Station) -> bytes | None:
    """A delta without parents: its id is right, its ancestry is impossible."""
    made = latest(station)
    if made is None:
        return None
    actions = ACTIONS.decode(made.payload)
    forged = CausalDelta(delta_id((), actions), (), made.payload, made.hlc, made.expected_root_hash)
    return sealed(station, forged, ())


def reparented(station: Station) -> bytes | None:
    """The node's latest delta under its own id, with the parents of another."""
    links = list(station.here.state.dag.applied())
    if len(links) < 4:
        return None
    made = station.here.delta(links[-1].id)
    return None if made is None else sealed(station, made, (links[-4].id,))


def stale_inside(station: Station, rng: random.Random) -> CausalDelta | None:
    """A delta of which one action must be refused and the other must not."""
    made = latest(station)
    if made is None or not station.here.state.initialised:
        return None
    at = station.wall()
    unknown = EntityId(rng.randbytes(32))
    actions = (DeleteRef(unknown, at, Metadata(at, at)), added(station, "hostile", f"h{rng.randrange(1 << 30)}", at))
    parents = station.here.state.dag.next_parents()
    payload = ACTIONS.encode(actions)
    return CausalDelta(delta_id(parents, actions), parents, payload, made.hlc, made.expected_root_hash)


def added(station: Station, key: str, value: str, at: int) -> Add:
    """The action that sets a key, as the application makes it."""
    entity = entry_of(key)
    place = station.here.repair.place(ITEMS)
    top = station.here.repair.place(EntityId(CONTEXT))
    assert place is not None
    assert top is not None
    held = station.here.repair.place(entity)
    created = held.node.index.metadata.created_at if held is not None else at
    data = TEXT.encode(key) + TEXT.encode(value) + entity
    chain = tuple(ChildInfo(p.node.index.id, p.node.index.full_hash, p.node.index.metadata) for p in (place, top))
    return Add(entity, data, chain, Metadata(created, at))


def removed(key: str, at: int) -> Action:
    """The action that removes a key."""
    return DeleteRef(entry_of(key), at, Metadata(at, at))
