"""The registry through its one door: posted bodies in, statuses and bodies out."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.context import invitation, requests
from node.context.registry.rate import RateLimit
from node.context.registry.relayer import answer
from node.context.requests import RegisteredApplication, Target
from node.crypto import ed25519
from node.primitives import ApplicationId, BlobId, ContextId, PrivateKey, PublicKey

CONTRACT = "v0-6.config.calimero-context.testnet"
TARGET = Target("near", "testnet", CONTRACT)
SECRET = PrivateKey(b"\x09" * 32)
CONTEXT = ContextId(ed25519.public_key(SECRET))
APP = RegisteredApplication(ApplicationId(b"\x07" * 32), BlobId(b"\x08" * 32), 1234, "file:///app.wasm", b"\x01\x02")


class MemoryRows:
    """Rows in a dict; commits whole."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}

    def get(self, key: bytes) -> bytes | None:
        return self.rows.get(key)

    def commit(self, changes: dict[bytes, bytes | None]) -> None:
        for key, value in changes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value


class Registry:
    """A registry and the keys of three people."""

    def __init__(self) -> None:
        self.rows = MemoryRows()
        self.keys = [PrivateKey(bytes([n]) * 32) for n in (1, 2, 3)]
        self.people = [ed25519.public_key(key) for key in self.keys]

    def post(self, body: bytes) -> tuple[int, bytes]:
        given = answer(self.rows, body)
        return given.status, given.body

    def read(self, method: str, target: Target = TARGET, **args: object) -> object:
        status, body = self.post(requests.envelope(target, "Read", method, requests.compact(args)))
        return json.loads(body) if status == 200 else body.decode()

    def about(self, method: str, **args: object) -> object:
        return self.read(method, context_id=str(CONTEXT), **args)

    def write(self, payload: bytes, target: Target = TARGET) -> str:
        status, body = self.post(requests.envelope(target, "Write", "mutate", payload))
        return "" if (status, body) == (200, b"") else body.decode()

    def mutate(self, person: int, nonce: int, kind: str, params: object) -> str:
        key, signer = self.keys[person], self.people[person]
        return self.write(requests.context_mutation(key, signer, nonce, CONTEXT, kind, params))

    def add_context(self) -> str:
        params = {"author_id": str(self.people[0]), "application": APP.to_json()}
        return self.write(requests.context_mutation(SECRET, CONTEXT, 0, CONTEXT, "Add", params))


@pytest.fixture
def registry() -> Registry:
    registry = Registry()
    assert registry.add_context() == ""
    return registry


def test_a_new_context_has_its_author_application_and_proxy(registry: Registry) -> None:
    author = str(registry.people[0])
    assert registry.about("members", offset=0, length=100) == [author]
    assert registry.about("members", offset=1, length=100) == []
    assert registry.about("application") == APP.to_json()
    assert registry.about("members_revision") == registry.about("application_revision") == 0
    assert registry.about("proxy_contract") == f"0.{CONTRACT}"
    assert registry.about("fetch_nonce", member_id=author) == 0
    assert registry.about("has_member", identity=author) is True
    assert registry.about("privileges", identities=[]) == {author: ["ManageApplication", "ManageMembers"]}


def test_add_is_refused_twice_and_for_a_foreign_signer(registry: Registry) -> None:
    assert registry.add_context() == "Transport error: context already exists"
    params = {"author_id": str(registry.people[0]), "application": APP.to_json()}
    foreign = requests.context_mutation(registry.keys[0], registry.people[0], 0, CONTEXT, "Add", params)
    assert registry.write(foreign).endswith("context addition must be signed by the context itself")


def test_proxies_are_counted_per_contract(registry: Registry) -> None:
    secret = PrivateKey(b"\x0a" * 32)
    context = ContextId(ed25519.public_key(secret))
    params = {"author_id": str(registry.people[0]), "application": APP.to_json()}
    assert registry.write(requests.context_mutation(secret, context, 0, context, "Add", params)) == ""
    assert registry.read("proxy_contract", context_id=str(context)) == f"1.{CONTRACT}"


def test_members_are_added_once_with_a_nonce_and_a_revision_per_call(registry: Registry) -> None:
    invitee = str(registry.people[1])
    assert registry.mutate(0, 0, "AddMembers", {"members": [invitee]}) == ""
    assert registry.mutate(0, 1, "AddMembers", {"members": [invitee]}) == ""
    assert registry.about("members", offset=0, length=100) == [str(registry.people[0]), invitee]
    assert registry.about("members_revision") == 2
    assert registry.about("fetch_nonce", member_id=invitee) == 0


