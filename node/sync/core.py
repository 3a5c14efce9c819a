"""What all scripts of one node share: kernel, streams, peer book, contexts, and the few things done everywhere."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from node.errors import CalimeroError, InvalidDelta, NotAMember, UnknownContext
from node.events import Notice
from node.primitives import ContextId, PublicKey
from node.sync.blame import blame_of
from node.sync.config import AT_ONCE, CACHED, SERVED, ConfigSync
from node.sync.events import Tell
from node.sync.followed import Followed
from node.sync.kernel import SECOND, Ask, Kernel, Sleep
from node.sync.peers import PeerBook
from node.sync.ports import Applied, GetHeads, Heads, Identity, ReadKeys, Snapshot
from node.sync.report import Field, Report
from node.sync.streams import Streams


@dataclass(frozen=True, slots=True)
class Settings:
    """Times of the sync core in ns; a test or the simulator may shorten them."""

    interval: int = 10 * SECOND
    """Least time between two periodic sessions of a context, as in the reference."""
    jitter: int = 20 * SECOND
    """Added at random, so that nodes that started together do not ask together."""
    session: int = 300 * SECOND
    """Deadline of one session. It bounds a stuck one; a long catch-up is cut here and goes on in the next."""
    heartbeat: int = 30 * SECOND
    """Between two heartbeats of a context, as in the reference."""


DEFAULT_SETTINGS: Final = Settings()

MAX_HISTORY: Final = 200
"""Session reports kept per node for the dashboard."""


@dataclass(slots=True)
class Pinned:
    """A read view that is held open for a peer."""

    view: Snapshot
    used_at: int


class Core:
    """Shared state of the scripts of one node."""

    def __init__(
        self,
        kernel: Kernel,
        rng: random.Random,
        random_bytes: Callable[[int], bytes],
        settings: Settings = DEFAULT_SETTINGS,
    ) -> None:
        self.kernel = kernel
        self.rng = rng
        self.random_bytes = random_bytes
        self.settings = settings
        self.streams = Streams(kernel)
        self.peers = PeerBook(rng)
        self.contexts: dict[ContextId, Followed] = {}
        self.config_sync = ConfigSync(kernel)
        self.pinned: dict[tuple[ContextId, str], Pinned] = {}
        self.history: deque[tuple[ContextId, Report]] = deque(maxlen=MAX_HISTORY)

    def context(self, context_id: ContextId) -> Followed:
        """Raises :class:`UnknownContext`."""
        found = self.contexts.get(context_id)
        if found is None:
            raise UnknownContext(f"context not found: {context_id}")
        return found

    def my_identity(self, context: Followed) -> Identity:
        """One own identity of the context, each equally likely. Raises :class:`NotAMember` when there is none."""
        owned = context.identities()
        if not owned:
            raise NotAMember(f"this node holds no identity with keys in context {context.id}")
        return owned[0] if len(owned) == 1 else self.rng.choice(owned)

    async def refresh_members(self, context: Followed, *, now: bool) -> None:
        """Read the registry if it was not read a moment ago (``now``: at once), then the keys."""
        await self.config_sync.run(context, AT_ONCE if now else CACHED)

    async def glance_at_registry(self, context: Followed) -> None:
        """Read the registry because a member asks us something: it may have changed it. Nothing waits for this."""
        context.glance_wanted_at = self.kernel.now
        if context.glancing:
            return
        context.glancing = True
        try:
            await self._glance(context)
        except CalimeroError as error:
            self.tell("context", "registry unreachable", context, reason=str(error))
        finally:
            context.glancing = False

    async def _glance(self, context: Followed) -> None:
        """Until a read began after the last wish, with pauses between reads."""
        while context.registry_read_at < context.glance_wanted_at:
            pause = context.registry_read_at + SERVED - self.kernel.now
            if context.registry_read_at >= 0 and pause > 0:
                await Sleep(pause)
            await self.config_sync.run(context, 0)

    async def knows_member(self, context: Followed, identity: PublicKey) -> bool:
        """True if the identity is a member; a stranger makes the registry be read before he is refused."""
        if identity not in context.members:
            await self.refresh_members(context, now=True)
        return identity in context.members

    async def reload_keys(self, context: Followed) -> None:
        context.keys = await Ask(ReadKeys(context.id))

    async def read_heads(self, context: Followed) -> Heads:
        """The owner's heads and root, noted for everybody here."""
        self.note_heads(context, await Ask(GetHeads(context.id)))
        return context.heads

    def read_heads_soon(self, context: Followed) -> None:
        """The same without waiting. A burst of changes costs two reads and not one for each: an owner that is busy with
        calls answers us in turn with them, and would never get to the end of our questions."""
        context.heads_wanted = True
        if context.heads_reader is None or context.heads_reader.done:
            context.heads_reader = self.kernel.spawn(self._read_heads(context), "heads")

    async def _read_heads(self, context: Followed) -> None:
        while context.heads_wanted:
            context.heads_wanted = False
            await self.read_heads(context)

    def note_heads(self, context: Followed, heads: Heads) -> None:
        context.heads = heads
        if heads.missing:
            context.want("missing")

    def took(self, context: Followed, report: Applied, peer: str) -> None:
        """Note what the owner made of some deltas, and see to what they wait for."""
        context.counters.add("applied", len(report.applied))
        context.counters.add("duplicates", len(report.duplicates))
        context.counters.add("pending", len(report.pending))
        for delta_id, reason in report.rejected:
            context.counters.add("rejected")
            context.trail(delta_id, peer, self.kernel.now, f"refused: {reason}")
            self.tell("delta", "rejected", context, delta=str(delta_id), peer=peer, reason=reason)
            self.blame(peer, InvalidDelta(reason))
        for delta_id in report.applied:
            context.trails.pop(delta_id, None)
            context.absent.pop(delta_id, None)
        self.note_heads(context, report.heads)

    def blame(self, peer: str, error: CalimeroError) -> None:
        """Have the peer's breach of a rule counted, if the error is one."""
        found = blame_of(peer, error)
        if found is not None:
            self.kernel.emit(found)

    def tell(self, kind: str, name: str, context: Followed | None, **fields: Field) -> None:
        """A notice for the observers of the node."""
        assert kind in ("sync", "peer", "delta", "context", "application", "worker")
        context_id = context.id if context is not None else None
        self.kernel.emit(Tell(Notice(kind, name, self.kernel.now, context_id, fields)))  # type: ignore[arg-type]
