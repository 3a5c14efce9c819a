"""Proposal actions: from a guest's Borsh to the contract's JSON."""

from __future__ import annotations

import pytest

from node.context.actions import ACTIONS, DeleteProposal, ExternalFunctionCall, Transfer, actions_to_json
from node.errors import DecodeError
from node.primitives import Hash


def test_every_action_has_its_json() -> None:
    raw = bytes.fromhex(
        "06000000"
        "00" "0100000072" "010000006d" "020000007b7d" "05000000000000000000000000000000"
        "01" "0100000072" "ffffffffffffffffffffffffffffffff"
        "02" "02000000"
        "03" "07000000"
        "04" "010000006b" "020000000001"
        "05" + "0c" * 32
    )  # fmt: skip
    assert actions_to_json(raw) == [
        {
            "scope": "ExternalFunctionCall",
            "params": {"receiver_id": "r", "method_name": "m", "args": "{}", "deposit": 5},
        },
        {"scope": "Transfer", "params": {"receiver_id": "r", "amount": 2**128 - 1}},
        {"scope": "SetNumApprovals", "params": {"num_approvals": 2}},
        {"scope": "SetActiveProposalsLimit", "params": {"active_proposals_limit": 7}},
        {"scope": "SetContextValue", "params": {"key": [107], "value": [0, 1]}},
        {"scope": "DeleteProposal", "params": {"proposal_id": str(Hash(b"\x0c" * 32))}},
    ]
    assert ACTIONS.encode(ACTIONS.decode(raw)) == raw


def test_what_is_no_action_is_refused() -> None:
    good = ACTIONS.encode([Transfer("r", 1), ExternalFunctionCall("r", "m", "", 0), DeleteProposal(Hash(bytes(32)))])
    for cut in range(len(good)):
        with pytest.raises(DecodeError):
            actions_to_json(good[:cut])
    with pytest.raises(DecodeError):
        actions_to_json(b"\x01\0\0\0\x06")
