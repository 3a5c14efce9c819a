"""Actions of a proposal: from the Borsh of a guest to the JSON of the proxy contract.

Source: core 0.10.0: crates/context/config/src/types (ProposalAction).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.codec.borsh import Codec, codec, u32, u128, variant
from node.primitives import Hash


@variant(0)
@dataclass(frozen=True, slots=True)
class ExternalFunctionCall:
    receiver_id: str
    method_name: str
    args: str
    deposit: u128


@variant(1)
@dataclass(frozen=True, slots=True)
class Transfer:
    receiver_id: str
    amount: u128


@variant(2)
@dataclass(frozen=True, slots=True)
class SetNumApprovals:
    num_approvals: u32


@variant(3)
@dataclass(frozen=True, slots=True)
class SetActiveProposalsLimit:
    active_proposals_limit: u32


@variant(4)
@dataclass(frozen=True, slots=True)
class SetContextValue:
    key: bytes
    value: bytes


@variant(5)
@dataclass(frozen=True, slots=True)
class DeleteProposal:
    proposal_id: Hash


Action = ExternalFunctionCall | Transfer | SetNumApprovals | SetActiveProposalsLimit | SetContextValue | DeleteProposal

ACTIONS: Final[Codec[list[Action]]] = codec(list[Action])


def actions_to_json(raw: bytes) -> list[dict[str, object]]:
    """The actions of a proposal as the proxy contract takes them. Raises :class:`DecodeError`."""
    return [{"scope": type(action).__name__, "params": _params(action)} for action in ACTIONS.decode(raw)]


def _params(action: Action) -> dict[str, object]:
    return {name: _plain(getattr(action, name)) for name in action.__dataclass_fields__}


def _plain(value: str | int | bytes) -> object:
    """Ids are base58, other bytes lists of numbers."""
    if isinstance(value, Hash):
        return str(value)
    return list(value) if isinstance(value, bytes) else value
