"""What the owners of this node know and keep, asked in the words of the lifecycle operations."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol, TypeVar

from node.context.requests import Target
from node.errors import ApplicationNotInstalled, InvalidInvitation, NotAMember, UnknownContext, WorkerError
from node.primitives import ApplicationId, ContextId, PrivateKey, PublicKey
from workers.messages import runtime
from workers.messages.base import Request
from workers.messages.records import ApplicationRecord, ConfigRecord, ContextRecord, OwnedIdentity

log = logging.getLogger(__name__)
Reply = TypeVar("Reply")

ATTEMPTS: Final = 3
"""Sends of an operation that may be repeated, when its worker dies over it. A restart takes about a second, and a
request waits ten for it, so the second send nearly always finds the new worker."""


class Owners(Protocol):
    """The runtime workers: an operation goes to the owner of its context, a node-wide one to worker 0."""

    async def ask(self, operation: Request[Reply]) -> Reply: ...


class Local:
    """Questions to the owners."""

    def __init__(self, owners: Owners, random_bytes: Callable[[int], bytes]) -> None:
        self._owners = owners
        self._random = random_bytes

    async def ask(self, operation: Request[Reply]) -> Reply:
        return await self._owners.ask(operation)

    async def surely(self, operation: Request[Reply]) -> Reply:
        """Ask, and ask again when the worker was lost meanwhile. Only for what may happen twice."""
        for _ in range(ATTEMPTS - 1):
            try:
                return await self._owners.ask(operation)
            except WorkerError as error:
                log.warning("%s is sent again: %s", type(operation).__name__, error)
        return await self._owners.ask(operation)

    async def installed(self, application_id: ApplicationId) -> ApplicationRecord:
        """Raises :class:`ApplicationNotInstalled`."""
        found = (await self.ask(runtime.GetApplication(application_id))).application
        if found is None:
            raise ApplicationNotInstalled(f"application not found: {application_id}; install it on this node first")
        return found

    async def context(self, context_id: ContextId) -> ContextRecord:
        """Raises :class:`UnknownContext`."""
        return (await self.ask(runtime.DescribeContext(context_id))).context

    async def known(self, context_id: ContextId) -> bool:
        try:
            await self.context(context_id)
        except UnknownContext:
            return False
        return True

    async def owned(self, context_id: ContextId) -> list[OwnedIdentity]:
        """Own identities of a context; none of one that is not here."""
        try:
            return (await self.ask(runtime.GetKeys(context_id))).owned
        except UnknownContext:
            return []

    async def signing_key(self, context_id: ContextId, member: PublicKey) -> PrivateKey:
        """Raises :class:`NotAMember`."""
        for identity in await self.owned(context_id):
            if identity.public_key == member:
                return identity.private_key
        raise NotAMember(f"this node holds no private key of {member} in context {context_id}")

    async def pool_identity(self, member: PublicKey) -> OwnedIdentity:
        """An identity of the pool with a new sender key. Raises :class:`InvalidInvitation`."""
        found = (await self.ask(runtime.ReadIdentity(member))).identity
        if found is None:
            raise InvalidInvitation(
                f"missing identity for public key: {member}; the invitation is for an identity of another node"
            )
        return OwnedIdentity(found.public_key, found.private_key, PrivateKey(self._random(32)))


def config_target(context_id: ContextId, config: ConfigRecord) -> Target:
    """The config contract of a context. Raises :class:`UnknownContext` for one without a registry entry."""
    if not config.contract:
        raise UnknownContext(f"context config not found: {context_id}; the context has no registry")
    return Target(config.protocol, config.network, config.contract)


def proxy_target(context_id: ContextId, config: ConfigRecord) -> Target:
    """The proxy contract of a context. Raises as :func:`config_target`."""
    config_target(context_id, config)
    return Target(config.protocol, config.network, config.proxy_contract)
