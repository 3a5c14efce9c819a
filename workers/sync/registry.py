"""The registry as the sync core reads it, over a relayer."""

from __future__ import annotations

from node.context.requests import Target
from node.errors import RegistryError
from node.primitives import ContextId, PublicKey
from node.sync.ports import Application, Config, Revisions
from workers.sync.relayer import Relayer


class RelayerRegistry:
    """Reads of the config contract of a context."""

    def __init__(self, relayer: Relayer) -> None:
        self._relayer = relayer

    async def revisions(self, context_id: ContextId, config: Config) -> Revisions:
        target = target_of(context_id, config)
        application = await self._relayer.revision(target, context_id, "application")
        return Revisions(application, await self._relayer.revision(target, context_id, "members"))

    async def members(self, context_id: ContextId, config: Config) -> list[PublicKey]:
        return await self._relayer.members(target_of(context_id, config), context_id)

    async def application(self, context_id: ContextId, config: Config) -> Application:
        found = await self._relayer.application(target_of(context_id, config), context_id)
        return Application(found.id, found.blob_id, found.size, found.source, found.metadata)


def target_of(context_id: ContextId, config: Config) -> Target:
    """Raises :class:`RegistryError` for a context without a config row."""
    if not config.contract:
        raise RegistryError(f"context config not found: {context_id}")
    return Target(config.protocol, config.network, config.contract)
