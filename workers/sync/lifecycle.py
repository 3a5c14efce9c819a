"""Create, invite, join, leave, upgrade: what a context goes through, step by step.

Each operation asks the registry, the owner of the context and the network in the reference's order, and undoes what it
did when a later step fails: half a context is never left behind. Keys are made here, stored by the owner, never logged.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from node.context import invitation, requests
from node.context.requests import RegisteredApplication, Target
from node.context.seed import context_secret
from node.crypto import ed25519
from node.errors import (
    ApplicationNotInstalled,
    ContextError,
    InvalidInvitation,
    NotAMember,
    RegistryError,
    UnknownContext,
)
from node.primitives import ApplicationId, ContextId, Hash, PrivateKey, PublicKey
from workers.messages import runtime, sync
from workers.messages.base import Done, Request
from workers.messages.records import ApplicationRecord, ConfigRecord, OwnedIdentity
from workers.sync.relayer import Relayer

log = logging.getLogger(__name__)
Reply = TypeVar("Reply")

SEED_ATTEMPTS: Final = 5
"""Random context secrets tried before creation gives up, as in the reference."""

ALIAS_CONTEXT: Final = 1


class Owners(Protocol):
    """The runtime workers: an operation goes to the owner of its context, a node-wide one to worker 0."""

    async def ask(self, operation: Request[Reply]) -> Reply: ...


class Topics(Protocol):
    """The part of the sync worker that follows contexts."""

    async def follow(self, context_id: ContextId) -> None: ...
    async def unfollow(self, context_id: ContextId) -> None: ...
    def sync_soon(self, context_id: ContextId) -> None: ...


@dataclass(frozen=True, slots=True)
class RegistryNames:
    """Where new contexts are registered: protocol to (network, contract), from ``context.config``."""

    targets: dict[str, Target]

    def target(self, protocol: str) -> Target:
        found = self.targets.get(protocol)
        if found is None:
            raise ContextError(f"unsupported protocol: {protocol}, expected one of {', '.join(sorted(self.targets))}")
        return found


class Lifecycle:
    """The lifecycle operations of one node."""

    def __init__(
        self,
        owners: Owners,
        topics: Topics,
        relayer: Relayer,
        names: RegistryNames,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._owners = owners
        self._topics = topics
        self._relayer = relayer
        self._names = names
        self._random = random_bytes

    def handlers(self) -> dict[type, Callable[..., Awaitable[object]]]:
        """Operation type to handler, for the worker's dispatch table."""
        return {
            sync.CreateContext: self.create,
            sync.InviteMember: self.invite,
            sync.JoinContext: self.join,
            sync.CreateOpenInvitation: self.open_invitation,
            sync.JoinOpen: self.join_open,
            sync.LeaveContext: self.leave,
            sync.UpdateApplication: self.update_application,
            sync.ChangeCapabilities: self.change_capabilities,
            sync.ReadRegistry: self.read_registry,
            sync.Propose: self.propose,
        }

    # -- create

    async def create(self, op: sync.CreateContext) -> sync.ContextCreated:
        target = self._names.target(op.protocol)
        application = await self._installed(op.application_id)
        secret, context_id = await self._context_secret(op.seed)
        identity = self._new_identity()
        await self._owners.ask(runtime.InitContext(context_id, application, identity, op.init_args))
        try:
            config = await self._register(target, secret, context_id, identity.public_key, application)
            await self._owners.ask(runtime.CommitContext(context_id, config))
        except BaseException:
            await self._owners.ask(runtime.AbortContext(context_id))
            raise
        if op.alias:
            await self._owners.ask(runtime.PutAlias(ALIAS_CONTEXT, ContextId.zero(), op.alias, Hash(context_id)))
        await self._topics.follow(context_id)
        return sync.ContextCreated(context_id, identity.public_key)

    async def _register(
        self, target: Target, secret: PrivateKey, context_id: ContextId, author: PublicKey, app: ApplicationRecord
    ) -> ConfigRecord:
        registered = RegisteredApplication(app.id, app.blob_id, app.size, app.source, app.metadata)
        params = {"author_id": str(author), "application": registered.to_json()}
        await self._relayer.mutate(target, requests.context_mutation(secret, context_id, 0, context_id, "Add", params))
        proxy = await self._relayer.proxy_contract(target, context_id)
        return ConfigRecord(target.protocol, target.network, target.contract, proxy)

    async def _context_secret(self, seed: bytes | None) -> tuple[PrivateKey, ContextId]:
        if seed is not None:
            secret = context_secret(seed)
            context_id = ContextId(ed25519.public_key(secret))
            if await self._known(context_id):
                raise ContextError(f"seed resulted in an already existing context ({context_id})")
            return secret, context_id
        for _ in range(SEED_ATTEMPTS):
            secret = PrivateKey(self._random(32))
            context_id = ContextId(ed25519.public_key(secret))
            if not await self._known(context_id):
                return secret, context_id
        raise ContextError("no free context id found; the source of randomness repeats itself")

    def _new_identity(self) -> OwnedIdentity:
        key = PrivateKey(self._random(32))
        return OwnedIdentity(ed25519.public_key(key), key, PrivateKey(self._random(32)))

    # -- invite and join

    async def invite(self, op: sync.InviteMember) -> sync.Invitation:
        config = await self._config(op.context_id)
        if config is None:
            return sync.Invitation(None)
        key = await self._signing_key(op.context_id, op.inviter)
        target = Target(config.protocol, config.network, config.contract)
        params = {"members": [str(op.invitee)]}
        await self._relayer.mutate_as(target, key, op.inviter, op.context_id, "AddMembers", params)
        self._topics.sync_soon(op.context_id)
        payload = invitation.DirectInvitation(
            op.context_id, op.invitee, config.protocol, config.network, config.contract
        )
        return sync.Invitation(payload.to_text())

    async def join(self, op: sync.JoinContext) -> sync.ContextCreated:
        invited = invitation.DirectInvitation.from_text(op.payload)
        return await self._join(invited)

    async def _join(self, invited: invitation.DirectInvitation) -> sync.ContextCreated:
        context_id, member = invited.context_id, invited.invitee
        if await self._is_owned(context_id, member):
            await self._topics.follow(context_id)
            self._topics.sync_soon(context_id)
            return sync.ContextCreated(context_id, member)
        identity = await self._pool_identity(member)
        target = Target(invited.protocol, invited.network, invited.contract)
        adopt = await self._membership(context_id, target, identity)
        await self._owners.ask(adopt)
        await self._owners.ask(runtime.DropIdentity(member))
        await self._topics.follow(context_id)
        self._topics.sync_soon(context_id)
        return sync.ContextCreated(context_id, member)

    async def _membership(self, context_id: ContextId, target: Target, identity: OwnedIdentity) -> runtime.AdoptContext:
        """Everything that the registry says of the context, read before a row is written."""
        proxy = await self._relayer.proxy_contract(target, context_id)
        members_revision = await self._relayer.revision(target, context_id, "members")
        members = await self._relayer.members(target, context_id)
        if identity.public_key not in members:
            raise NotAMember("unable to join context: not a member, invalid invitation?")
        application_revision = await self._relayer.revision(target, context_id, "application")
        application = await self._relayer.application(target, context_id)
        record = await self._owners.ask(runtime.GetApplication(application.id))
        config = ConfigRecord(
            target.protocol, target.network, target.contract, proxy, application_revision, members_revision
        )
        return runtime.AdoptContext(
            context_id, application.id, record.application or record_of(application), config, members, identity
        )

    async def _pool_identity(self, member: PublicKey) -> OwnedIdentity:
        found = (await self._owners.ask(runtime.ReadIdentity(member))).identity
        if found is None:
            raise InvalidInvitation(
                f"missing identity for public key: {member}; the invitation is for an identity of another node"
            )
        return OwnedIdentity(found.public_key, found.private_key, PrivateKey(self._random(32)))

    # -- open invitations

    async def open_invitation(self, op: sync.CreateOpenInvitation) -> sync.OpenInvitation:
        config = await self._config(op.context_id)
        if config is None:
            raise UnknownContext(f"context not found: {op.context_id}")
        key = await self._signing_key(op.context_id, op.inviter)
        signed = invitation.sign_open(
            key,
            inviter=op.inviter,
            context_id=op.context_id,
            valid_for_blocks=op.valid_for_blocks,
            salt=self._random(32),
            target=Target(config.protocol, config.network, config.contract),
        )
        return sync.OpenInvitation(signed)

    async def join_open(self, op: sync.JoinOpen) -> sync.ContextCreated:
        offer = invitation.read_open(op.invitation)
        if await self._known(offer.context_id):
            raise ContextError(f"context {offer.context_id} is known here already; a second identity needs an invite")
        identity = await self._pool_identity(op.member)
        target = Target(offer.protocol, offer.network, offer.contract_id)
        reveal = invitation.sign_reveal(identity.private_key, op.invitation, op.member)
        await self._open_mutation(target, identity, offer.context_id, "CommitOpenInvitation", reveal.commit_params())
        await self._open_mutation(target, identity, offer.context_id, "RevealOpenInvitation", reveal.reveal_params())
        return await self._join(
            invitation.DirectInvitation(offer.context_id, op.member, offer.protocol, offer.network, offer.contract_id)
        )

    async def _open_mutation(
        self, target: Target, identity: OwnedIdentity, context_id: ContextId, kind: str, params: object
    ) -> None:
        payload = requests.context_mutation(identity.private_key, identity.public_key, 0, context_id, kind, params)
        try:
            await self._relayer.mutate(target, payload)
        except RegistryError as error:
            raise InvalidInvitation(f"the registry refused the open invitation: {error}") from error

    # -- leave, upgrade, capabilities

    async def leave(self, op: sync.LeaveContext) -> sync.Left:
        if not await self._known(op.context_id):
            return sync.Left(deleted=False)
        await self._topics.unfollow(op.context_id)
        await self._owners.ask(runtime.DeleteContext(op.context_id))
        return sync.Left(deleted=True)

    async def update_application(self, op: sync.UpdateApplication) -> Done:
        application = await self._installed(op.application_id)
        described = (await self._owners.ask(runtime.DescribeContext(op.context_id))).context
        if described.application_id == op.application_id and op.migrate is None:
            return Done()
        key = await self._signing_key(op.context_id, op.executor)
        target = Target(described.config.protocol, described.config.network, described.config.contract)
        await self._owners.ask(runtime.UpgradeContext(op.context_id, application, op.executor, op.migrate))
        registered = RegisteredApplication(
            application.id, application.blob_id, application.size, application.source, application.metadata
        )
        params = {"application": registered.to_json()}
        await self._relayer.mutate_as(target, key, op.executor, op.context_id, "UpdateApplication", params)
        self._topics.sync_soon(op.context_id)
        return Done()

    async def change_capabilities(self, op: sync.ChangeCapabilities) -> Done:
        config = (await self._owners.ask(runtime.DescribeContext(op.context_id))).context.config
        key = await self._signing_key(op.context_id, op.signer)
        params = {"capabilities": [[str(member), name] for member, name in op.capabilities]}
        target = Target(config.protocol, config.network, config.contract)
        kind = "Grant" if op.grant else "Revoke"
        await self._relayer.mutate_as(target, key, op.signer, op.context_id, kind, params)
        return Done()

    # -- proxy contract

    async def read_registry(self, op: sync.ReadRegistry) -> sync.RegistryAnswer:
        config = (await self._owners.ask(runtime.DescribeContext(op.context_id))).context.config
        contract = config.proxy_contract if op.contract == "proxy" else config.contract
        target = Target(config.protocol, config.network, contract)
        raw = await self._relayer.read(target, op.method, requests.read_answer(object, op.args, "arguments"))
        return sync.RegistryAnswer(raw)

    async def propose(self, op: sync.Propose) -> sync.RegistryAnswer:
        config = (await self._owners.ask(runtime.DescribeContext(op.context_id))).context.config
        key = await self._signing_key(op.context_id, op.signer)
        target = Target(config.protocol, config.network, config.proxy_contract)
        if op.actions is None:
            payload = requests.approval(key, op.signer, str(op.proposal_id))
        else:
            actions = requests.read_answer(list[object], op.actions, "actions")
            payload = requests.proposal(key, op.signer, str(op.proposal_id), actions)
        return sync.RegistryAnswer(await self._relayer.propose(target, payload))

    # -- what the owners know

    async def _installed(self, application_id: ApplicationId) -> ApplicationRecord:
        found = (await self._owners.ask(runtime.GetApplication(application_id))).application
        if found is None:
            raise ApplicationNotInstalled(f"application not found: {application_id}; install it on this node first")
        return found

    async def _config(self, context_id: ContextId) -> ConfigRecord | None:
        try:
            return (await self._owners.ask(runtime.DescribeContext(context_id))).context.config
        except UnknownContext:
            return None

    async def _known(self, context_id: ContextId) -> bool:
        return await self._config(context_id) is not None

    async def _is_owned(self, context_id: ContextId, member: PublicKey) -> bool:
        if not await self._known(context_id):
            return False
        members = (await self._owners.ask(runtime.ListMembers(context_id))).members
        return any(m.owned and m.public_key == member for m in members)

    async def _signing_key(self, context_id: ContextId, member: PublicKey) -> PrivateKey:
        keys = await self._owners.ask(runtime.GetKeys(context_id))
        for identity in keys.owned:
            if identity.public_key == member:
                return identity.private_key
        raise NotAMember(f"this node holds no private key of {member} in context {context_id}")


def record_of(application: RegisteredApplication) -> ApplicationRecord:
    """The row of an application whose blob has still to be fetched."""
    return ApplicationRecord(
        application.id, application.blob_id, application.size, application.source, application.metadata
    )
