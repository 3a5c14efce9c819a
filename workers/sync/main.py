"""The sync worker process: keeps the contexts of this node equal with their members', and runs lifecycle operations.

Notes of the network and of the owners become events of the sync core; requests of the server are looked up in one table
from request type to handler, which other modules add to.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Final

from node.config.model import NodeConfig, Sync
from node.context.requests import Target
from node.errors import CalimeroError
from node.primitives import BlobId, ContextId
from node.sync import events as e
from node.sync import ports
from node.sync.core import Settings
from node.sync.manager import SyncManager
from workers.blobs import is_complete
from workers.channels.asyncio_ import Peers
from workers.channels.peers import refuse
from workers.messages import network as n
from workers.messages import runtime as r
from workers.messages import sync as s
from workers.messages.base import Message, Note, Request
from workers.run_asyncio import Worker, run_asyncio
from workers.start import WorkerStart
from workers.sync.applications import Applications
from workers.sync.blobs import BlobKeeper
from workers.sync.carrier import BLOB_PROTOCOL, NETWORK, NETWORK_TIMEOUT, Carrier, open_delta_of
from workers.sync.lifecycle import Lifecycle, RegistryNames
from workers.sync.local import Local
from workers.sync.membership import Membership
from workers.sync.owners import Owners
from workers.sync.queued import QueuedGovernance, notice
from workers.sync.registry import RelayerRegistry
from workers.sync.relayer import Relayer
from workers.sync.shell import Shell

__all__ = ["SyncWorker", "main"]

log = logging.getLogger(__name__)

NEAR: Final = "near"
"""The only protocol of 0.10.0."""

SERVER: Final = "server"
RETRY: Final = 0.5
"""Seconds until the contexts are listed again while an owner is starting."""

Handler = Callable[[Any], Awaitable[Any]]


class SyncWorker:
    """One node's sync worker. ``handlers`` is the table of requests, ``notes`` that of notes; entries may be added
    before :meth:`run`."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._topics: dict[str, ContextId] = {}
        self._streams: set[int] = set()
        self._network_restarted = asyncio.Event()
        worker.on_attached = self._attached
        self.peers: Peers = worker.open(self._on_request, self._on_note)
        self.owners = Owners(self.peers)
        self.handlers: dict[type, Handler] = {
            s.SyncContext: self._sync,
            s.ExplainContext: self._explain,
            s.ListSessions: self._sessions,
        }
        self.shell: Shell | None = None
        self.notes: dict[type, Callable[[Any], e.Event | None]] = {
            n.GossipReceived: self._gossip,
            n.PeerSubscribed: lambda note: self._topic_event(e.PeerSubscribed, note),
            n.PeerUnsubscribed: lambda note: self._topic_event(e.PeerUnsubscribed, note),
            n.PeerDisconnected: lambda note: e.PeerGone(note.peer),
            n.StreamOpened: self._opened,
            n.FrameReceived: lambda note: e.FrameReceived(note.stream, note.data),
            n.StreamClosed: self._closed,
            r.DeltaCommitted: lambda note: e.DeltaCommitted(note.context_id, open_delta_of(note.delta)),
        }

    async def run(self, carrier: Carrier, settings: Settings) -> None:
        """Serve until the node stops."""
        rng = random.Random(os.urandom(32))  # noqa: S311 - spreads load; keys and nonces come from os.urandom
        manager = SyncManager(rng, os.urandom, _crashed, settings)
        self.shell = Shell(manager, self._carried(carrier), self._tell, self._to_network, self._known_peers)
        watch = asyncio.create_task(self._watch_network())
        start = asyncio.create_task(self._follow_all())
        self._worker.ready({})
        await self._worker.stopping.wait()
        for task in (watch, start):
            task.cancel()
        await self.shell.close()

    # -- what the lifecycle operations use

    async def follow(self, context_id: ContextId) -> None:
        """Follow a context, or look at it anew."""
        self._topics[str(context_id)] = context_id
        self._feed(e.ContextReady(context_id))

    async def unfollow(self, context_id: ContextId) -> None:
        self._topics.pop(str(context_id), None)
        self._feed(e.ContextGone(context_id))

    def sync_soon(self, context_id: ContextId) -> None:
        self._feed(e.SyncWanted(context_id))

    def call_members(self, context_id: ContextId) -> None:
        self._feed(e.RegistryChanged(context_id))

    async def fetch_blob(self, context_id: ContextId, blob_id: BlobId) -> None:
        assert self.shell is not None
        await self.shell.fetch_blob(context_id, blob_id)

    async def own_peer(self) -> str:
        return (await self.peers.request(NETWORK, n.ListPeers())).peer

    async def put_record(self, key: bytes, value: bytes) -> None:
        await self.peers.request(NETWORK, n.PutRecord(key, value), timeout=NETWORK_TIMEOUT)

    def governance_failed(self, context_id: ContextId, kind: str, reason: str) -> None:
        """Tell the observers that a request of a guest was not carried out."""
        self.peers.note(SERVER, notice(context_id, kind, reason, time.time_ns()))

    async def _follow_all(self) -> None:
        """Follow every context of this node; an owner that is still starting is asked again."""
        while True:
            try:
                found = await self.owners.contexts()
                break
            except CalimeroError as error:
                log.info("contexts cannot be listed yet: %s", error)
                await asyncio.sleep(RETRY)
        for context_id in found:
            await self.follow(context_id)

    # -- requests

    async def _on_request(self, peer: str, request: Request[Any]) -> Message:
        handler = self.handlers.get(type(request))
        if handler is None or self.shell is None:
            return refuse(request)
        answer: Message = await handler(request)
        return answer

    async def _sync(self, request: s.SyncContext) -> s.SyncReport:
        assert self.shell is not None
        return s.SyncReport(await self.shell.sync(request.context_id))

    async def _explain(self, request: s.ExplainContext) -> s.Explanation:
        assert self.shell is not None
        return s.Explanation(await self.shell.explain(request.context_id))

    async def _sessions(self, request: s.ListSessions) -> s.SyncReport:
        assert self.shell is not None
        return s.SyncReport(self.shell.sessions(request.limit))

    # -- notes

    def _on_note(self, peer: str, note: Note) -> None:
        make = self.notes.get(type(note))
        event = make(note) if make is not None else None
        if event is not None:
            self._feed(event)

    def _feed(self, event: e.Event) -> None:
        if self.shell is not None:
            self.shell.feed(event)

    def _gossip(self, note: n.GossipReceived) -> e.Event | None:
        context_id = self._topics.get(note.topic)
        return None if context_id is None else e.GossipReceived(context_id, note.data, note.source)

    def _topic_event(
        self, kind: type[e.PeerSubscribed | e.PeerUnsubscribed], note: n.PeerSubscribed | n.PeerUnsubscribed
    ) -> e.Event | None:
        context_id = self._topics.get(note.topic)
        return None if context_id is None else kind(note.peer, context_id)

    def _opened(self, note: n.StreamOpened) -> e.Event:
        self._streams.add(note.stream)
        return e.StreamOpened(note.stream, note.peer, blob=note.protocol == BLOB_PROTOCOL)

    def _closed(self, note: n.StreamClosed) -> e.Event:
        self._streams.discard(note.stream)
        return e.StreamClosed(note.stream, note.reset)

    # -- network

    def _to_network(self, effect: e.Credit | e.CloseStream | e.Blame) -> None:
        if isinstance(effect, e.Credit):
            self.peers.note(NETWORK, n.StreamCredit(effect.stream, effect.frames))
        elif isinstance(effect, e.Blame):
            self.peers.note(NETWORK, n.Blame(effect.peer, effect.reason, effect.cost, effect.detail))
        else:
            self._streams.discard(effect.stream)
            self.peers.note(NETWORK, n.CloseStream(effect.stream, effect.reset))

    async def _known_peers(self, context_id: ContextId) -> None:
        """Peers that followed a topic before this worker did."""
        try:
            listed = await self.peers.request(NETWORK, n.ListPeers())
        except CalimeroError as error:
            log.info("peers cannot be listed: %s", error)
            return
        topic = str(context_id)
        for record in listed.peers:
            if record.connected and topic in record.topics:
                self._feed(e.PeerSubscribed(record.peer, context_id))

    def _attached(self, peer: str) -> None:
        if peer == NETWORK:
            self._network_restarted.set()

    async def _watch_network(self) -> None:
        """A network worker that was restarted has no topics and no streams: give it the topics, forget the streams."""
        while True:
            await self._network_restarted.wait()
            self._network_restarted.clear()
            log.warning("the network worker was restarted; its streams are gone")
            self._lose_streams()
            await self._subscribe_again()

    def _lose_streams(self) -> None:
        lost, self._streams = self._streams, set()
        for stream in sorted(lost):
            self._feed(e.StreamClosed(stream, reset=True))

    async def _subscribe_again(self) -> None:
        for topic, context_id in list(self._topics.items()):
            try:
                await self.peers.request(NETWORK, n.Subscribe(topic))
            except CalimeroError as error:
                log.warning("topic %s is not subscribed: %s", topic, error)
            await self._known_peers(context_id)

    def _carried(self, carrier: Carrier) -> Callable[[Any], Awaitable[object]]:
        async def carry_out(request: Any) -> object:
            answer = await carrier.carry_out(request)
            if isinstance(request, ports.OpenStream) and isinstance(answer, int):
                self._streams.add(answer)
            return answer

        return carry_out

    # -- observers

    def _tell(self, effect: e.Tell) -> None:
        notice = effect.notice
        fields = json.dumps(notice.fields).encode()
        self.peers.note(SERVER, r.Noticed(notice.kind, notice.name, notice.at_ns, notice.context_id, fields))
        log.debug("%s %s %s %s", notice.kind, notice.name, notice.context_id, notice.fields)


