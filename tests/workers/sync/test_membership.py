"""Members, capabilities and proposals: what the registry decides, and what guests ask of it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from node.context.actions import ACTIONS, SetContextValue, SetNumApprovals
from node.context.owner import governance
from node.errors import ContextError, NotAMember, RegistryError
from node.primitives import ContextId, Hash
from node.runtime.call import ContextMutation, Guest, Outcome
from node.store.base import Batch
from tests.workers.sync.houses import House, Town
from tests.workers.sync.test_lifecycle import Body, play
from workers.messages import runtime as r
from workers.messages import sync as s
from workers.sync import queued

PROPOSAL = Hash(b"\x0c" * 32)


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path / "town")


def alone(body: Body, guest: Guest, folder: Path) -> None:
    play(body, guest, folder, Town(folder / "town"))


async def _members(house: House, context_id: ContextId) -> list[str]:
    args = json.dumps({"context_id": str(context_id), "offset": 0, "length": 10}).encode()
    answer = await house.do(s.ReadRegistry(context_id, "config", "members", args))
    members: list[str] = json.loads(answer.result)
    return members


def test_capabilities_are_granted_and_revoked(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made = await alice.create()
        invitee, third = bob.identity(), alice.identity()
        await bob.do(s.JoinContext(await alice.invite(made, invitee)))
        ask = s.InviteMember(made.context_id, invitee, third)
        with pytest.raises(RegistryError, match="unable to update member list: unauthorized access"):
            await bob.do(ask)
        grant = s.ChangeCapabilities(
            made.context_id, made.member, grant=True, capabilities=[(invitee, "ManageMembers")]
        )
        await alice.do(grant)
        assert (await bob.do(ask)).payload is not None
        await alice.do(
            s.ChangeCapabilities(made.context_id, made.member, grant=False, capabilities=[(invitee, "ManageMembers")])
        )
        with pytest.raises(RegistryError, match="unauthorized access"):
            await bob.do(ask)
        with pytest.raises(ContextError, match="'Fly' is no capability; there are ManageApplication"):
            await alice.do(
                s.ChangeCapabilities(made.context_id, made.member, grant=True, capabilities=[(invitee, "Fly")])
            )
        with pytest.raises(RegistryError, match="unable to grant privileges to non-member"):
            await alice.do(
                s.ChangeCapabilities(made.context_id, made.member, grant=True, capabilities=[(bob.identity(), "Proxy")])
            )
        with pytest.raises(NotAMember, match="no private key"):
            await alice.do(s.InviteMember(made.context_id, invitee, third))

    alone(body, guest, tmp_path)


def test_an_unknown_context_has_no_invitation(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        answer = await alice.do(s.InviteMember(ContextId(b"\x01" * 32), alice.identity(), alice.identity()))
        assert (answer.payload, town.calls) == (None, [])

    alone(body, guest, tmp_path)


def test_a_nonce_that_moved_is_read_again(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        made = await alice.create()
        people = [alice.identity() for _ in range(3)]
        await asyncio.gather(*(alice.invite(made, person) for person in people))
        assert set(await _members(alice, made.context_id)) == {str(made.member), *map(str, people)}
        town.after = {"AddMembers"}
        await alice.invite(made, alice.identity())

    alone(body, guest, tmp_path)


def test_proposals_are_made_approved_and_read(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made = await alice.create()
        invitee = bob.identity()
        await bob.do(s.JoinContext(await alice.invite(made, invitee)))
        actions = json.dumps([{"scope": "SetContextValue", "params": {"key": [1], "value": [2]}}]).encode()
        first = await alice.do(s.Propose(made.context_id, made.member, PROPOSAL, actions))
        assert json.loads(first.result)["num_approvals"] == 1
        second = await bob.do(s.Propose(made.context_id, invitee, PROPOSAL, None))
        assert json.loads(second.result)["num_approvals"] == 2
        args = json.dumps({"proposal_id": str(PROPOSAL)}).encode()
        answer = await alice.do(s.ReadRegistry(made.context_id, "proxy", "get_proposal_approvers", args))
        assert json.loads(answer.result) == [str(made.member), str(invitee)]
        with pytest.raises(RegistryError, match="Already confirmed"):
            await bob.do(s.Propose(made.context_id, invitee, PROPOSAL, None))
        with pytest.raises(RegistryError, match="actions with something else"):
            await alice.do(s.Propose(made.context_id, made.member, PROPOSAL, b"{"))

    alone(body, guest, tmp_path)


# -- what guests queue


async def _settle(house: House, *notes: r.GovernanceQueued) -> None:
    """Carry the notes out, in order."""
    running = asyncio.create_task(house.queued.run())
    for note in notes:
        house.queued.take(note)
    await house.queued.drained()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def _mutation(kind: str, target: bytes, **params: bytes) -> r.MutationRecord:
    return r.MutationRecord(kind, target, params)


def test_a_guest_adds_and_removes_members(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made = await alice.create()
        person = bob.identity()
        for kind, expected in (
            ("context_add_member", [str(made.member), str(person)]),
            ("context_remove_member", [str(made.member)]),
        ):
            await _settle(alice, r.GovernanceQueued(made.context_id, made.member, [_mutation(kind, person)]))
            assert await _members(alice, made.context_id) == expected
        assert (alice.failures, alice.called) == ([], [made.context_id, made.context_id])

    alone(body, guest, tmp_path)


def test_a_guest_proposes_and_approves(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made = await alice.create()
        people = [bob.identity(), bob.identity()]
        for person in people:
            await alice.invite(made, person)
        actions = ACTIONS.encode([SetNumApprovals(1), SetContextValue(b"k", b"v")])
        await _settle(
            alice, r.GovernanceQueued(made.context_id, made.member, [], [r.ProposalRecord(PROPOSAL, actions)])
        )
        args = json.dumps({"proposal_id": str(PROPOSAL)}).encode()
        answer = await alice.do(s.ReadRegistry(made.context_id, "proxy", "proposal", args))
        assert json.loads(answer.result)["actions"] == [
            {"scope": "SetNumApprovals", "params": {"num_approvals": 1}},
            {"scope": "SetContextValue", "params": {"key": [107], "value": [118]}},
        ]
        await _settle(
            alice,
            r.GovernanceQueued(made.context_id, made.member, [], [r.ProposalRecord(PROPOSAL, approval=True)]),
            r.GovernanceQueued(made.context_id, made.member, [], [r.ProposalRecord(Hash(b"\x01" * 32), b"\x09")]),
        )
        assert [kind for kind, _ in alice.failures] == ["approve_proposal", "send_proposal"]
        assert "Already confirmed" in alice.failures[0][1]

    alone(body, guest, tmp_path)


def test_a_guest_makes_contexts_and_ends_only_its_own(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, _: House, __: Town) -> None:
        made, other = await alice.create(), await alice.create()
        application = alice.application()
        create = _mutation("context_create", application, protocol=b"near", init_args=b"{}", alias=b"child")
        await _settle(alice, r.GovernanceQueued(made.context_id, made.member, [create]))
        child = alice.peer.ask(r.GetAlias(2, made.context_id, "child")).target
        assert child is not None
        assert ContextId(child) in alice.contexts()
        for target in (other.context_id, child):
            await _settle(
                alice, r.GovernanceQueued(made.context_id, made.member, [_mutation("context_delete", target)])
            )
        assert alice.contexts() == sorted([made.context_id, other.context_id], key=alice.contexts().index)
        assert [kind for kind, _ in alice.failures] == ["context_delete"]
        await _settle(
            alice, r.GovernanceQueued(made.context_id, made.member, [_mutation("context_delete", made.context_id)])
        )
        assert alice.contexts() == [other.context_id]
        await _settle(alice, r.GovernanceQueued(other.context_id, other.member, [_mutation("context_fly", b"")]))
        assert "does not know" in alice.failures[-1][1]

    alone(body, guest, tmp_path)


def _owe(house: House, made: s.ContextCreated, ticket: Hash, mutation: ContextMutation) -> None:
    """As a call leaves it that nobody heard of."""
    batch = Batch()
    governance.stage(batch, made.context_id, made.member, Outcome(mutations=[mutation]), ticket)
    house.peer.worker.store(made.context_id).commit(batch)


async def _owed(house: House) -> int:
    house.peer.notes.clear()
    await house.ask(r.TellGovernance())
    return len(house.peer.notes)


async def _all_done(house: House) -> None:
    running = asyncio.create_task(house.queued.run())
    while await _owed(house):  # noqa: ASYNC110 - what it waits for happens in the other task
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_what_was_asked_while_nobody_listened_is_carried_out_once(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made = await alice.create()
        person = bob.identity()
        _owe(alice, made, Hash(b"\x05" * 32), ContextMutation("context_add_member", person))
        await _all_done(alice)
        assert await _members(alice, made.context_id) == [str(made.member), str(person)]
        assert (alice.failures, await _owed(alice)) == ([], 0)

    alone(body, guest, tmp_path)


def test_a_context_that_is_asked_for_again_is_made_once(guest: Guest, tmp_path: Path) -> None:
    async def body(alice: House, _: House, __: Town) -> None:
        made = await alice.create()
        params = {"protocol": b"near", "init_args": b"{}"}
        ticket, mutation = Hash(b"\x05" * 32), _mutation("context_create", alice.application(), **params)
        for _ in range(2):
            await _settle(alice, r.GovernanceQueued(made.context_id, made.member, [mutation], ticket=ticket))
        assert len(alice.contexts()) == 2
        assert "already existing context" in alice.failures[0][1]

    alone(body, guest, tmp_path)


def test_what_does_not_fit_into_the_queue_comes_later(
    guest: Guest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queued, "MAX_QUEUED", 1)

    async def body(alice: House, bob: House, _: Town) -> None:
        made = await alice.create()
        people = [bob.identity() for _ in range(3)]
        for number, person in enumerate(people, 1):
            _owe(alice, made, Hash(bytes([number]) * 32), ContextMutation("context_add_member", person))
        await _all_done(alice)
        assert sorted(await _members(alice, made.context_id)) == sorted(map(str, [made.member, *people]))

    alone(body, guest, tmp_path)