def test_a_refused_mutation_consumes_no_nonce(registry: Registry) -> None:
    assert registry.mutate(0, 5, "AddMembers", {"members": []}) == "Transport error: invalid nonce"
    assert registry.mutate(0, 0, "Grant", {"capabilities": [[str(registry.people[1]), "Proxy"]]}).endswith(
        "unable to grant privileges to non-member"
    )
    assert registry.about("fetch_nonce", member_id=str(registry.people[0])) == 0


def test_capabilities_decide_who_may_change_what(registry: Registry) -> None:
    invitee = str(registry.people[1])
    registry.mutate(0, 0, "AddMembers", {"members": [invitee]})
    denied = registry.mutate(1, 0, "AddMembers", {"members": [str(registry.people[2])]})
    assert denied == "Transport error: unable to update member list: unauthorized access"
    assert registry.mutate(0, 1, "Grant", {"capabilities": [[invitee, "ManageMembers"]]}) == ""
    assert registry.mutate(1, 0, "AddMembers", {"members": [str(registry.people[2])]}) == ""
    assert registry.mutate(1, 1, "UpdateApplication", {"application": APP.to_json()}).endswith("unauthorized access")
    assert registry.mutate(0, 2, "Revoke", {"capabilities": [[invitee, "ManageMembers"]]}) == ""
    assert registry.mutate(1, 1, "AddMembers", {"members": []}).endswith("unauthorized access")


def test_a_removed_member_loses_place_nonce_and_capabilities(registry: Registry) -> None:
    invitee = str(registry.people[1])
    registry.mutate(0, 0, "AddMembers", {"members": [invitee]})
    registry.mutate(0, 1, "Grant", {"capabilities": [[invitee, "ManageMembers"]]})
    assert registry.mutate(0, 2, "RemoveMembers", {"members": [invitee]}) == ""
    assert registry.about("members", offset=0, length=100) == [str(registry.people[0])]
    assert registry.about("fetch_nonce", member_id=invitee) is None
    assert registry.about("privileges", identities=[invitee]) == {invitee: []}


def test_an_application_update_raises_its_revision(registry: Registry) -> None:
    newer = {**APP.to_json(), "size": 99}
    assert registry.mutate(0, 0, "UpdateApplication", {"application": newer}) == ""
    assert registry.about("application") == newer
    assert registry.about("application_revision") == 1


def test_a_signature_of_someone_else_is_refused(registry: Registry) -> None:
    payload = requests.context_mutation(registry.keys[1], registry.people[0], 0, CONTEXT, "AddMembers", {"members": []})
    assert "invalid signature" in registry.write(payload)


def _offer(registry: Registry) -> bytes:
    return invitation.sign_open(
        registry.keys[0],
        inviter=registry.people[0],
        context_id=CONTEXT,
        valid_for_blocks=10,
        salt=b"\x03" * 32,
        target=TARGET,
    )


def test_an_open_invitation_is_used_once(registry: Registry) -> None:
    offer = _offer(registry)
    for person, expected in ((1, ""), (2, "This invitation has already been used in this context.")):
        join = invitation.sign_reveal(registry.keys[person], offer, registry.people[person])
        assert registry.mutate(person, 0, "CommitOpenInvitation", join.commit_params()) == ""
        assert registry.mutate(person, 0, "RevealOpenInvitation", join.reveal_params()).endswith(expected)
    assert registry.about("members", offset=0, length=100) == [str(p) for p in registry.people[:2]]
    assert registry.about("fetch_nonce", member_id=str(registry.people[1])) is None


def test_a_reveal_needs_its_commitment_first(registry: Registry) -> None:
    join = invitation.sign_reveal(registry.keys[1], _offer(registry), registry.people[1])
    assert "No matching commitment found." in registry.mutate(1, 0, "RevealOpenInvitation", join.reveal_params())
    assert registry.mutate(1, 0, "CommitOpenInvitation", join.commit_params()) == ""
    assert registry.mutate(1, 0, "CommitOpenInvitation", join.commit_params()).endswith("already been made")


def test_a_commitment_is_checked(registry: Registry) -> None:
    expired = {"commitment_hash": "00" * 32, "expiration_block_height": 1}
    assert registry.mutate(1, 0, "CommitOpenInvitation", expired).endswith("This invitation is already expired")
    crooked = {"commitment_hash": "zz" * 32, "expiration_block_height": 10**9}
    assert registry.mutate(1, 0, "CommitOpenInvitation", crooked).endswith("Invalid hex hash")


PROXY = Target("near", "testnet", f"0.{CONTRACT}")
PROPOSAL = str(PublicKey(b"\x0c" * 32))


