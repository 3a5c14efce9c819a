"""Create, join, leave, upgrade: every step may fail, and then nothing is left behind."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from node.context import invitation
from node.context.requests import Target
from node.crypto import ed25519
from node.errors import (
    ApplicationNotInstalled,
    CalimeroError,
    ContextError,
    FunctionCallError,
    InvalidInvitation,
    NotAMember,
    RegistryError,
    RegistryUnreachable,
    UnknownContext,
    WorkerLost,
)
from node.primitives import ApplicationId, ContextId, PrivateKey, PublicKey
from node.runtime.call import Guest
from node.store.columns import Column
from tests.workers.sync.houses import TARGET, House, Town
from workers.messages import runtime as r
from workers.messages import sync as s

Body = Callable[[House, House, Town], Awaitable[None]]
SEED = bytes(32)
SEEDED = ContextId.parse("DWCMp31rQoXjsT91Ftk7PKC7qs8qmQqZJdsUwo37p22j")


@pytest.fixture
def town(tmp_path: Path) -> Town:
    return Town(tmp_path / "town")


def play(body: Body, guest: Guest, folder: Path, town: Town) -> None:
    async def run() -> None:
        await body(House(1, guest, folder, town), House(2, guest, folder, town), town)

    asyncio.run(run())


# -- create


def test_a_context_is_made_with_its_creator_and_its_alias(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        made = await alice.create(seed=SEED, alias="home")
        assert made.context_id == SEEDED
        assert alice.owned(SEEDED) == [made.member]
        assert alice.followed == [SEEDED]
        assert town.calls == ["Add", "proxy_contract"]
        assert alice.peer.ask(r.GetAlias(1, ContextId.zero(), "home")).target == SEEDED
        record = alice.peer.ask(r.DescribeContext(SEEDED)).context
        assert (record.config.contract, record.config.proxy_contract) == (TARGET.contract, f"0.{TARGET.contract}")
        with pytest.raises(ContextError, match="seed resulted in an already existing context"):
            await alice.create(seed=SEED)
        with pytest.raises(ContextError, match="alias already exists: home"):
            await alice.create(alias="home")
        assert len(town.calls) == 2

    play(body, guest, tmp_path, town)


def _init_fails(alice: House, town: Town) -> s.CreateContext:
    return s.CreateContext("near", alice.application("collections"), b'{"title": 5}')


def _registry_down(alice: House, town: Town) -> s.CreateContext:
    town.down = True
    return s.CreateContext("near", alice.application(), b"{}")


def _registry_leaves(alice: House, town: Town) -> s.CreateContext:
    async def gone(*_: object) -> str:
        raise RegistryUnreachable("the registry does not answer")

    alice.lifecycle._relayer.proxy_contract = gone  # type: ignore[method-assign]
    return s.CreateContext("near", alice.application(), b"{}")


def _owner_dies(operation: type, when: str) -> Callable[[House, Town], s.CreateContext]:
    def prepare(alice: House, _: Town) -> s.CreateContext:
        alice.fates[operation] = when
        return s.CreateContext("near", alice.application(), b"{}", alias="home")

    return prepare


def _staged_is_lost(alice: House, _: Town) -> s.CreateContext:
    """The owner is killed between the two steps and its successor knows nothing."""
    asked = alice.lifecycle._register

    async def register(*args: object) -> object:
        alice.peer.start()
        return await asked(*args)  # type: ignore[arg-type]

    alice.lifecycle._register = register  # type: ignore[assignment]
    return s.CreateContext("near", alice.application(), b"{}")


@pytest.mark.parametrize(
    ("prepare", "error", "text"),
    [
        (_init_fails, FunctionCallError, "expected a string"),
        (_registry_down, RegistryUnreachable, "start the coordinator node"),
        (_registry_leaves, RegistryUnreachable, "does not answer"),
        (_owner_dies(r.InitContext, "before"), WorkerLost, "died"),
        (_owner_dies(r.InitContext, "after"), WorkerLost, "died"),
        (_owner_dies(r.CommitContext, "before"), WorkerLost, "died"),
        (_owner_dies(r.CommitContext, "after"), WorkerLost, "died"),
        (_staged_is_lost, ContextError, "is not being created here; start again"),
    ],
)
def test_a_creation_that_fails_leaves_nothing_behind(
    prepare: Callable[[House, Town], s.CreateContext],
    error: type[CalimeroError],
    text: str,
    guest: Guest,
    tmp_path: Path,
    town: Town,
) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        op = prepare(alice, town)
        before = alice.rows()
        with pytest.raises(error, match=text):
            await alice.do(op)
        assert alice.rows() == before
        assert alice.followed == []

    play(body, guest, tmp_path, town)


def test_a_lost_answer_of_the_registry_does_not_lose_the_context(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        town.after = {"Add"}
        made = await alice.create()
        assert alice.contexts() == [made.context_id]
        assert town.calls == ["Add", "Add", "members", "members", "proxy_contract"]

    play(body, guest, tmp_path, town)


def test_a_context_that_another_node_registered_is_refused(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        await alice.create(seed=SEED)
        with pytest.raises(RegistryError, match="context already exists"):
            await bob.create(seed=SEED)
        assert bob.contexts() == []

    play(body, guest, tmp_path, town)


def test_an_alias_is_kept_although_its_answer_was_lost(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, __: Town) -> None:
        alice.fates[r.PutAlias] = "after"
        made = await alice.create(alias="home")
        assert alice.peer.ask(r.GetAlias(1, ContextId.zero(), "home")).target == made.context_id

    play(body, guest, tmp_path, town)


def test_what_cannot_be_created_is_named(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        with pytest.raises(ContextError, match="unsupported protocol: icp, expected one of ``near``"):
            await alice.do(s.CreateContext("icp", alice.application(), b"{}"))
        with pytest.raises(ApplicationNotInstalled, match="install it on this node first"):
            await alice.do(s.CreateContext("near", ApplicationId(b"\x09" * 32), b"{}"))
        assert town.calls == []

    play(body, guest, tmp_path, town)


# -- join


async def _invited(alice: House, bob: House) -> tuple[s.ContextCreated, str, PublicKey]:
    made = await alice.create()
    invitee = bob.identity()
    return made, await alice.invite(made, invitee), invitee


def test_an_invited_identity_joins_once(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, town: Town) -> None:
        made, payload, invitee = await _invited(alice, bob)
        assert alice.called == [made.context_id]
        town.calls.clear()
        joined = await bob.do(s.JoinContext(payload))
        assert (joined.context_id, joined.member) == (made.context_id, invitee)
        assert town.calls == [
            "proxy_contract", "members_revision", "members", "members", "application_revision", "application",
        ]  # fmt: skip
        assert (bob.pool(), bob.owned(made.context_id)) == ([], [invitee])
        record = bob.peer.ask(r.DescribeContext(made.context_id)).context
        assert record.root.is_zero
        assert record.config.members_revision == 1
        keys = bob.peer.ask(r.GetKeys(made.context_id)).owned
        assert await bob.do(s.JoinContext(payload)) == joined
        assert bob.peer.ask(r.GetKeys(made.context_id)).owned == keys

    play(body, guest, tmp_path, town)


def test_a_join_that_fails_leaves_nothing_and_keeps_the_identity(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, town: Town) -> None:
        made, payload, invitee = await _invited(alice, bob)
        stranger = bob.identity()
        foreign = invitation.DirectInvitation(
            made.context_id, stranger, TARGET.protocol, TARGET.network, TARGET.contract
        )
        elsewhere = invitation.DirectInvitation(made.context_id, invitee, "near", "testnet", "other.testnet")
        of_alice = invitation.DirectInvitation(made.context_id, made.member, "near", "testnet", TARGET.contract)
        before = bob.rows()
        for text, error, message in (
            (foreign.to_text(), NotAMember, "not a member, invalid invitation"),
            (elsewhere.to_text(), RegistryError, "context does not exist"),
            (of_alice.to_text(), InvalidInvitation, "identity of another node"),
            (payload[:-9], InvalidInvitation, "truncated or damaged"),
            ("0OIl", InvalidInvitation, "truncated or damaged"),
            ("z" * 5000, InvalidInvitation, "at most 4096"),
            ("", InvalidInvitation, "truncated or damaged"),
        ):
            with pytest.raises(error, match=message):
                await bob.do(s.JoinContext(text))
        for call in ("proxy_contract", "members_revision", "members", "application_revision", "application"):
            town.refuse = call
            with pytest.raises(RegistryUnreachable):
                await bob.do(s.JoinContext(payload))
        town.refuse = ""
        assert bob.rows() == before
        assert bob.followed == []
        await bob.do(s.JoinContext(payload))
        assert bob.contexts() == [made.context_id]

    play(body, guest, tmp_path, town)


@pytest.mark.parametrize("operation", [r.AdoptContext, r.DropIdentity])
@pytest.mark.parametrize("when", ["before", "after"])
def test_a_worker_that_dies_over_a_join_does_not_break_it(
    operation: type, when: str, guest: Guest, tmp_path: Path, town: Town
) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made, payload, invitee = await _invited(alice, bob)
        bob.fates[operation] = when
        await bob.do(s.JoinContext(payload))
        assert (bob.pool(), bob.owned(made.context_id)) == ([], [invitee])

    play(body, guest, tmp_path, town)


def test_two_joins_at_once_make_one_member(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made, payload, invitee = await _invited(alice, bob)
        both = await asyncio.gather(
            bob.do(s.JoinContext(payload)), bob.do(s.JoinContext(payload)), return_exceptions=True
        )
        assert [type(result) for result in both] == [s.ContextCreated, ContextError]
        assert bob.owned(made.context_id) == [invitee]

    play(body, guest, tmp_path, town)


# -- open invitations


async def _offer(alice: House) -> tuple[s.ContextCreated, bytes]:
    made = await alice.create()
    opened = await alice.do(s.CreateOpenInvitation(made.context_id, made.member, 100))
    return made, opened.invitation


def test_an_open_invitation_is_for_one_member(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, town: Town) -> None:
        made, offer = await _offer(alice)
        member = bob.identity()
        joined = await bob.do(s.JoinOpen(offer, member))
        assert (joined.context_id, joined.member, bob.pool()) == (made.context_id, member, [])
        with pytest.raises(ContextError, match="is known here already"):
            await bob.do(s.JoinOpen(offer, bob.identity()))
        await bob.do(s.LeaveContext(made.context_id))
        with pytest.raises(InvalidInvitation, match="already been used in this context"):
            await bob.do(s.JoinOpen(offer, bob.identity()))
        assert bob.contexts() == []

    play(body, guest, tmp_path, town)


@pytest.mark.parametrize("call", ["CommitOpenInvitation", "RevealOpenInvitation"])
@pytest.mark.parametrize("lost", ["before", "after"])
def test_an_open_join_that_broke_off_is_taken_up(
    call: str, lost: str, guest: Guest, tmp_path: Path, town: Town
) -> None:
    async def body(alice: House, bob: House, town: Town) -> None:
        made, offer = await _offer(alice)
        member = bob.identity()
        town.refuse = "" if lost == "after" else call
        town.forget = call if lost == "after" else ""
        with pytest.raises(RegistryUnreachable):
            await bob.do(s.JoinOpen(offer, member))
        assert (bob.contexts(), bob.pool()) == ([], [member])
        town.refuse = town.forget = ""
        assert (await bob.do(s.JoinOpen(offer, member))).context_id == made.context_id

    play(body, guest, tmp_path, town)


def _signed(alice_key: PrivateKey, context: ContextId, *, blocks: int = 100, target: Target = TARGET) -> bytes:
    return invitation.sign_open(
        alice_key,
        inviter=PublicKey(ed25519.public_key(alice_key)),
        context_id=context,
        valid_for_blocks=blocks,
        salt=b"\x05" * 32,
        target=target,
    )


def test_open_invitations_that_are_wrong_are_refused(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, town: Town) -> None:
        made, offer = await _offer(alice)
        key = alice.peer.ask(r.GetKeys(made.context_id)).owned[0].private_key
        member = bob.identity()
        forged = json.loads(offer)
        forged["invitation"]["expiration_height"] += 1
        unknown = json.loads(offer) | {"inviter_signature": "zz"}
        before = bob.rows()
        town.calls.clear()
        for given, message in (
            (json.dumps(forged).encode(), "not signed by its inviter"),
            (json.dumps(unknown).encode(), "not signed by its inviter"),
            (offer[:-40], "truncated or damaged"),
            (b"[]", "truncated or damaged"),
        ):
            with pytest.raises(InvalidInvitation, match=message):
                await bob.do(s.JoinOpen(given, member))
        assert town.calls == []
        outsider = PrivateKey(b"\x44" * 32)
        for given, message in (
            (_signed(key, made.context_id, blocks=-999_999_998), "already expired"),
            (_signed(outsider, made.context_id), "unauthorized access"),
        ):
            with pytest.raises(InvalidInvitation, match=message):
                await bob.do(s.JoinOpen(given, member))
        with pytest.raises(InvalidInvitation, match="context does not exist"):
            await bob.do(s.JoinOpen(_signed(key, ContextId(b"\x33" * 32)), member))
        with pytest.raises(InvalidInvitation, match="identity of another node"):
            await bob.do(s.JoinOpen(offer, made.member))
        assert bob.rows() == before
        with pytest.raises(ContextError, match="for a block at the least"):
            await alice.do(s.CreateOpenInvitation(made.context_id, made.member, 0))

    play(body, guest, tmp_path, town)


# -- leave


def test_a_left_context_is_gone_and_needs_another_identity(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, _: Town) -> None:
        made, payload, _invitee = await _invited(alice, bob)
        before = bob.rows()
        await bob.do(s.JoinContext(payload))
        assert (await bob.do(s.LeaveContext(made.context_id))).deleted
        assert (bob.contexts(), bob.followed, bob.pool()) == ([], [], [])
        left = {place for place in bob.rows() if place[1] is not Column.APPLICATION}
        assert left <= set(before)
        assert not (await bob.do(s.LeaveContext(made.context_id))).deleted
        with pytest.raises(InvalidInvitation, match="missing identity"):
            await bob.do(s.JoinContext(payload))
        await bob.do(s.JoinContext(await alice.invite(made, bob.identity())))
        assert bob.contexts() == [made.context_id]

    play(body, guest, tmp_path, town)


def test_a_context_that_cannot_be_deleted_is_followed_again(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, __: Town) -> None:
        made = await alice.create()
        asked = alice.ask

        async def dying(operation: object) -> object:
            if isinstance(operation, r.DeleteContext):
                raise WorkerLost("runtime[0] is not running")
            return await asked(operation)  # type: ignore[arg-type]

        alice.ask = dying  # type: ignore[method-assign, assignment]
        with pytest.raises(WorkerLost):
            await alice.do(s.LeaveContext(made.context_id))
        assert alice.followed == [made.context_id]
        assert alice.owned(made.context_id) == [made.member]

    play(body, guest, tmp_path, town)


# -- upgrade


def test_an_upgrade_is_told_to_the_registry_and_the_members(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        made = await alice.create()
        newer = alice.application("collections")
        town.calls.clear()
        op = s.UpdateApplication(made.context_id, newer, made.member)
        await alice.do(op)
        assert town.calls == ["privileges", "fetch_nonce", "UpdateApplication"]
        assert alice.called == [made.context_id]
        assert alice.peer.ask(r.DescribeContext(made.context_id)).context.application_id == newer
        town.calls.clear()
        await alice.do(op)
        assert town.calls == ["application"]

    play(body, guest, tmp_path, town)


def test_an_upgrade_that_the_registry_does_not_take_changes_nothing(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, bob: House, town: Town) -> None:
        made, payload, invitee = await _invited(alice, bob)
        await bob.do(s.JoinContext(payload))
        newer, mine = bob.application("collections"), alice.application("collections")
        before = bob.rows()
        with pytest.raises(RegistryError, match="unable to update application: unauthorized access"):
            await bob.do(s.UpdateApplication(made.context_id, newer, invitee))
        with pytest.raises(NotAMember, match="no private key"):
            await bob.do(s.UpdateApplication(made.context_id, newer, made.member))
        assert bob.rows() == before
        before = alice.rows()
        town.down = True
        with pytest.raises(RegistryUnreachable):
            await alice.do(s.UpdateApplication(made.context_id, mine, made.member))
        town.down = False
        with pytest.raises(FunctionCallError, match="nonsense"):
            await alice.do(s.UpdateApplication(made.context_id, mine, made.member, "nonsense"))
        with pytest.raises(UnknownContext):
            await alice.do(s.UpdateApplication(SEEDED, mine, made.member))
        assert alice.rows() == before

    play(body, guest, tmp_path, town)


def test_only_the_same_signer_replaces_an_application(guest: Guest, tmp_path: Path, town: Town) -> None:
    async def body(alice: House, _: House, town: Town) -> None:
        made = await alice.create()
        plain, signed = alice.peer.install("collections"), alice.peer.install("owned")
        alice.peer.ask(r.PutApplication(type(signed)(signed.id, signed.blob_id, signed.size, "file:x", signer_id="a")))
        await alice.do(s.UpdateApplication(made.context_id, signed.id, made.member))
        with pytest.raises(ContextError, match="Security downgrade rejected"):
            await alice.do(s.UpdateApplication(made.context_id, plain.id, made.member))
        alice.peer.ask(r.PutApplication(type(plain)(plain.id, plain.blob_id, plain.size, "file:x", signer_id="b")))
        with pytest.raises(ContextError, match="AppKey continuity violation: signerId mismatch"):
            await alice.do(s.UpdateApplication(made.context_id, plain.id, made.member))

    play(body, guest, tmp_path, town)
