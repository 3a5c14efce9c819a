"""Create, join, leave, upgrade: what a context goes through, step by step.

Each operation asks the registry, the owner of the context and the network in the reference's order, and undoes what it
did when a later step fails: half a context is never left behind. Keys are made here, stored by the owner, never logged.
Source: core 0.10.0: crates/context/src/handlers/{create_context,join_context,delete_context,update_application}.rs.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from node.context import invitation, requests
from node.context.application import check_continuity
from node.context.requests import RegisteredApplication, Target
from node.context.seed import context_secret
from node.crypto import ed25519
from node.errors import CalimeroError, ContextError, InvalidInvitation, NotAMember, RegistryError, RegistryUnreachable
from node.primitives import ContextId, Hash, PrivateKey, PublicKey
from workers.messages import runtime, sync
from workers.messages.base import Done
from workers.messages.records import ApplicationRecord, ConfigRecord, ContextRecord, OwnedIdentity
from workers.sync.local import Local, config_target
from workers.sync.relayer import Relayer

log = logging.getLogger(__name__)

SEED_ATTEMPTS: Final = 5
"""Random context secrets tried before creation gives up, as in the reference."""

ALIAS_CONTEXT: Final = 1
ALIAS_IDENTITY: Final = 2

MANAGE_APPLICATION: Final = "ManageApplication"


class Topics(Protocol):
    """The part of the sync worker that follows contexts."""

    async def follow(self, context_id: ContextId) -> None: ...
    async def unfollow(self, context_id: ContextId) -> None: ...
    def sync_soon(self, context_id: ContextId) -> None: ...
    def call_members(self, context_id: ContextId) -> None:
        """Have every member that is online read the registry now."""


@dataclass(frozen=True, slots=True)
class RegistryNames:
    """Where new contexts are registered: protocol to (network, contract), from ``context.config``."""

    targets: dict[str, Target]

    def target(self, protocol: str) -> Target:
        found = self.targets.get(protocol)
        if found is None:
            known = ", ".join(f"``{name}``" for name in sorted(self.targets))
            raise ContextError(f"unsupported protocol: {protocol}, expected one of {known}")
        return found


class Lifecycle:
    """The lifecycle operations of one node."""

    def __init__(
        self,
        local: Local,
        topics: Topics,
        relayer: Relayer,
        names: RegistryNames,
        random_bytes: Callable[[int], bytes],
    ) -> None:
        self._local = local
        self._topics = topics
        self._relayer = relayer
        self._names = names
        self._random = random_bytes
        self._changing: set[ContextId] = set()

    def handlers(self) -> dict[type, Callable[..., Awaitable[object]]]:
        """Operation type to handler, for the worker's dispatch table."""
        return {
            sync.CreateContext: self.create,
            sync.JoinContext: self.join,
            sync.JoinOpen: self.join_open,
            sync.LeaveContext: self.leave,
            sync.UpdateApplication: self.update_application,
        }

    @contextmanager
    def _alone(self, context_id: ContextId) -> Iterator[None]:
        """One operation per context at a time, so that undoing one never takes away what another made."""
        if context_id in self._changing:
            raise ContextError(f"context {context_id} is being created, joined or left right now; try again")
        self._changing.add(context_id)
        try:
            yield
        finally:
            self._changing.discard(context_id)

    # -- create

    async def create(self, op: sync.CreateContext) -> sync.ContextCreated:
        """Nothing of the context stays on this node when a step fails; at the registry its entry may."""
        target = self._names.target(op.protocol)
        application = await self._local.installed(op.application_id)
        await self._check_alias(ALIAS_CONTEXT, ContextId.zero(), op.alias)
        secret, context_id = await self._context_secret(op.seed)
        identity = self._new_identity()
        with self._alone(context_id):
            try:
                await self._local.ask(runtime.InitContext(context_id, application, identity, op.init_args))
                config = await self._register(target, secret, context_id, identity.public_key, application)
                await self._local.ask(runtime.CommitContext(context_id, config))
                if op.alias:
                    await self.put_alias(ALIAS_CONTEXT, ContextId.zero(), op.alias, Hash(context_id))
            except BaseException:
                await self._undo(context_id)
                raise
            await self._topics.follow(context_id)
        return sync.ContextCreated(context_id, identity.public_key)

    async def _undo(self, context_id: ContextId) -> None:
        """Deleting forgets what was staged, too. A worker that died over a commit may have written it or not."""
        try:
            await self._local.surely(runtime.DeleteContext(context_id))
        except CalimeroError as error:
            log.warning("context %s was not created, but its rows may be left: %s", context_id, error)

    async def _register(
        self, target: Target, secret: PrivateKey, context_id: ContextId, author: PublicKey, app: ApplicationRecord
    ) -> ConfigRecord:
        params = {"author_id": str(author), "application": registered(app).to_json()}
        payload = requests.context_mutation(secret, context_id, 0, context_id, "Add", params)
        try:
            await self._relayer.mutate(target, payload)
        except RegistryUnreachable:
            raise
        except RegistryError:
            if not await self._added(target, context_id, author):
                raise
        proxy = await self._relayer.proxy_contract(target, context_id)
        return ConfigRecord(target.protocol, target.network, target.contract, proxy)

    async def _added(self, target: Target, context_id: ContextId, author: PublicKey) -> bool:
        """Whether the registry took our request although its answer was lost and the repetition refused."""
        try:
            return await self._relayer.members(target, context_id) == [author]
        except RegistryError:
            return False

    async def _context_secret(self, seed: bytes | None) -> tuple[PrivateKey, ContextId]:
        if seed is not None:
            secret = context_secret(seed)
            context_id = ContextId(ed25519.public_key(secret))
            if await self._local.known(context_id):
                raise ContextError(f"seed resulted in an already existing context ({context_id})")
            return secret, context_id
        for _ in range(SEED_ATTEMPTS):
            secret = PrivateKey(self._random(32))
            context_id = ContextId(ed25519.public_key(secret))
            if not await self._local.known(context_id):
                return secret, context_id
        raise ContextError("no free context id found; the source of randomness repeats itself")

    def _new_identity(self) -> OwnedIdentity:
        key = PrivateKey(self._random(32))
        return OwnedIdentity(ed25519.public_key(key), key, PrivateKey(self._random(32)))

    async def _check_alias(self, kind: int, scope: ContextId, name: str | None) -> None:
        """Refuse a name that is taken or no alias before anything is made."""
        if name and (await self._local.ask(runtime.GetAlias(kind, scope, name))).target is not None:
            raise ContextError(f"alias already exists: {name}")

    async def put_alias(self, kind: int, scope: ContextId, name: str, target: Hash) -> None:
        """Name something; a repetition after a lost answer finds its own name taken, which is well."""
        try:
            await self._local.surely(runtime.PutAlias(kind, scope, name, target))
        except CalimeroError:
            if (await self._local.ask(runtime.GetAlias(kind, scope, name))).target != target:
                raise

    # -- join

    async def join(self, op: sync.JoinContext) -> sync.ContextCreated:
        return await self._join(invitation.DirectInvitation.from_text(op.payload))

    async def _join(self, invited: invitation.DirectInvitation) -> sync.ContextCreated:
        context_id, member = invited.context_id, invited.invitee
        with self._alone(context_id):
            if all(identity.public_key != member for identity in await self._local.owned(context_id)):
                identity = await self._local.pool_identity(member)
                target = Target(invited.protocol, invited.network, invited.contract)
                await self._local.surely(await self._membership(context_id, target, identity))
            await self._take_from_pool(member)
            await self._topics.follow(context_id)
            self._topics.sync_soon(context_id)
        return sync.ContextCreated(context_id, member)

    async def _take_from_pool(self, member: PublicKey) -> None:
        """The member is written by now; a copy left in the pool harms nobody and goes with the next join."""
        try:
            await self._local.surely(runtime.DropIdentity(member))
        except CalimeroError as error:
            log.warning("identity %s stays in the pool: %s", member, error)

    async def _membership(self, context_id: ContextId, target: Target, identity: OwnedIdentity) -> runtime.AdoptContext:
        """Everything that the registry says of the context, read before a row is written."""
        proxy = await self._relayer.proxy_contract(target, context_id)
        members_revision = await self._relayer.revision(target, context_id, "members")
        members = await self._relayer.members(target, context_id)
        if identity.public_key not in members:
            raise NotAMember("unable to join context: not a member, invalid invitation?")
        application_revision = await self._relayer.revision(target, context_id, "application")
        application = await self._relayer.application(target, context_id)
        record = await self._local.ask(runtime.GetApplication(application.id))
        config = ConfigRecord(
            target.protocol, target.network, target.contract, proxy, application_revision, members_revision
        )
        return runtime.AdoptContext(
            context_id, application.id, record.application or record_of(application), config, members, identity
        )

    async def join_open(self, op: sync.JoinOpen) -> sync.ContextCreated:
        offer = invitation.read_open(op.invitation)
        if await self._local.known(offer.context_id):
            raise ContextError(f"context {offer.context_id} is known here already; a second identity needs an invite")
        identity = await self._local.pool_identity(op.member)
        target = Target(offer.protocol, offer.network, offer.contract_id)
        await self._redeem(target, identity, offer.context_id, op.invitation)
        return await self._join(
            invitation.DirectInvitation(offer.context_id, op.member, offer.protocol, offer.network, offer.contract_id)
        )

    async def _redeem(self, target: Target, identity: OwnedIdentity, context_id: ContextId, offer: bytes) -> None:
        """Commit, then reveal. A join that broke off between its steps is taken up where it stopped."""
        reveal = invitation.sign_reveal(identity.private_key, offer, identity.public_key)
        steps = (
            ("CommitOpenInvitation", reveal.commit_params(), "already been made"),
            ("RevealOpenInvitation", reveal.reveal_params(), "already in context"),
        )
        for kind, params, done in steps:
            payload = requests.context_mutation(identity.private_key, identity.public_key, 0, context_id, kind, params)
            try:
                await self._relayer.mutate(target, payload)
            except RegistryUnreachable:
                raise
            except RegistryError as error:
                if done not in str(error):
                    raise InvalidInvitation(f"the registry refused the open invitation: {error}") from error

    # -- leave

    async def leave(self, op: sync.LeaveContext) -> sync.Left:
        """Local, as in the reference: the registry keeps its member, a return needs another identity."""
        with self._alone(op.context_id):
            if not await self._local.known(op.context_id):
                return sync.Left(deleted=False)
            await self._topics.unfollow(op.context_id)
            try:
                await self._local.surely(runtime.DeleteContext(op.context_id))
            except BaseException:
                await self._topics.follow(op.context_id)
                raise
        return sync.Left(deleted=True)

    # -- upgrade

    async def update_application(self, op: sync.UpdateApplication) -> Done:
        """Without a migration the registry comes first: what it refuses changes nothing here. A migration comes before
        it, because a guest that fails must not leave the registry with an application that its state does not fit.
        """
        application = await self._local.installed(op.application_id)
        context = await self._local.context(op.context_id)
        target = config_target(op.context_id, context.config)
        if op.migrate is None and await self._is_current(op.context_id, target, context, application):
            return Done()
        await self._check_upgrade(op, target, context, application)
        if op.migrate is None:
            await self._announce(op, target, application)
            self._topics.call_members(op.context_id)
            await self._local.surely(runtime.UpgradeContext(op.context_id, application, op.executor))
        else:
            await self._local.ask(runtime.UpgradeContext(op.context_id, application, op.executor, op.migrate))
            await self._announce_migrated(op, target, application)
            self._topics.call_members(op.context_id)
        return Done()

    async def _is_current(
        self, context_id: ContextId, target: Target, context: ContextRecord, application: ApplicationRecord
    ) -> bool:
        """A bundle keeps its id between versions, so the id alone says nothing about the registry."""
        if context.application_id != application.id:
            return False
        return await self._relayer.application(target, context_id) == registered(application)

    async def _check_upgrade(
        self, op: sync.UpdateApplication, target: Target, context: ContextRecord, application: ApplicationRecord
    ) -> None:
        """Refuse early what would be refused later. Raises :class:`ContextError`, :class:`RegistryError`."""
        await self._local.signing_key(op.context_id, op.executor)
        old = (await self._local.ask(runtime.GetApplication(context.application_id))).application
        if old is not None:
            check_continuity(old.signer_id, application.signer_id)
        if not await self._relayer.may(target, op.context_id, op.executor, MANAGE_APPLICATION):
            raise RegistryError(
                f"unable to update application: unauthorized access; {op.executor} lacks {MANAGE_APPLICATION}"
            )

    async def _announce(self, op: sync.UpdateApplication, target: Target, application: ApplicationRecord) -> None:
        key = await self._local.signing_key(op.context_id, op.executor)
        params = {"application": registered(application).to_json()}
        await self._relayer.mutate_as(target, key, op.executor, op.context_id, "UpdateApplication", params)

    async def _announce_migrated(
        self, op: sync.UpdateApplication, target: Target, application: ApplicationRecord
    ) -> None:
        try:
            await self._announce(op, target, application)
        except RegistryError as error:
            raise RegistryError(
                f"the state is migrated, but the registry was not told ({error}); "
                "repeat the update without a migration method"
            ) from error


def registered(app: ApplicationRecord) -> RegisteredApplication:
    """An installed application in the registry's form."""
    return RegisteredApplication(app.id, app.blob_id, app.size, app.source, app.metadata)


def record_of(application: RegisteredApplication) -> ApplicationRecord:
    """The row of an application whose blob has still to be fetched."""
    return ApplicationRecord(
        application.id, application.blob_id, application.size, application.source, application.metadata
    )
