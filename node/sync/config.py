"""Config sync: follow the registry's member list and application of a context.

The registry is read at the start of a session, at most once in a few seconds, and at once when a stranger appears: a
member who joined a moment ago is not refused for want of a read. What it says is written by the owner of the context.
Source of the steps: core 0.10.0: crates/context/primitives/src/client/sync.rs.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from node.errors import CalimeroError
from node.primitives import PublicKey
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Join, Kernel, Task
from node.sync.ports import (
    Application,
    Config,
    Describe,
    ReadApplication,
    ReadKeys,
    ReadMembers,
    ReadRevisions,
    UpdateContext,
)

CACHED: Final = 3 * SECOND
"""A read this young is good enough for a session; strangers do not wait for it to age."""

SERVED: Final = SECOND // 2
"""Least time between two reads on behalf of members that open sessions with us. A member may do so because it changed
something at the registry, so this is what a new member or application waits for on the other nodes."""

AT_ONCE: Final = SECOND // 4
"""Least time between two reads on behalf of strangers, so that a flood of them costs four reads a second."""

READ_TIMEOUT: Final = 8 * SECOND
"""A peer's stream waits 10 s for an answer that needs this read."""


class ConfigSync:
    """Reads of the registry; two for the same context at the same time share one run."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._running: dict[Followed, Task[None]] = {}

    async def run(self, context: Followed, max_age: int) -> None:
        """Read the registry unless that was done within ``max_age`` ns.

        Raises :class:`RegistryError` and what the owner failed with; the old member list stays then.
        """
        running = self._running.get(context)
        if running is None:
            age = self._kernel.now - context.registry_read_at
            if context.registry_read_at >= 0 and age < max_age:
                return
            running = self._kernel.spawn(_read(self._kernel, context), "config sync")
            self._running[context] = running
            running.when_done(lambda _: self._forget(context))
        await Join(running)

    def _forget(self, context: Followed) -> None:
        self._running.pop(context, None)


async def _read(kernel: Kernel, context: Followed) -> None:
    context.registry_read_at = kernel.now
    described = await Ask(Describe(context.id))
    config = described.config
    context.config, context.application_id = config, described.application_id
    try:
        revisions = await Ask(ReadRevisions(context.id, config), READ_TIMEOUT)
    except CalimeroError:
        context.counters.add("registry failures")
        raise
    members = application = None
    if revisions.members != config.members_revision or not context.members:
        members = await Ask(ReadMembers(context.id, config), READ_TIMEOUT)
    if revisions.application != config.application_revision:
        application = await Ask(ReadApplication(context.id, config), READ_TIMEOUT)
    fresh = replace(config, application_revision=revisions.application, members_revision=revisions.members)
    if fresh != config or members is not None:
        await _write(context, fresh, members, application)


async def _write(
    context: Followed, config: Config, members: tuple[PublicKey, ...] | None, application: Application | None
) -> None:
    await Ask(UpdateContext(context.id, config, members, application))
    context.config = config
    if application is not None:
        context.application_id, context.application = application.id, application
        context.want("application")
    context.keys = await Ask(ReadKeys(context.id))