def _crashed(script: str, error: BaseException) -> None:
    log.error("%s ended by a bug: %s", script, error, exc_info=error)


def settings_of(config: Sync) -> Settings:
    """Times of the sync core from ``[sync]``: a round is due after one to three periods of the reference's tick."""
    period = config.frequency_ms * 1_000_000
    return Settings(interval=period, jitter=max(1, 2 * period))


def registry_names(config: NodeConfig) -> RegistryNames:
    """Where new contexts are registered, from ``context.config.near``."""
    near = config.context.config.near
    return RegistryNames({NEAR: Target(NEAR, near.network, near.contract_id)})


async def _spread_blobs(owners: Owners, folder: Path) -> None:
    """What guests made while no sync worker was there, told late."""
    while True:
        try:
            spread = await owners.spread_blobs(lambda blob: is_complete(folder, blob))
        except CalimeroError as error:
            log.info("blobs of guests cannot be compared yet: %s", error)
            await asyncio.sleep(RETRY)
            continue
        if spread:
            log.info("%d blobs of guests are told to every runtime worker", spread)
        return


async def serve(worker: Worker) -> None:
    """Run the sync worker of this process until the node stops."""
    config = worker.start.config
    relayer = Relayer(config.context.config.signer.relayer.url)
    shell = SyncWorker(worker)
    local = Local(shell.owners, os.urandom)
    lifecycle = Lifecycle(local, shell, relayer, registry_names(config), os.urandom)
    membership = Membership(local, shell, relayer, os.urandom)
    queued = QueuedGovernance(local, lifecycle, membership, shell.governance_failed, shell.owners.tell_governance)
    folder, quota = worker.start.blob_dir, config.store.blob_quota
    blobs = BlobKeeper(shell.owners, shell, folder, quota, time.time)
    applications = Applications(shell.owners, folder, shell.owners.inform, blobs)
    for part in (lifecycle, membership, applications, blobs):
        shell.handlers |= part.handlers()
    shell.notes |= {r.GovernanceQueued: queued.take, r.BlobAnnounced: blobs.announced, r.BlobMade: blobs.made}
    carrier = Carrier(
        shell.peers, shell.owners, RelayerRegistry(relayer), folder, applications.install_blob, blobs.store
    )
    running = [asyncio.create_task(work) for work in (queued.run(), _spread_blobs(shell.owners, folder))]
    try:
        await shell.run(carrier, settings_of(config.sync))
    finally:
        for task in running:
            task.cancel()
        await relayer.close()


def main(start: WorkerStart) -> None:
    """Entry of the process."""
    run_asyncio(start, serve)
