"""Every method of the two contracts is here, under its name and with an answer of its form."""

from __future__ import annotations

import json

import pytest

from node.context import requests
from node.context.registry import config_contract, proxy_contract
from tests.node.context.registry.test_relayer import APP, CONTRACT, PROPOSAL, PROXY, SET_VALUE, TARGET, Registry

QUERIES = {
    "application": dict, "application_revision": int, "members": list, "members_revision": int, "proxy_contract": str,
    "fetch_nonce": int, "has_member": bool, "privileges": dict,
}  # fmt: skip
"""contracts 0.6: contracts/near/context-config/src/query.rs, with the type of what they answer for a member."""

MUTATIONS = {
    "Add", "UpdateApplication", "AddMembers", "RemoveMembers", "Grant", "Revoke", "CommitOpenInvitation",
    "RevealOpenInvitation", "UpdateProxyContract",
}  # fmt: skip
"""contracts 0.6: contracts/near/context-config/src/mutate.rs."""

PROXY_QUERIES = {
    "get_num_approvals": int, "get_active_proposals_limit": int, "proposals": list, "proposal": dict,
    "get_confirmations_count": dict, "get_proposal_approvers": list, "get_context_value": list,
    "context_storage_entries": list,
}  # fmt: skip
"""contracts 0.6: contracts/near/context-proxy/src/lib.rs."""

ACTIONS = {
    "ExternalFunctionCall", "Transfer", "SetNumApprovals", "SetActiveProposalsLimit", "SetContextValue",
    "DeleteProposal",
}  # fmt: skip
UNKNOWN = {"proposal": None, "get_confirmations_count": None, "get_proposal_approvers": None}


@pytest.fixture
def registry() -> Registry:
    """A context with a value that was set and a proposal that is open."""
    found = Registry()
    assert found.add_context() == ""
    _propose(found, "11111111111111111111111111111112", [_one_approval()])
    assert found.mutate(0, 0, "AddMembers", {"members": [str(person) for person in found.people[1:]]}) == ""
    for person in (1, 2):
        payload = requests.approval(found.keys[person], found.people[person], "11111111111111111111111111111112")
        found.write(payload, PROXY)
    _propose(found, "11111111111111111111111111111113", [SET_VALUE])
    _propose(found, "11111111111111111111111111111114", [_two_approvals()])
    _propose(found, PROPOSAL, [SET_VALUE])
    return found


def _one_approval() -> object:
    return {"scope": "SetNumApprovals", "params": {"num_approvals": 1}}


def _two_approvals() -> object:
    return {"scope": "SetNumApprovals", "params": {"num_approvals": 2}}


def _propose(registry: Registry, proposal_id: str, actions: list[object]) -> str:
    return registry.write(requests.proposal(registry.keys[0], registry.people[0], proposal_id, actions), PROXY)


def test_the_config_contract_is_complete(registry: Registry) -> None:
    assert config_contract.QUERIES.keys() == QUERIES.keys()
    assert config_contract.MUTATIONS.keys() | {"Add"} == MUTATIONS
    member = str(registry.people[0])
    more = {
        "members": {"offset": 0, "length": 100}, "fetch_nonce": {"member_id": member},
        "has_member": {"identity": member}, "privileges": {"identities": [member]},
    }  # fmt: skip
    for method, kind in QUERIES.items():
        assert type(registry.about(method, **more.get(method, {}))) is kind, method


def test_the_proxy_contract_is_complete(registry: Registry) -> None:
    assert proxy_contract.QUERIES.keys() == PROXY_QUERIES.keys()
    assert proxy_contract.ACTIONS.keys() == ACTIONS
    page, named = {"offset": 0, "length": 10}, {"proposal_id": PROPOSAL}
    arguments = {
        "proposals": page, "context_storage_entries": page, "proposal": named, "get_confirmations_count": named,
        "get_proposal_approvers": named, "get_context_value": {"key": [1]},
    }  # fmt: skip
    for method, kind in PROXY_QUERIES.items():
        assert type(registry.read(method, PROXY, **arguments.get(method, {}))) is kind, method
    for method, nothing in UNKNOWN.items():
        assert registry.read(method, PROXY, proposal_id="1" * 32) is nothing


def test_every_mutation_answers_with_nothing_and_moves_the_nonce(registry: Registry) -> None:
    """Those of open invitations have their own tests: they are signed by somebody without a nonce."""
    guest = str(registry.people[1])
    wishes: list[tuple[str, object]] = [
        ("UpdateApplication", {"application": APP.to_json()}),
        ("AddMembers", {"members": [guest]}),
        ("Grant", {"capabilities": [[guest, "Proxy"]]}),
        ("Revoke", {"capabilities": [[guest, "Proxy"]]}),
        ("RemoveMembers", {"members": [guest]}),
        ("UpdateProxyContract", None),
    ]
    for nonce, (kind, params) in enumerate(wishes, start=1):
        assert registry.mutate(0, nonce, kind, params) == "", kind
    assert registry.about("fetch_nonce", member_id=str(registry.people[0])) == len(wishes) + 1


@pytest.mark.parametrize("method", [*QUERIES, *PROXY_QUERIES, "nonsense"])
@pytest.mark.parametrize("target", [TARGET, PROXY], ids=["config", "proxy"])
def test_a_read_changes_nothing_and_a_wrong_one_says_why(registry: Registry, method: str, target: object) -> None:
    before = dict(registry.rows.rows)
    for payload in (b"{}", b"[]", b"null", b"\xff", json.dumps({"context_id": 1, "proposal_id": []}).encode()):
        status, body = registry.post(requests.envelope(target, "Read", method, payload))  # type: ignore[arg-type]
        assert status in (200, 500)
        assert status == 200 or body.startswith(b"Transport error: ")
    assert registry.rows.rows == before


def test_the_proxy_is_the_contract_s() -> None:
    assert f"0.{CONTRACT}" == PROXY.contract
