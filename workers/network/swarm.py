"""All connections of this node: listening, dialling, one connection per peer, limits.

It is the owner of connections and passes what they report on to its own owner, the host.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final, Protocol

import trio

from node.errors import CalimeroError, DeadlineExceeded, RemoteProtocolError, Unreachable
from workers.network import address as addresses
from workers.network import limits, multistream
from workers.network.channel import RawChannel, SocketChannel
from workers.network.connection import Connection, ConnectionOwner
from workers.network.secure import Identity, SecureChannel, secure_inbound, secure_outbound

if TYPE_CHECKING:
    from trio_typing import TaskStatus

__all__ = ["Swarm", "SwarmOwner"]

log = logging.getLogger(__name__)

YAMUX: Final = "/yamux/1.0.0"


Through = Callable[[Connection, str], Awaitable[RawChannel]]
"""A stream to a peer through the relay at the other end of a connection."""


class SwarmOwner(ConnectionOwner, Protocol):
    """What the swarm reports to."""

    async def on_connected(self, connection: Connection, *, first: bool) -> None:
        """A connection stands; ``first``: it is the only one to this peer."""

    async def on_disconnected(self, connection: Connection, *, last: bool) -> None:
        """A connection is over; ``last``: none to this peer is left."""

    def may_connect(self, peer: str) -> bool:
        """Whether the peer is welcome."""


class Swarm:
    """Connections by peer. First :meth:`bind`, then :meth:`start`."""

    def __init__(self, identity: Identity, owner: SwarmOwner, through: Through, *, tls: bool) -> None:
        self.identity = identity
        self.listening: list[str] = []
        self._owner = owner
        self._through = through
        self._tls = tls
        self._connections: dict[str, list[Connection]] = {}
        self._dials: dict[str, trio.Lock] = {}
        self._pending_inbound = 0
        self._listeners: list[trio.SocketListener] = []
        self._nursery: trio.Nursery | None = None

    async def bind(self, listen: Sequence[str]) -> None:
        """Bind ``listen`` (port 0: any). Raises :class:`Unreachable` naming what cannot be bound."""
        for text in listen:
            where = addresses.parse(text)
            try:
                self._listeners += await trio.open_tcp_listeners(where.port, host=where.host)
            except OSError as error:
                raise Unreachable(f"cannot listen on {text}: {error.strerror or error}; choose another port") from error
        for listener in self._listeners:
            self.listening.append(addresses.text_of(*listener.socket.getsockname()[:2]))

    def start(self, nursery: trio.Nursery) -> None:
        """Accept connections, and run all of them, in ``nursery``."""
        self._nursery = nursery
        for listener in self._listeners:
            nursery.start_soon(trio.serve_listeners, self._inbound, [listener])

    # -- what is there

    def peers(self) -> list[str]:
        return list(self._connections)

    def connections(self, peer: str) -> list[Connection]:
        """Connections to a peer, the one to use first."""
        return self._connections.get(peer, [])

    def best(self, peer: str) -> Connection | None:
        """The connection to use for a new stream."""
        found = self._connections.get(peer)
        return found[0] if found else None

    def count(self) -> int:
        return sum(len(found) for found in self._connections.values())

    def disconnect(self, peer: str) -> None:
        """Close all connections to a peer."""
        for connection in list(self.connections(peer)):
            connection.close()

    # -- dialling

    async def connect(self, peer: str, known: list[str]) -> Connection:
        """A connection to ``peer``, the present one or a new one to the first of ``known`` addresses that answers.

        Concurrent calls for one peer share the work. Raises :class:`Unreachable` with the last cause,
        or :class:`DeadlineExceeded` when it was time.
        """
        async with self._turn(peer):
            return self.best(peer) or await self._connect_any(peer, known)

    async def connect_directly(self, peer: str, known: list[str]) -> Connection:
        """As :meth:`connect`, but a connection through a relay does not count; a direct one takes its place."""
        async with self._turn(peer):
            present = self.best(peer)
            if present is not None and not present.relayed:
                return present
            return await self._connect_any(peer, [text for text in known if not addresses.parse(text).relay])

    @asynccontextmanager
    async def _turn(self, peer: str) -> AsyncIterator[None]:
        """Dials of one peer come one after the other."""
        lock = self._dials.setdefault(peer, trio.Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked() and self._dials.get(peer) is lock:
                del self._dials[peer]

    async def _connect_any(self, peer: str, known: list[str]) -> Connection:
        error: CalimeroError = Unreachable(f"no address of peer {peer} is known; dial one as /ip4/…/tcp/…/p2p/{peer}")
        for text in list(known):
            try:
                connection = await self._connect_one(peer, text)
            except CalimeroError as caught:
                error = caught
            else:
                return self.best(peer) or connection
        raise error

    async def _connect_one(self, peer: str, text: str) -> Connection:
        try:
            with trio.fail_after(limits.DIAL_TIMEOUT):
                raw = await self._reach(peer, text)
                return await self._upgrade(raw, text, lambda raw: secure_outbound(raw, self.identity, peer))
        except trio.TooSlowError as error:
            raise DeadlineExceeded(f"peer {peer} at {text} did not answer within {limits.DIAL_TIMEOUT:g} s") from error
        except OSError as error:
            raise Unreachable(f"peer {peer} at {text}: {error.strerror or error}") from error
        except RemoteProtocolError as error:
            raise Unreachable(f"peer {peer} at {text}: {error}") from error

    async def _reach(self, peer: str, text: str) -> RawChannel:
        """The bytes to an address: a socket, or a stream through its relay."""
        where = addresses.parse(text)
        if not where.relay:
            return SocketChannel(await trio.open_tcp_stream(where.host, where.port))
        if where.relay == self.identity.peer:
            raise Unreachable(f"peer {peer} at {text}: the relay is this node itself")
        relay = await self.connect(where.relay, [addresses.text_of(where.host, where.port)])
        return await self._through(relay, peer)

    async def _upgrade(
        self,
        raw: RawChannel,
        text: str,
        secure: Callable[[RawChannel], Awaitable[SecureChannel]],
        *,
        outbound: bool = True,
    ) -> Connection:
        try:
            channel = await secure(raw)
            if outbound:
                await multistream.propose(channel, [YAMUX])
            else:
                await multistream.answer(channel, (YAMUX,))
            return await self._adopt(channel, text, outbound=outbound)
        except BaseException:
            with trio.CancelScope(shield=True):
                await raw.aclose()
            raise

    async def _inbound(self, socket: trio.SocketStream) -> None:
        """One accepted socket, which is closed when this returns. Nothing that a peer does raises here."""
        connection = None
        if self._pending_inbound < limits.MAX_PENDING_INBOUND:
            self._pending_inbound += 1
            try:
                text = addresses.text_of(*socket.socket.getpeername()[:2])
                connection = await self.upgrade_inbound(SocketChannel(socket), text)
            except OSError as error:
                log.info("inbound connection refused: %s", error)
            finally:
                self._pending_inbound -= 1
        if connection is not None:
            await connection.closed.wait()

    async def upgrade_inbound(self, raw: RawChannel, text: str) -> Connection | None:
        """The connection that a peer wishes on ``raw``; None when it does not come to one."""
        try:
            with trio.fail_after(limits.HANDSHAKE_TIMEOUT):
                return await self._upgrade(
                    raw, text, lambda raw: secure_inbound(raw, self.identity, tls=self._tls), outbound=False
                )
        except (CalimeroError, trio.TooSlowError, OSError) as error:
            log.info("inbound connection refused: %s", error)
        except Exception:
            log.exception("inbound connection failed")
        return None

    # -- bookkeeping

    async def _adopt(self, channel: SecureChannel, text: str, *, outbound: bool) -> Connection:
        assert self._nursery is not None
        self._check_room(channel.peer)
        connection = Connection(channel, self._owner, address=text, outbound=outbound)
        await self._nursery.start(self._live, connection)
        return connection

    def _check_room(self, peer: str) -> None:
        if peer == self.identity.peer:
            raise RemoteProtocolError("the peer is this node itself", score=0)
        if not self._owner.may_connect(peer):
            raise RemoteProtocolError(f"peer {peer} is banned for breaking rules", peer=peer, score=0)
        if self.count() >= limits.MAX_CONNECTIONS or len(self.connections(peer)) >= limits.MAX_CONNECTIONS_PER_PEER:
            raise RemoteProtocolError("too many connections", peer=peer, score=0)

    async def _live(self, connection: Connection, *, task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Run a connection from its registration to its last word; errors end it alone."""
        async with trio.open_nursery() as nursery:
            await nursery.start(connection.run)
            first = self._add(connection)
            task_status.started()
            try:
                await self._owner.on_connected(connection, first=first)
                await connection.closed.wait()
            except Exception:
                log.exception("%s could not be served", connection)
                connection.close()
            await connection.closed.wait()
        last = self._remove(connection)
        try:
            await self._owner.on_disconnected(connection, last=last)
        except Exception:
            log.exception("the end of %s could not be told", connection)

    def _add(self, connection: Connection) -> bool:
        """Enter a connection and close those that it replaces. True when it is the first."""
        others = self._connections.setdefault(connection.peer, [])
        first = not others
        others.append(connection)
        others.sort(key=self._preference)
        for loser in others[1:]:
            loser.close()
        return first

    def _preference(self, connection: Connection) -> tuple[bool, bool, float]:
        """Both ends keep a direct connection before one through a relay, then the one that the smaller peer id dialled;
        of several of those the newest."""
        dialler_is_us = self.identity.peer < connection.peer
        return connection.relayed, connection.outbound != dialler_is_us, -connection.opened_at

    def _remove(self, connection: Connection) -> bool:
        others = self._connections.get(connection.peer, [])
        if connection in others:
            others.remove(connection)
        if not others:
            self._connections.pop(connection.peer, None)
        return not others
