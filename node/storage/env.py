"""What an execution may depend on besides rows, and by which rules it resolves conflicts.

``Rules`` names each place where calimero-storage 0.10.0 has a defect. REFERENCE repeats all of them: equal rows and
actions for every sequence. INTEROP, the default, has the repairs that leave hashes alone wherever 0.10.0 peers agree
among themselves: there a node with it computes their roots. Elsewhere, where a peer fails, draws random ids, or keeps
what came last, its rows and roots differ from that peer's. REPAIRED also has the repairs that change the hashes on
which such peers agree; all nodes of a context must then use it, as native applications do.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.primitives import ContextId, EntityId, PublicKey
from node.storage.hlc import HybridClock, clock_id


@dataclass(frozen=True, slots=True)
class Rules:
    """Repairs; the letter and number is the row in the project's list of defects, ``T`` one in its list of traps."""

    root_hash_at_once: bool = True
    """S3: a root has its full hash as soon as it has an index, not only after the next change."""
    tombstones_only_grow: bool = True
    """S7: an older delete does not move a tombstone's time back."""
    one_time_per_delete: bool = True
    """S8: tombstone and action of a local delete carry the same time."""
    frozen_stays: bool = True
    """S20, T7: a frozen entity cannot be deleted locally, and adding it again is no change."""
    quiet_touch: bool = True
    """S18: inserting a set value that is there is no change."""
    local_wins: bool = True
    """T17: a local write is later than what it replaces, whatever the clock says."""
    fresh_signature: bool = True
    """T19: a local change of own data is signed anew."""
    root_last_write_wins: bool = True
    """T8, S19: a root document is replaced by a later one; natively the reference knows no merge and fails."""
    skip_refused: bool = True
    """S13, T5: one stale or unauthorised action does not undo the others of its delta."""
    plain_counters: bool = True
    """A PN counter stored as one id is merged as that, instead of being given new random maps."""
    text_by_tree: bool = True
    """S15: the order of a text depends on its characters alone."""
    register_tie_by_value: bool = True
    """S5: registers of equal time and node keep the greater value."""
    merge_respects_tombstones: bool = True
    """S12: merging two instances does not bring back what was deleted here."""
    derived_ids: bool = True
    """S14: what the host makes for a missing JavaScript collection has ids that follow from the wanted one."""
    check_adds: bool = False
    """T6: an Add is held to owner and type of what it overwrites, as an Update is."""
    lift_tombstones: bool = False
    """S6, S11: a write strictly later than a delete brings the entity back, an older or equal one does nothing."""
    tie_by_data: bool = False
    """T4: of two writes of one time the greater bytes win."""
    single_row: bool = False
    """S1, T3: an entity has one row in its parent, at its earliest creation."""
    text_keeps_deleted: bool = False
    """S15: a deleted character stays as a place, so that what follows it does not move."""
    delete_subtree: bool = False
    """S10: descendants of a deleted entity are deleted with it, frozen ones excepted."""


INTEROP: Final = Rules()

REFERENCE: Final = Rules(
    root_hash_at_once=False,
    tombstones_only_grow=False,
    one_time_per_delete=False,
    frozen_stays=False,
    quiet_touch=False,
    local_wins=False,
    fresh_signature=False,
    root_last_write_wins=False,
    skip_refused=False,
    plain_counters=False,
    text_by_tree=False,
    register_tie_by_value=False,
    merge_respects_tombstones=False,
    derived_ids=False,
)

REPAIRED: Final = Rules(
    check_adds=True,
    lift_tombstones=True,
    tie_by_data=True,
    single_row=True,
    text_keeps_deleted=True,
    delete_subtree=True,
)


@dataclass(frozen=True, slots=True)
class Env:
    """The surroundings of one execution. ``now_ns`` is ns since the Unix epoch."""

    context_id: ContextId
    executor: PublicKey
    now_ns: Callable[[], int]
    random_bytes: Callable[[int], bytes]
    clock: HybridClock

    @property
    def root(self) -> EntityId:
        """The root entity of the context."""
        return EntityId(self.context_id)

    def random_id(self) -> EntityId:
        return EntityId(self.random_bytes(32))


def guest_env(
    context_id: ContextId, executor: PublicKey, now_ns: Callable[[], int], random_bytes: Callable[[int], bytes]
) -> Env:
    """The surroundings that a module has: its clock carries the id of its executor."""
    return Env(context_id, executor, now_ns, random_bytes, HybridClock(now_ns, clock_id(executor)))
