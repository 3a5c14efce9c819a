"""The network of one node: every operation of :mod:`workers.messages.network` as a method, every event through one
sink.

It runs in one trio loop. The sink may wait, which is the back-pressure towards peers.
"""

from __future__ import annotations

import logging
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Final

import trio

from node.config.identity import public_of
from node.errors import CalimeroError, ConfigError, DeadlineExceeded, RemoteProtocolError, Unreachable
from node.gossip.protobuf import prefixed
from node.gossip.signing import signer
from workers.messages.base import Note
from workers.messages.network import (
    PeerConnected,
    PeerDisconnected,
    PeerList,
    PeerRecord,
    PeerSubscribed,
    PeerUnsubscribed,
)
from workers.network import address as addresses
from workers.network import gossip, identify, kad_wire, limits, multistream, relay, streams
from workers.network.channel import read_prefixed
from workers.network.config import NetworkConfig
from workers.network.connection import Connection, YamuxStream
from workers.network.gossip import GossipShell
from workers.network.kad import Kademlia
from workers.network.kad_wire import PeerHint
from workers.network.keeper import DIALS_AT_ONCE, Keeper
from workers.network.peer_file import PeerFile
from workers.network.peers import PeerBook
from workers.network.relay import RelayClient
from workers.network.rendezvous import RendezvousClient
from workers.network.secure import Identity
from workers.network.streams import AppStreams
from workers.network.swarm import Swarm

__all__ = ["NetworkHost", "Sink"]

log = logging.getLogger(__name__)

Sink = Callable[[Note], Awaitable[None]]

PING: Final = "/ipfs/ping/1.0.0"
_PING_SIZE: Final = 32
_MAX_OBSERVED: Final = 8
"""Own addresses that are believed on the word of peers."""


