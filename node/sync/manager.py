"""SyncManager: the sync core of one node as a machine, ``receive(event, now) -> effects``.

It starts and ends scripts; what they do is in the modules beside it. The same machine runs under the sync worker and in
the simulator.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

from node.errors import CalimeroError
from node.primitives import ContextId
from node.sync import blob_fetch, blob_protocol, gossip, schedule, serve
from node.sync.core import DEFAULT_SETTINGS, Core, Settings
from node.sync.events import (
    Answered,
    BlobDone,
    BlobWanted,
    ContextGone,
    ContextReady,
    DeltaCommitted,
    Effect,
    Event,
    FrameReceived,
    GossipReceived,
    KeysChanged,
    PeerGone,
    PeerSubscribed,
    PeerUnsubscribed,
    RegistryChanged,
    StreamClosed,
    StreamOpened,
    SyncDone,
    SyncWanted,
    Tick,
    Why,
    WhyWanted,
)
from node.sync.followed import Followed
from node.sync.kernel import Ask, Kernel, Sleep
from node.sync.ports import CloseSnapshot, Describe, Subscribe, Unsubscribe
from node.sync.report import Field
from node.sync.schedule import FIRST_RETRY, MAX_RETRY
from node.sync.why import explain


class SyncManager:
    """One node's sync core. ``on_crash`` hears of bugs in scripts, which end that script alone."""

    def __init__(
        self,
        rng: random.Random,
        random_bytes: Callable[[int], bytes],
        on_crash: Callable[[str, BaseException], None],
        settings: Settings = DEFAULT_SETTINGS,
    ) -> None:
        self._kernel = Kernel(on_crash)
        self.core = Core(self._kernel, rng, random_bytes, settings)
        self._handlers: dict[type, Callable[..., None]] = {
            Answered: self._on_answered,
            GossipReceived: self._on_gossip,
            PeerSubscribed: self._on_subscribed,
            PeerUnsubscribed: self._on_unsubscribed,
            PeerGone: self._on_gone,
            StreamOpened: self._on_opened,
            FrameReceived: self._on_frame,
            StreamClosed: self._on_closed,
            DeltaCommitted: self._on_committed,
            ContextReady: self._on_ready,
            ContextGone: self._on_context_gone,
            KeysChanged: self._on_keys,
            RegistryChanged: self._on_registry,
            SyncWanted: self._on_wanted,
            WhyWanted: self._on_why,
            BlobWanted: self._on_blob,
            Tick: lambda event: None,
        }

    def receive(self, event: Event, now: int) -> list[Effect]:
        """Take one event in at time ``now`` (ns, never backwards); what has to be done, in order."""
        self._kernel.now = max(self._kernel.now, now)
        self._handlers[type(event)](event)
        return cast("list[Effect]", self._kernel.drain(now))

    @property
    def next_timer(self) -> int | None:
        """When a :class:`Tick` is due at the latest, in ns."""
        return self._kernel.next_timer

    # answers and streams

    def _on_answered(self, event: Answered) -> None:
        self._kernel.answer(event.token, event.value, event.error)

    def _on_opened(self, event: StreamOpened) -> None:
        link = self.core.streams.adopt(event.stream, event.peer)
        script = blob_protocol.serve if event.blob else serve.serve
        self._kernel.spawn(script(self.core, link), f"serve {event.stream}")

    def _on_frame(self, event: FrameReceived) -> None:
        link = self.core.streams.find(event.stream)
        if link is not None:
            link.on_frame(event.data)

    def _on_closed(self, event: StreamClosed) -> None:
        link = self.core.streams.find(event.stream)
        if link is not None:
            link.on_end(reset=event.reset)

    # gossip and peers

    def _on_gossip(self, event: GossipReceived) -> None:
        context = self.core.contexts.get(event.context_id)
        if context is not None:
            gossip.receive(self.core, context, event.data, event.source)

    def _on_subscribed(self, event: PeerSubscribed) -> None:
        """A peer that comes is met at once: keys, heads, and whatever it has; its first write must not wait."""
        self.core.peers.subscribed(event.context_id, event.peer)
        self.core.peers.forgive(event.context_id, event.peer)
        context = self.core.contexts.get(event.context_id)
        if context is not None:
            context.want("subscription", event.peer)
            context.beat_soon = True
            self.core.tell("peer", "subscribed", context, peer=event.peer)

    def _on_unsubscribed(self, event: PeerUnsubscribed) -> None:
        self.core.peers.unsubscribed(event.context_id, event.peer)
        context = self.core.contexts.get(event.context_id)
        if context is not None:
            context.agreements.pop(event.peer, None)
            self.core.tell("peer", "unsubscribed", context, peer=event.peer)

    def _on_gone(self, event: PeerGone) -> None:
        for context_id in self.core.peers.gone(event.peer):
            context = self.core.contexts.get(context_id)
            if context is not None:
                context.agreements.pop(event.peer, None)

    # contexts

    def _on_committed(self, event: DeltaCommitted) -> None:
        context = self.core.contexts.get(event.context_id)
        if context is not None:
            self._kernel.spawn(self._announce(context, event), "announce")

    async def _announce(self, context: Followed, event: DeltaCommitted) -> None:
        try:
            await gossip.announce(self.core, context, event.delta)
        except CalimeroError as error:
            context.counters.add("publish failures")
            context.beat_soon = True
            context.wake.set()
            self.core.tell("delta", "publish failed", context, delta=str(event.delta.id), reason=str(error))

    def _on_ready(self, event: ContextReady) -> None:
        if event.context_id in self.core.contexts:
            self._on_keys(KeysChanged(event.context_id))
            return
        context = Followed(event.context_id, self._kernel)
        self.core.contexts[event.context_id] = context
        context.loop = self._kernel.spawn(self._start(context), "context")

    async def _start(self, context: Followed) -> None:
        """Load what the owner knows, then follow: topic, judge, sessions. The owner may still be starting."""
        while not await self._loaded(context):
            context.retry += 1
            await Sleep(min(MAX_RETRY, FIRST_RETRY << min(context.retry, 10)))
        context.retry = 0
        context.judge = self._kernel.spawn(gossip.judge(self.core, context), "judge")
        context.want("start")
        await schedule.follow(self.core, context)

    async def _loaded(self, context: Followed) -> bool:
        try:
            described = await Ask(Describe(context.id))
            context.config, context.application_id = described.config, described.application_id
            await self.core.reload_keys(context)
            self.core.note_heads(context, described.heads)
            await Ask(Subscribe(context.id))
        except CalimeroError as error:
            self.core.tell("context", "not loaded", context, reason=str(error))
            return False
        context.ready = True
        return True

    def _on_context_gone(self, event: ContextGone) -> None:
        context = self.core.contexts.pop(event.context_id, None)
        if context is None:
            return
        for task in context.tasks():
            self._kernel.cancel(task)
        for key in [key for key in self.core.pinned if key[0] == context.id]:
            self._kernel.post(CloseSnapshot(context.id, self.core.pinned.pop(key).view.handle))
        self._kernel.post(Unsubscribe(context.id))

    def _on_keys(self, event: KeysChanged) -> None:
        context = self.core.contexts.get(event.context_id)
        if context is not None:
            self._kernel.spawn(self._reload(context), "keys")

    async def _reload(self, context: Followed) -> None:
        await self.core.reload_keys(context)
        await self.core.read_heads(context)
        gossip.release(self.core, context)
        context.want("keys")

    def _on_registry(self, event: RegistryChanged) -> None:
        """A session with each member: opening it makes the member read the registry, whatever software it runs."""
        context = self.core.contexts.get(event.context_id)
        if context is None:
            return
        context.registry_read_at = -1
        context.want("registry")
        for peer in self.core.peers.candidates(context.id, self._kernel.now):
            context.want("registry", peer)

    # wishes

    def _on_wanted(self, event: SyncWanted) -> None:
        wanted = [c for c in self.core.contexts.values() if event.context_id in (None, c.id)]
        if event.token is None:
            for context in wanted:
                context.want("wish")
        else:
            self._kernel.spawn(self._answer_wish(event.token, wanted), "wish")

    async def _answer_wish(self, token: int, wanted: list[Followed]) -> None:
        """Report the first session of each context that began after the wish."""
        before = {context.id: context.rounds for context in wanted}
        for context in wanted:
            context.want("wish")
        for context in wanted:
            await context.round_after(before[context.id])
        reports = [self._latest(context.id) for context in wanted]
        self._kernel.emit(SyncDone(token, tuple(reports)))

    def _on_blob(self, event: BlobWanted) -> None:
        self._kernel.spawn(self._fetch_blob(event), "blob")

    async def _fetch_blob(self, event: BlobWanted) -> None:
        try:
            await blob_fetch.fetch(self.core, self.core.context(event.context_id), event.blob_id)
        except CalimeroError as error:
            self._kernel.emit(BlobDone(event.token, error))
        else:
            self._kernel.emit(BlobDone(event.token))

    def _on_why(self, event: WhyWanted) -> None:
        self._kernel.spawn(self._explain(event), "why")

    async def _explain(self, event: WhyWanted) -> None:
        try:
            explanation = await explain(self.core, self.core.context(event.context_id))
        except CalimeroError as error:
            self._kernel.emit(Why(event.token, {}, error))
        else:
            self._kernel.emit(Why(event.token, dict(explanation)))

    def _latest(self, context_id: ContextId) -> dict[str, Field]:
        for of, report in self.core.history:
            if of == context_id:
                return {"context": str(context_id), **report.fields()}
        return {"context": str(context_id), "outcome": "no peers", "detail": "nobody else follows this context now"}
