"""What the owner of a context knows about the inside of a delta: its actions, its id, its clock, its signatures.

The only module of the owner that opens a payload. Everything is a pure function of its arguments.
Source of the formats: core 0.10.0: crates/storage/src/{action,delta}.rs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from node.codec.borsh import Codec, codec
from node.dag.delta import CausalDelta
from node.dag.history import Change
from node.errors import DecodeError, InvalidDelta, StateInconsistency
from node.primitives import GENESIS, DeltaId, EntityId, Hash, PublicKey
from node.storage.action import ACTIONS, Action, Add, Compare, DeleteRef, time_of
from node.storage.delta import artifact_from_payload, delta_id, payload_of, sign_actions
from node.storage.hlc import HybridTimestamp, check_drift
from node.store.values import ContextIdentity

ACTIONS_TAG: Final = b"\0"
"""First byte of an artifact that holds actions; comparisons (1) never travel in a delta."""

NO_ARTIFACT: Final = b"\0\0\0\0\0"
"""The artifact of no actions."""

MAX_DRIFT_NS: Final = 5_000_000_000
"""How far a time of another node may be ahead, in nanoseconds, as the reference's tolerance. Times decide between two
writes, so a clock far ahead would win over everybody for ever."""

ONE_ACTION: Final[Codec[Action]] = codec(Action)


@dataclass(frozen=True, slots=True)
class Opened:
    """A delta whose content was read and found to be its own."""

    actions: tuple[Action, ...]
    artifact: bytes


def payload_in(artifact: bytes) -> bytes:
    """The action list inside an artifact, in Borsh. Raises :class:`InvalidDelta` if it holds something else."""
    if artifact[:1] != ACTIONS_TAG:
        raise InvalidDelta("the artifact of the delta holds no actions")
    return artifact[1:]


def open_delta(delta: CausalDelta, now_ns: int) -> Opened:
    """Read a delta of another node. Raises :class:`InvalidDelta` if it cannot be what its author made.

    The id is derived from parents and actions, so neither can be exchanged; times ahead of the drift are refused.
    """
    try:
        actions = ACTIONS.decode(delta.payload)
        hlc = HybridTimestamp.parse(delta.hlc)
    except DecodeError as error:
        raise InvalidDelta(f"delta {delta.id} cannot be read: {error}") from error
    if delta_id(delta.parents, actions) != delta.id:
        raise InvalidDelta(f"delta {delta.id} does not have the id of its content; it was changed on its way")
    check_drift(hlc, now_ns)
    _check_times(f"delta {delta.id}", actions, now_ns)
    return Opened(actions, artifact_from_payload(delta.payload))


def latest_time(actions: Iterable[Action]) -> int:
    """The newest time of some actions in ns, 0 if they have none."""
    return max((at for action in actions if (at := time_of(action)) is not None), default=0)


def _check_times(of: str, actions: Iterable[Action], now_ns: int) -> None:
    ahead = latest_time(actions) - now_ns
    if ahead > MAX_DRIFT_NS:
        raise InvalidDelta(f"{of} writes {ahead / 1e9:.1f} s into the future; check the clocks of both nodes")


def join_actions(raws: list[bytes], now_ns: int) -> bytes:
    """Single actions in Borsh as one action list. Raises :class:`InvalidDelta` as :func:`open_delta` does."""
    try:
        actions = [ONE_ACTION.decode(raw) for raw in raws]
    except DecodeError as error:
        raise InvalidDelta(f"the entity of another replica cannot be read: {error}") from error
    _check_times("a merge", actions, now_ns)
    return payload_of(actions)


def sign_own(artifact: bytes, executor: PublicKey, keys: ContextIdentity) -> tuple[Action, ...]:
    """The actions of a local call, with the executor's own user entries signed.

    Raises :class:`StateInconsistency` for an artifact that no peer could read: the application was built with another
    storage format, and committing it would part this node from all others.
    """
    try:
        actions = ACTIONS.decode(payload_in(artifact))
    except (DecodeError, InvalidDelta) as error:
        raise StateInconsistency(
            f"the call produced actions that peers cannot read ({error}); build the application with the SDK of 0.10.0"
        ) from error
    return sign_actions(actions, executor, keys.private_key) if keys.private_key is not None else actions


def new_delta(
    parents: tuple[DeltaId, ...], actions: Iterable[Action], hlc: HybridTimestamp, root: Hash, events: bytes | None
) -> CausalDelta:
    """A delta of this node."""
    made = tuple(actions)
    return CausalDelta(delta_id(parents, made), parents, payload_of(made), bytes(hlc), root, events)


def changed_by(payload: bytes) -> tuple[Action, ...]:
    """The actions of a payload that was judged before."""
    return ACTIONS.decode(payload)


def begins(delta: CausalDelta, root: EntityId) -> bool:
    """Whether this is the delta that made the context: it has no real parent, and adds the root entity ``root``.

    Its actions do not give its author's state again: what ``init`` made under ids that it changed later is added and
    never removed (core 0.10.0: crates/storage/src/collections). So it may only be taken over by a snapshot.
    """
    if delta.parents != (GENESIS,):
        return False
    return any(isinstance(action, Add) and action.id == root for action in ACTIONS.decode(delta.payload))


def single_artifacts(payload: bytes) -> list[bytes]:
    """One artifact for each action of a list, in order."""
    return [artifact_from_payload(payload_of([action])) for action in ACTIONS.decode(payload)]


def changes_of(payload: bytes) -> list[Change]:
    """The entries that an action list writes and deletes."""
    return [_change(action) for action in ACTIONS.decode(payload) if not isinstance(action, Compare)]


def _change(action: Action) -> Change:
    at = time_of(action) or 0
    return Change(action.id, None if isinstance(action, DeleteRef | Compare) else action.data, at)


def wire_delta(delta: CausalDelta) -> bytes:
    """Borsh ``CausalDelta`` as a stream carries it: id, parents, actions, clock, expected root. No events."""
    count = len(delta.parents).to_bytes(4, "little")
    return b"".join([delta.id, count, *delta.parents, delta.payload, delta.hlc, delta.expected_root_hash])