class NetworkHost:
    """Use as ``async with NetworkHost(config, sink).running(): …``. Peers are ids in text everywhere."""

    def __init__(self, config: NetworkConfig, sink: Sink) -> None:
        self._config = config
        self._sink = sink
        self.identity = Identity(config.seed)
        self._book = PeerBook()
        self._swarm = Swarm(self.identity, self, relay.through, tls=config.tls)
        self._relays = RelayClient(config.relays, self._swarm.upgrade_inbound, self._tell_addresses)
        file = PeerFile(config.folder) if config.folder else None
        self._keeper = Keeper(self._book, self._swarm.peers, self._connected, file)
        self._gossip = GossipShell(self.identity, config.seed, self._on_gossip, self.on_refused)
        self._streams = AppStreams(sink, self.on_refused)
        self._discovering = 0
        self._leaving: set[str] = set()
        self._observed: list[str] = []
        public_key, sign = public_of(config.seed), signer(config.seed)
        self._points = RendezvousClient(config.rendezvous, public_key, sign, self._external, self._on_met)
        self._nursery: trio.Nursery | None = None
        self._handlers: dict[str, Callable[[YamuxStream], Awaitable[None]]] = {
            identify.ID: self._answer_identify,
            identify.PUSH: self._take_push,
            PING: _echo,
            relay.STOP: self._relays.on_stop,
            **dict.fromkeys(gossip.PROTOCOLS, self._gossip.on_stream),
        }
        for protocol in streams.PROTOCOLS:
            self._handlers[protocol] = self._app_handler(protocol)
        self._kad = Kademlia(self.peer, self._kad_peers, self._connect_to)
        if config.kad:
            self._handlers[kad_wire.ID] = self._kad.on_stream

    # -- life

    @asynccontextmanager
    async def running(self) -> AsyncIterator[NetworkHost]:
        """Listen, follow the configured topics, dial the bootstrap peers; everything ends with the block.

        Raises ``Unreachable`` when an address cannot be bound.
        """
        await self._swarm.bind(self._config.listen)
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            self._swarm.start(nursery)
            for topic in self._config.topics:
                self._gossip.subscribe(topic)
            self._keeper.remember()
            for text in self._config.bootstrap:
                self._keeper.want(self._remember(text))
            nursery.start_soon(self._gossip.heartbeats)
            nursery.start_soon(self._keeper.run)
            nursery.start_soon(self._keeper.save)
            if self._config.kad:
                nursery.start_soon(self._kad.republish)
            if self._config.mdns:
                self._start_mdns(nursery)
            try:
                yield self
            finally:
                self._keeper.save_now()
                nursery.cancel_scope.cancel()

    @property
    def peer(self) -> str:
        """This node's id."""
        return self.identity.peer

    @property
    def listening(self) -> list[str]:
        """Bound addresses, real ports, without the peer id."""
        return self._swarm.listening

    # -- gossip

    def subscribe(self, topic: str) -> None:
        self._gossip.subscribe(topic)

    def unsubscribe(self, topic: str) -> None:
        self._gossip.unsubscribe(topic)
        for peer in self._book.wanted():
            self._see_topics(peer)

    def publish(self, topic: str, data: bytes) -> int:
        """Sign and send; returns the number of peers. Raises ``LocalProtocolError`` for more than fits a frame."""
        return self._gossip.publish(topic, data)

    # -- peers

    async def dial(self, address: str, *, keep: bool) -> str:
        """Connect to ``/ip4/…/tcp/…/p2p/<id>``; returns the peer id. With ``keep`` a lost peer is dialled again,
        also when this first attempt fails. Raises ``ConfigError``, ``Unreachable`` or ``DeadlineExceeded``."""
        peer = self._remember(address)
        if keep:
            self._keeper.want(peer)
        connection = await self._swarm.connect(peer, self._book.entry(peer).addresses)
        return connection.peer

    def forget(self, peer: str) -> None:
        """Do not keep the peer any longer, and close its connections."""
        self._keeper.forget(peer)
        self._swarm.disconnect(peer)

    async def ping(self, peer: str) -> float:
        """Round-trip time in seconds by the ping protocol. Raises ``DeadlineExceeded`` or ``Unreachable``."""
        connection = await self._connected(peer)
        stream = connection.open_stream()
        try:
            with trio.fail_after(limits.PING_TIMEOUT):
                await multistream.propose(stream, [PING])
                return await _measure(stream)
        except trio.TooSlowError as error:
            raise DeadlineExceeded(f"peer {peer} answered no ping within {limits.PING_TIMEOUT:g} s") from error
        except RemoteProtocolError as error:
            raise Unreachable(f"ping of {peer}: {error}") from error
        finally:
            stream.reset()

    def peer_list(self) -> PeerList:
        """Connected and wanted peers, and those that are shut out for a while."""
        banned = self._book.shut_out(trio.current_time())
        peers = dict.fromkeys([*self._swarm.peers(), *self._book.wanted(), *banned])
        return PeerList(self.peer, self.listening, [self._record(peer) for peer in peers])

    # -- streams

    async def open_stream(self, peer: str, protocol: str) -> int:
        """Open a stream, connecting first where an address is known; returns its number."""
        connection = await self._connected(peer)
        try:
            return await self._streams.open(connection, protocol)
        except RemoteProtocolError as error:
            raise Unreachable(f"stream {protocol} to {peer}: {error}") from error

    def send_frame(self, stream: int, data: bytes) -> Awaitable[None]:
        """Write one frame; the result is done when it was handed to the connection. Frames leave in call order."""
        return self._streams.send(stream, data)

    def credit(self, stream: int, frames: int) -> None:
        self._streams.credit(stream, frames)

    def close_stream(self, stream: int, *, reset: bool = False) -> None:
        """Finish our direction after the frames that were sent, or drop both at once."""
        self._streams.close(stream, reset=reset)

    # -- records

    async def put_record(self, key: bytes, value: bytes) -> int:
        """Announce a value record in the DHT; returns how many peers took it."""
        return await self._kad.put(key, value)

    async def get_record(self, key: bytes) -> bytes | None:
        """The first record for a key, here or at a peer."""
        return await self._kad.get(key)

    def drop_streams(self) -> None:
        """Reset every stream: who used them is gone."""
        self._streams.drop_all()

    # -- owner of the swarm

    def may_connect(self, peer: str) -> bool:
        return not self._book.banned(peer, trio.current_time())

    async def on_connected(self, connection: Connection, *, first: bool) -> None:
        self._keeper.on_connected(connection.peer)
        if connection.outbound:
            self._book.learn(connection.peer, connection.address)
        connection.start_soon(self._identify, connection)
        if self._swarm.best(connection.peer) is connection:
            connection.start_soon(self._gossip.serve, connection)
        if first:
            await self._sink(PeerConnected(connection.peer, connection.address, not connection.outbound))

    async def on_disconnected(self, connection: Connection, *, last: bool) -> None:
        if last:
            self._keeper.on_lost(connection.peer)
            await self._gossip.forget(connection.peer)
            await self._sink(PeerDisconnected(connection.peer))

    def on_refused(self, peer: str, reason: str, cost: int, detail: str) -> None:
        first = reason not in self._book.entry(peer).refusals
        log.log(logging.INFO if first else logging.DEBUG, "peer %s refused (%s): %s", peer, reason, detail)
        if self._book.refuse(peer, reason, cost, trio.current_time()):
            log.warning("peer %s is disconnected: too many refusals, last %s", peer, reason)
            self._swarm.disconnect(peer)

    async def on_stream(self, connection: Connection, stream: YamuxStream) -> None:
        with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
            protocol = await multistream.answer(stream, self._handlers)
        await self._handlers[protocol](stream)

    # -- handlers

    def _app_handler(self, protocol: str) -> Callable[[YamuxStream], Awaitable[None]]:
        async def handle(stream: YamuxStream) -> None:
            await self._streams.on_stream(stream, protocol)

        return handle

    async def _answer_identify(self, stream: YamuxStream) -> None:
        info = identify.IdentifyInfo(
            agent=self._config.agent,
            protocols=tuple(self._handlers),
            listen=tuple(self._own_addresses()),
            observed=stream.connection.address,
        )
        await stream.send_all(prefixed(identify.encode(info, self.identity.peer_id)))
        stream.finish()

    def _own_addresses(self) -> list[str]:
        """Where this node can be dialled, without its id."""
        own = [*addresses.concrete(self.listening), *self._observed, *self._relays.addresses()]
        return list(dict.fromkeys(own))

    def _external(self) -> list[str]:
        """Those of the own addresses at which everybody can dial."""
        return [text for text in self._own_addresses() if text in self._observed or _is_external(text)]

    def _see_observed(self, text: str) -> None:
        """A peer that we dialled sees us at this address; with ``advertise`` our ports are open there."""
        if not self._config.advertise or not text or addresses.is_loopback(text):
            return
        host = addresses.parse(text).host
        seen = [addresses.text_of(host, addresses.parse(own).port) for own in self.listening]
        if not set(seen) <= set(self._observed):
            self._observed = list(dict.fromkeys([*seen, *self._observed]))[:_MAX_OBSERVED]
            self._tell_addresses()

    def _tell_addresses(self) -> None:
        """Push the own addresses, which became others, to everybody."""
        self._points.changed()
        for peer in self._swarm.peers():
            connection = self._swarm.best(peer)
            if connection is not None and identify.PUSH in self._book.entry(peer).protocols:
                connection.start_soon(self._push, connection)

    async def _push(self, connection: Connection) -> None:
        stream = connection.open_stream()
        try:
            with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
                await multistream.propose(stream, [identify.PUSH])
                await self._answer_identify(stream)
                await stream.at_end()
        finally:
            stream.reset()

    async def _take_push(self, stream: YamuxStream) -> None:
        with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
            self._learn(stream.connection.peer, identify.decode(await read_prefixed(stream, identify.MAX_SIZE)))
        stream.finish()

    async def _identify(self, connection: Connection) -> None:
        stream = connection.open_stream()
        try:
            with trio.fail_after(limits.NEGOTIATE_TIMEOUT):
                await multistream.propose(stream, [identify.ID])
                self._learn(connection.peer, identify.decode(await read_prefixed(stream, identify.MAX_SIZE)))
                protocols = self._book.entry(connection.peer).protocols
                self._relays.on_identified(connection, protocols)
                self._points.on_identified(connection, protocols)
        except (multistream.Unsupported, trio.TooSlowError) as error:
            log.info("peer %s does not identify itself: %s", connection.peer, str(error) or "timed out")
        finally:
            stream.reset()

    def _learn(self, peer: str, info: identify.IdentifyInfo) -> None:
        entry = self._book.entry(peer)
        entry.agent, entry.protocols = info.agent, list(info.protocols)
        dialled = [c.address for c in self._swarm.connections(peer) if c.outbound]
        if dialled:
            self._see_observed(info.observed)
        local = addresses.is_loopback(self._swarm.connections(peer)[0].address) if self._swarm.best(peer) else False
        self._book.learn(peer, *dialled, *(text for text in info.listen if addresses.is_useful(text, local=local)))
        self._keeper.changed()
        self._leave_relay(peer)

    def _leave_relay(self, peer: str) -> None:
        """Try the direct addresses of a peer that is reached through a relay; whoever can be dialled needs none."""
        connection = self._swarm.best(peer)
        direct = [text for text in self._book.entry(peer).addresses if not addresses.parse(text).relay]
        wanted = connection is not None and connection.relayed and direct and peer not in self._leaving
        if wanted and self._nursery is not None:
            self._leaving.add(peer)
            self._nursery.start_soon(self._dial_directly, peer, direct)

    async def _dial_directly(self, peer: str, direct: list[str]) -> None:
        try:
            await self._swarm.connect_directly(peer, direct)
        except CalimeroError as error:
            log.info("peer %s stays behind its relay: %s", peer, error)
        finally:
            self._leaving.discard(peer)

    async def _on_gossip(self, note: Note) -> None:
        """Pass a note of gossip on; who follows a topic of ours is kept connected."""
        if isinstance(note, PeerSubscribed | PeerUnsubscribed):
            self._see_topics(note.peer)
        await self._sink(note)

    def _see_topics(self, peer: str) -> None:
        """Decide anew whether a connected peer is a member; of others only what was known is known."""
        if self._swarm.best(peer) is not None:
            shared = self._gossip.router.topics_of(peer) & self._gossip.router.topics
            self._keeper.set_member(peer, member=bool(shared - set(self._config.topics)))

    # -- discovery

    def _start_mdns(self, nursery: trio.Nursery) -> None:
        """Discover on the local network; a machine without multicast goes on without it."""
        from workers.network import mdns

        try:
            sock = mdns.open_socket()
        except OSError as error:
            log.warning("mDNS is not available (%s); dial peers by address", error)
            return
        own = mdns.announced(self.listening, self.peer)
        nursery.start_soon(mdns.Mdns(sock, (mdns.GROUP, mdns.PORT), lambda: own, self.on_found).run)

    def on_found(self, address: str) -> None:
        """Somebody announced this address: dial it once, unless it cannot be dialled or the peer is connected."""
        try:
            where = addresses.parse(address)
        except ConfigError:
            return
        self._on_met(where.peer, [addresses.without_peer(address)])

    def _on_met(self, peer: str, known: list[str]) -> None:
        busy = self._discovering >= DIALS_AT_ONCE
        if busy or peer in ("", self.peer) or self._swarm.best(peer) or self._nursery is None:
            return
        self._discovering += 1
        self._nursery.start_soon(self._dial_found, peer, known)

    async def _dial_found(self, peer: str, known: list[str]) -> None:
        try:
            await self._connect_to(peer, known)
        except CalimeroError as error:
            log.info("dial of a discovered peer: %s", error)
        finally:
            self._discovering -= 1

    # -- keeping peers

    def _remember(self, address: str) -> str:
        where = addresses.parse(address)
        if not where.peer:
            raise ConfigError(f"address {address!r} does not end in /p2p/<peer id>")
        self._book.learn(where.peer, addresses.without_peer(address))
        return where.peer

    async def _connected(self, peer: str) -> Connection:
        return await self._connect_to(peer, [])

    async def _connect_to(self, peer: str, more: list[str]) -> Connection:
        """The present connection to a peer, or one to an address that is known or among ``more``."""
        present = self._swarm.best(peer)
        if present is not None:
            return present
        known = self._book.get(peer)
        return await self._swarm.connect(peer, list(dict.fromkeys([*(known.addresses if known else []), *more])))

    def _kad_peers(self) -> list[PeerHint]:
        """Connected peers that serve the DHT."""
        entries = [(peer, self._book.entry(peer)) for peer in self._swarm.peers()]
        return [PeerHint(peer, tuple(e.addresses)) for peer, e in entries if kad_wire.ID in e.protocols]

    def _record(self, peer: str) -> PeerRecord:
        entry = self._book.entry(peer)
        found = self._swarm.connections(peer)
        return PeerRecord(
            peer=peer,
            addresses=list(dict.fromkeys([*(c.address for c in found if c.outbound), *entry.addresses])),
            connected=bool(found),
            inbound=bool(found) and not found[0].outbound,
            agent=entry.agent,
            protocols=entry.protocols,
            topics=sorted(self._gossip.router.topics_of(peer)),
            streams=self._streams.count(peer),
            received=sum(c.channel.received for c in found),
            sent=sum(c.channel.sent for c in found),
            latency=found[0].latency if found else 0.0,
            score=round(self._book.score(peer, trio.current_time())),
            refusals=dict(entry.refusals),
        )


def _is_external(text: str) -> bool:
    return bool(addresses.parse(text).relay) or addresses.is_public(text)


async def _echo(stream: YamuxStream) -> None:
    """Answer pings until the peer ends the stream."""
    while not await stream.at_end():
        await stream.send_all(await stream.receive_exactly(_PING_SIZE))
    stream.finish()


async def _measure(stream: YamuxStream) -> float:
    payload = os.urandom(_PING_SIZE)
    start = trio.current_time()
    await stream.send_all(payload)
    if await stream.receive_exactly(_PING_SIZE) != payload:
        raise RemoteProtocolError("ping came back changed", score=5)
    return trio.current_time() - start
