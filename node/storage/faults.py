"""What the engine answers when a change cannot be made. Texts are the reference's: modules and clients show them.

Source: core 0.10.0: crates/storage/src/error.rs.
"""

from __future__ import annotations

from node.errors import IndexMismatch, MergeConflict, NotFound, StorageError
from node.primitives import EntityId, Id32


class ActionRefused(StorageError):
    """One action is stale or not allowed; the others of its delta may still be applied."""


class ActionNotAllowed(ActionRefused):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Action not allowed: {reason}")


class InvalidData(ActionRefused):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Invalid data: {reason}")


class InvalidTimestamp(ActionRefused):
    """``time`` and ``now`` are ns."""

    def __init__(self, time: int, now: int) -> None:
        super().__init__(f"Invalid timestamp {time} for an action, too far in the future (local time: {now}).")


class BadSignature(ActionRefused):
    def __init__(self) -> None:
        super().__init__("Invalid signature for user-owned data")


class NonceReplay(ActionRefused):
    """The reference's text names no user and no nonce; ours does behind it."""

    def __init__(self, owner: Id32, nonce: int, last: int) -> None:
        super().__init__(f"Nonce replay detected for user {owner}: received nonce {nonce}, last was {last}")


class UnknownEntity(NotFound, ActionRefused):
    """The entity has no index here: never seen, or its tombstone was collected."""

    def __init__(self, entity: Id32) -> None:
        super().__init__(f"Index not found for ID: {entity.hex()}")


class RecordNotFound(NotFound):
    def __init__(self, entity: Id32) -> None:
        super().__init__(f"Record not found with ID: {entity.hex()}")


class CannotCreateOrphan(StorageError):
    def __init__(self, entity: Id32) -> None:
        super().__init__(f"Cannot create orphan with ID: {entity.hex()}")


class UnexpectedId(StorageError):
    def __init__(self, entity: Id32) -> None:
        super().__init__(f"Unexpected ID: {entity.hex()}")


class Undecodable(StorageError):
    """A row that does not have the form of its type."""

    def __init__(self, reason: object) -> None:
        super().__init__(f"Deserialization error: {reason}")


class MergeFailure(MergeConflict):
    def __init__(self, reason: str) -> None:
        super().__init__(f"Merge failed: {reason}")


class Cycle(IndexMismatch, ActionRefused):
    """An entity that would be its own ancestor; following the links would never end."""

    def __init__(self, entity: EntityId) -> None:
        super().__init__(f"Invalid data: entity {entity.hex()} would be its own ancestor")
