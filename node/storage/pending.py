"""What one execution did: actions and comparisons that become its artifact.

Belongs to one execution. The reference keeps it per thread and can leak it into the next call; here it ends with the
engine that made it.
Source: core 0.10.0: crates/storage/src/delta.rs.
"""

from __future__ import annotations

from node.errors import StorageError
from node.storage.action import Action
from node.storage.delta import Actions, Comparison, Comparisons, encode_artifact
from node.storage.hlc import ZERO, HybridClock, HybridTimestamp


class Pending:
    """Collects in program order; nothing is merged or reordered."""

    def __init__(self, clock: HybridClock) -> None:
        self._clock = clock
        self.actions: list[Action] = []
        self.comparisons: list[Comparison] = []
        self.latest: HybridTimestamp = ZERO

    def push(self, action: Action) -> None:
        """Note an action. Each draws a timestamp from the clock, as it does in a module."""
        self.latest = max(self.latest, self._clock.next())
        self.actions.append(action)

    def compare(self, comparison: Comparison) -> None:
        self.comparisons.append(comparison)

    def take_artifact(self) -> bytes:
        """The artifact of a commit, empty if nothing was done. Raises :class:`StorageError` if both kinds are held."""
        if self.actions and self.comparisons:
            raise StorageError("both actions and comparison are present")
        actions, comparisons = tuple(self.actions), tuple(self.comparisons)
        self.clear()
        if comparisons:
            return encode_artifact(Comparisons(comparisons))
        return encode_artifact(Actions(actions)) if actions else b""

    def take_actions(self) -> bytes:
        """The artifact of a flush: actions alone, comparisons are forgotten. Empty if there is no action."""
        self.comparisons.clear()
        return self.take_artifact()

    def clear(self) -> None:
        self.actions.clear()
        self.comparisons.clear()
        self.latest = ZERO