def _propose(registry: Registry, actions: list[object], proposal_id: str = PROPOSAL) -> str:
    payload = requests.proposal(registry.keys[0], registry.people[0], proposal_id, actions)
    return registry.write(payload, PROXY)


def _approve(registry: Registry, person: int) -> str:
    return registry.write(requests.approval(registry.keys[person], registry.people[person], PROPOSAL), PROXY)


SET_VALUE = {"scope": "SetContextValue", "params": {"key": [1], "value": [2, 3]}}


def test_a_proposal_runs_when_it_has_its_approvals(registry: Registry) -> None:
    registry.mutate(0, 0, "AddMembers", {"members": [str(p) for p in registry.people[1:]]})
    assert json.loads(_propose(registry, [SET_VALUE])) == {"proposal_id": PROPOSAL, "num_approvals": 1}
    assert registry.read("get_proposal_approvers", PROXY, proposal_id=PROPOSAL) == [str(registry.people[0])]
    assert json.loads(_approve(registry, 1))["num_approvals"] == 2
    assert _approve(registry, 1).endswith("Already confirmed this proposal with this key")
    assert _approve(registry, 2) == "null"
    assert registry.read("get_context_value", PROXY, key=[1]) == [2, 3]
    assert registry.read("context_storage_entries", PROXY, offset=0, limit=10) == [[[1], [2, 3]]]
    assert registry.read("proposal", PROXY, proposal_id=PROPOSAL) is None


def test_an_author_deletes_its_proposal(registry: Registry) -> None:
    _propose(registry, [SET_VALUE])
    assert _propose(registry, [SET_VALUE]).endswith("Proposal already exists")
    delete = {"scope": "DeleteProposal", "params": {"proposal_id": PROPOSAL}}
    assert _propose(registry, [delete], str(PublicKey(b"\x0d" * 32))) == ""
    assert registry.read("proposals", PROXY, offset=0, length=10) == []


def test_an_author_has_a_limited_number_of_proposals(registry: Registry) -> None:
    for n in range(10):
        assert "num_approvals" in _propose(registry, [SET_VALUE], str(PublicKey(bytes([n + 1]) * 32)))
    assert "too many active proposals" in _propose(registry, [SET_VALUE], str(PublicKey(b"\x40" * 32)))


def test_what_needs_a_chain_says_so_and_stays_open(registry: Registry) -> None:
    limit = {"scope": "SetNumApprovals", "params": {"num_approvals": 1}}
    registry.mutate(0, 0, "AddMembers", {"members": [str(p) for p in registry.people[1:]]})
    _propose(registry, [limit])
    _approve(registry, 1)
    assert _approve(registry, 2) == "null"
    other = str(PublicKey(b"\x0e" * 32))
    transfer = {"scope": "Transfer", "params": {"receiver_id": "x", "amount": 1}}
    assert "has no chain" in _propose(registry, [transfer], other)
    assert registry.read("proposal", PROXY, proposal_id=other) is None


def test_unknown_contexts_methods_and_protocols_are_named(registry: Registry) -> None:
    other = str(ContextId(b"\x0f" * 32))
    assert registry.read("members_revision", context_id=other) == "Transport error: context does not exist"
    assert registry.read("fetch_nonce", context_id=other, member_id=other) is None
    assert "'nonsense' is not a query" in str(registry.about("nonsense"))
    status, body = registry.post(requests.envelope(Target("icp", "x", "y"), "Read", "members", b"{}"))
    assert (status, json.loads(body)["kind"]) == (400, "UnsupportedProtocol")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=100).map(lambda text: json.dumps(text).encode())))
def test_any_body_gets_an_answer_and_changes_nothing(body: bytes) -> None:
    rows = MemoryRows()
    given = answer(rows, body)
    assert given.status in (400, 500)
    assert rows.rows == {}


@given(st.binary(max_size=200))
def test_any_payload_gets_an_answer_and_changes_nothing(payload: bytes) -> None:
    rows = MemoryRows()
    for method in ("mutate", "members", "application"):
        for operation in ("Read", "Write"):
            given = answer(rows, requests.envelope(TARGET, operation, method, payload))  # type: ignore[arg-type]
            assert given.status == 500
    assert rows.rows == {}


def test_one_address_may_not_ask_without_end() -> None:
    limit = RateLimit(rate=1.0, burst=2.0)
    assert [limit.admit("a", 0.0) for _ in range(3)] == [True, True, False]
    assert limit.admit("b", 0.0)
    assert limit.admit("a", 1.0)
    assert limit.refused == 1
