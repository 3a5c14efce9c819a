"""The causal delta as the graph sees it: an id, its parents, and a payload that the graph never opens.

Whether the id belongs to the content is checked by the owner of the context, which can read the payload; here only the
shape of the ancestry is judged.
Source of the fields: core 0.10.0: crates/dag/src/lib.rs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from node.errors import InvalidDelta
from node.primitives import GENESIS, ZERO_ROOT, DeltaId, Hash

MAX_PARENTS: Final = 4096
"""Most parents of one delta: every parent costs 32 bytes of a gossip message and one lookup per delivery, and a context
has as many heads as concurrent writers. A local write never names more and leaves the rest as heads."""

ZERO_HLC: Final = bytes(8) + b"\x01" + bytes(15)
"""The zero timestamp in its 24-byte form: time 0, clock id 1."""


class Kind(IntEnum):
    """REGULAR carries actions; CHECKPOINT stands for everything a snapshot brought, its own history included."""

    REGULAR = 0
    CHECKPOINT = 1


class Causal(Protocol):
    """What the graph needs of a delta."""

    @property
    def id(self) -> DeltaId: ...

    @property
    def parents(self) -> tuple[DeltaId, ...]: ...


class Link(NamedTuple):
    """A delta without its payload: enough for the graph, and all of it that has to stay in memory."""

    id: DeltaId
    parents: tuple[DeltaId, ...]


@dataclass(frozen=True, slots=True)
class CausalDelta:
    """One state change. ``payload`` is Borsh ``vec<Action>``, ``hlc`` the 24-byte hybrid timestamp of the author.

    ``expected_root_hash`` is the author's root after the change; a receiver that merges concurrent changes computes
    another one and keeps its own. ``events`` is the JSON of the application events, or None.
    """

    id: DeltaId
    parents: tuple[DeltaId, ...]
    payload: bytes = b""
    hlc: bytes = ZERO_HLC
    expected_root_hash: Hash = ZERO_ROOT
    events: bytes | None = None
    kind: Kind = Kind.REGULAR


def checkpoint(delta_id: DeltaId, root_hash: Hash) -> CausalDelta:
    """The delta that stands for a head received by snapshot: no actions, parent genesis, zero clock."""
    return CausalDelta(delta_id, (GENESIS,), bytes(4), ZERO_HLC, root_hash, kind=Kind.CHECKPOINT)


def check_parents(delta: Causal) -> None:
    """Refuse an ancestry that no honest author writes. Raises :class:`InvalidDelta` naming the delta and the rule."""
    parents = delta.parents
    if not parents:
        raise InvalidDelta(f"delta {delta.id} has no parents; a first delta names the zero id")
    if delta.id in parents:
        raise InvalidDelta(f"delta {delta.id} is its own parent")
    if delta.id == GENESIS:
        raise InvalidDelta("a delta cannot have the zero id, which stands for the beginning")
    if len(parents) > 1:
        _check_many(delta.id, parents)


def _check_many(delta_id: DeltaId, parents: tuple[DeltaId, ...]) -> None:
    if len(parents) > MAX_PARENTS:
        raise InvalidDelta(f"delta {delta_id} names {len(parents)} parents, at most {MAX_PARENTS} are allowed")
    if len(set(parents)) != len(parents):
        raise InvalidDelta(f"delta {delta_id} names a parent twice")
    if GENESIS in parents:
        raise InvalidDelta(f"delta {delta_id} names the zero id beside real parents")


def links(deltas: Iterable[Causal]) -> list[Link]:
    """The ancestry of some deltas without their payloads."""
    return [Link(delta.id, delta.parents) for delta in deltas]
