"""The network worker process: messages in, operations of the host; events of the host, notes to the sync worker."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import msgspec
import trio

from node.errors import CalimeroError
from workers.channels.peers import refuse
from workers.channels.trio_ import Peers
from workers.messages.base import Done, Message, Note, Request
from workers.messages.network import (
    Blame,
    CloseStream,
    CountNetwork,
    Dial,
    Dialled,
    ForgetPeer,
    GetRecord,
    GossipReceived,
    ListPeers,
    NetworkCounts,
    OpenStream,
    PeerConnected,
    PeerDisconnected,
    PingPeer,
    Ponged,
    Publish,
    Published,
    PutRecord,
    RecordAnswer,
    SendFrame,
    StreamCredit,
    StreamReady,
    Subscribe,
    Unsubscribe,
)
from workers.network.config import from_node
from workers.network.counts import Counts
from workers.network.host import NetworkHost
from workers.run_trio import Worker, run_trio
from workers.start import WorkerStart

__all__ = ["NetworkWorker", "main"]

log = logging.getLogger(__name__)

SYNC: Final = "sync"
_RETRY: Final = 0.002
"""Seconds until a note is tried again at a full channel; peers wait that long with it."""


class NetworkWorker:
    """Maps the table of messages onto one host.

    What needs an order (publish, subscribe, frames of one stream) takes effect inside :meth:`on_request`, which the
    channel calls in order of arrival; only the answer may come later.
    """

    def __init__(self) -> None:
        self.host: NetworkHost | None = None
        self.counts = Counts()
        self._peers: Peers | None = None
        self._sync_alive = False
        self._requests: dict[type[Request[Any]], Callable[[NetworkHost, Any], Awaitable[Message]]] = {
            Subscribe: _subscribe,
            Unsubscribe: _unsubscribe,
            Publish: lambda host, r: _answer(Published(host.publish(r.topic, r.data))),
            ForgetPeer: _forget,
            ListPeers: lambda host, r: _answer(host.peer_list()),
            SendFrame: lambda host, r: _then_done(host.send_frame(r.stream, r.data)),
            Dial: _dial,
            PingPeer: self._ping,
            OpenStream: _open,
            PutRecord: self._put_record,
            GetRecord: self._get_record,
            CountNetwork: lambda _, r: _answer(NetworkCounts(msgspec.json.encode(self.counts))),
        }

    def connect(self, host: NetworkHost, peers: Peers) -> None:
        """Serve ``host``; events go to the sync worker through ``peers``."""
        self.host, self._peers = host, peers

    def on_request(self, _: str, request: Request[Any]) -> Awaitable[Message]:
        """Start an operation; errors of the operation are raised here or by the answer."""
        handler = self._requests.get(type(request))
        if handler is None or self.host is None:
            return _answer(refuse(request))
        return handler(self.host, request)

    def on_note(self, _: str, note: Note) -> None:
        if self.host is None:
            return
        if isinstance(note, StreamCredit):
            self.host.credit(note.stream, note.frames)
        elif isinstance(note, CloseStream):
            self.host.close_stream(note.stream, reset=note.reset)
        elif isinstance(note, Blame):
            self.host.on_refused(note.peer, note.reason, note.cost, note.detail)

    async def tell(self, note: Note) -> None:
        """Hand a note to the sync worker. While its channel is full this waits, and so do the peers that cause it;
        while there is no sync worker notes are dropped, and the streams of the one that is gone are reset."""
        self._count(note)
        peers = self._peers
        if peers is None:
            return
        while peers.alive(SYNC):
            self._sync_alive = True
            if peers.note(SYNC, note):
                return
            await trio.sleep(_RETRY)
        if self._sync_alive and self.host is not None:
            self._sync_alive = False
            log.warning("the sync worker is gone; its streams are reset")
            self.host.drop_streams()

    # -- what is counted

    def _count(self, note: Note) -> None:
        if isinstance(note, GossipReceived):
            self.counts.messages += 1
        elif isinstance(note, PeerConnected):
            self.counts.connection(inbound=note.inbound)
        elif isinstance(note, PeerDisconnected):
            self.counts.lost += 1

    async def _ping(self, host: NetworkHost, request: PingPeer) -> Message:
        try:
            seconds = await host.ping(request.peer)
        except CalimeroError as error:
            self.counts.failed_ping(type(error).__name__)
            raise
        self.counts.pings.observe(seconds)
        return Ponged(seconds)

    async def _put_record(self, host: NetworkHost, request: PutRecord) -> Message:
        with self._query("put_record"):
            await host.put_record(request.key, request.value)
        return Done()

    async def _get_record(self, host: NetworkHost, request: GetRecord) -> Message:
        with self._query("get_record"):
            value = await host.get_record(request.key)
        self.counts.found += value is not None
        return RecordAnswer(value)

    @contextmanager
    def _query(self, kind: str) -> Iterator[None]:
        began = trio.current_time()
        try:
            yield
        except CalimeroError:
            self.counts.failed_query(kind)
            raise
        self.counts.query(kind, trio.current_time() - began)


async def _answer(message: Message) -> Message:
    return message


def _subscribe(host: NetworkHost, request: Subscribe) -> Awaitable[Message]:
    host.subscribe(request.topic)
    return _answer(Done())


def _unsubscribe(host: NetworkHost, request: Unsubscribe) -> Awaitable[Message]:
    host.unsubscribe(request.topic)
    return _answer(Done())


def _forget(host: NetworkHost, request: ForgetPeer) -> Awaitable[Message]:
    host.forget(request.peer)
    return _answer(Done())


async def _then_done(work: Awaitable[None]) -> Message:
    await work
    return Done()


async def _dial(host: NetworkHost, request: Dial) -> Message:
    return Dialled(await host.dial(request.address, keep=request.keep))


async def _open(host: NetworkHost, request: OpenStream) -> Message:
    return StreamReady(await host.open_stream(request.peer, request.protocol))


async def serve(worker: Worker) -> None:
    """Run the host of this process until it is told to stop."""
    shell = NetworkWorker()
    host = NetworkHost(from_node(worker.start.config, worker.start.home), shell.tell)
    async with host.running():
        shell.connect(host, worker.open(shell.on_request, shell.on_note))
        worker.ready({"peer": host.peer, "listen": host.listening})
        await worker.stopping.wait()


def main(start: WorkerStart) -> None:
    """Entry of the process."""
    run_trio(start, serve)
