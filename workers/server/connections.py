"""What a connection may cost: how many there are, how long each phase may take.

Two protocols of uvicorn with deadlines. The library alone waits for ever on a client that connects and says nothing,
sends a header a byte at a time, or does not read its answer.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any, Final, cast

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

__all__ = ["Connections", "HttpProtocol", "Limits", "SocketProtocol"]

MAX_CONNECTIONS: Final = 4096
"""Connections altogether; each costs some 50 KB and a descriptor."""

MAX_PER_ADDRESS: Final = 1024
"""Connections of one address. A proxy in front of the node is one address, so it is not small."""

HEADER_SECONDS: Final = 10.0
"""From the connection, or the first byte of a later request, to the end of its header."""

IDLE_SECONDS: Final = 75
"""For which a connection stays open between two requests."""

WRITE_SECONDS: Final = 30.0
"""For which a client may leave its receive window closed."""

SOCKET_SECONDS: Final = 60.0
"""The same for a WebSocket, whose messages wait in a bounded queue meanwhile."""

LARGE: Final = 64 * 1024
"""Bytes from which a write does not wait for others."""

PING_TIMEOUT: Final = 1002
"""Close code of the reference for a client that does not answer pings."""

_TOO_MANY: Final = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/plain; charset=utf-8\r\nretry-after: 1\r\n"
    b"connection: close\r\ncontent-length: 20\r\n\r\ntoo many connections"
)

log: Final = logging.getLogger(__name__)


class Limits:
    """The figures of one server; a test sets smaller ones."""

    def __init__(
        self,
        connections: int = MAX_CONNECTIONS,
        per_address: int = MAX_PER_ADDRESS,
        header: float = HEADER_SECONDS,
        write: float = WRITE_SECONDS,
        idle: int = IDLE_SECONDS,
    ) -> None:
        self.connections, self.per_address = connections, per_address
        self.header, self.write, self.idle = header, write, idle


class Connections:
    """Open connections by address, and what was refused or cut off."""

    def __init__(self, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.open: Counter[str] = Counter()
        self.total = 0
        self.refused = 0
        self.cut: Counter[str] = Counter()

    def enter(self, address: str) -> bool:
        """Count a connection; False when there are too many."""
        if self.total >= self.limits.connections or self.open[address] >= self.limits.per_address:
            self.refused += 1
            return False
        self.open[address] += 1
        self.total += 1
        return True

    def leave(self, address: str) -> None:
        self.total -= 1
        self.open[address] -= 1
        if not self.open[address]:
            del self.open[address]


class Timer:
    """A deadline that can be set and lifted."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float, due: Callable[[], None]) -> None:
        self._loop, self._seconds, self._due = loop, seconds, due
        self._handle: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin to count, unless it counts already."""
        if self._handle is None:
            self._handle = self._loop.call_later(self._seconds, self._due)

    def stop(self) -> None:
        if self._handle is not None:
            self._handle.cancel()
            self._handle = None


class Corked:
    """A transport that sends what is written in one turn of the loop at once.

    uvicorn writes head and body apart; two system calls an answer are a third of what a short answer costs.
    """

    def __init__(self, inner: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self.inner = inner
        self._loop = loop
        self._parts: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if not self._parts:
            self._loop.call_soon(self.flush)
        self._parts.append(data)
        self._size += len(data)
        if self._size >= LARGE:
            self.flush()

    def flush(self) -> None:
        if self._parts:
            self.inner.write(b"".join(self._parts))
            self._parts.clear()
            self._size = 0

    def close(self) -> None:
        self.flush()
        self.inner.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class HttpProtocol(H11Protocol):
    """HTTP/1.1 with deadlines for header and answer, and a place in the count of connections."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        counts: Connections,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._counts = counts
        self.timeout_keep_alive = counts.limits.idle
        self._address: str | None = None
        self._header = Timer(self.loop, counts.limits.header, partial(self._cut, "header"))
        self._write = Timer(self.loop, counts.limits.write, partial(self._cut, "write"))

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        address = self.client[0] if self.client else ""
        if not self._counts.enter(address):
            transport.write(_TOO_MANY)
            transport.close()
            return
        self._address = address
        self.transport = cast(asyncio.Transport, Corked(transport, self.loop))
        self._header.start()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timers()
        self._release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._address is None:
            return
        super().data_received(data)
        if _answering(self.cycle):
            self._header.stop()
        elif self._is_ours and not self.transport.is_closing():
            self._header.start()

    @property
    def _is_ours(self) -> bool:
        """False once a WebSocket has taken the connection over."""
        return self._address is not None

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if _answering(self.cycle) or not self.conn.trailing_data[0]:
            self._header.stop()
        else:
            self._header.start()

    def handle_websocket_upgrade(self, event: Any) -> None:
        """The new protocol takes over the connection and its place in the count."""
        self._stop_timers()
        self.transport = cast(Corked, self.transport).inner
        super().handle_websocket_upgrade(event)
        protocol = self.transport.get_protocol()
        if isinstance(protocol, SocketProtocol) and self._address is not None:
            protocol.adopt(self._counts, self._address)
            self._address = None

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write.stop()

    def timeout_keep_alive_handler(self) -> None:
        """Nothing came since the last answer."""
        if not self.transport.is_closing():
            self._counts.cut["idle"] += 1
        super().timeout_keep_alive_handler()

    def _cut(self, phase: str) -> None:
        self._counts.cut[phase] += 1
        self.transport.abort()

    def _stop_timers(self) -> None:
        self._header.stop()
        self._write.stop()

    def _release(self) -> None:
        if self._address is not None:
            self._counts.leave(self._address)
            self._address = None


def _answering(cycle: RequestResponseCycle | None) -> bool:
    """uvicorn has no cycle before the first request, whatever its annotation says."""
    return cycle is not None and not cycle.response_complete


class SocketProtocol(WebSocketsSansIOProtocol):
    """A WebSocket that is counted, that a client cannot hold by not reading, and that is closed as in the reference."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._counts: Connections | None = None
        self._address = ""
        self._write = Timer(self.loop, SOCKET_SECONDS, self._cut)

    def adopt(self, counts: Connections, address: str) -> None:
        """Take over a counted connection."""
        self._counts, self._address = counts, address

    def connection_lost(self, exc: Exception | None) -> None:
        self._write.stop()
        if self._counts is not None:
            self._counts.leave(self._address)
            self._counts = None
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._write.start()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._write.stop()

    def keepalive_timeout(self) -> None:
        self.pong_timer = None
        self.pending_ping_payload = None
        if self.close_sent or self.transport.is_closing():
            return
        self.conn.fail(PING_TIMEOUT, "Ping timeout")
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()

    def _cut(self) -> None:
        if self._counts is not None:
            self._counts.cut["socket write"] += 1
        self.transport.abort()


def protocols(counts: Connections) -> dict[str, Any]:
    """The two protocols as settings of uvicorn."""

    def http(*arguments: Any, **named: Any) -> HttpProtocol:
        return HttpProtocol(*arguments, **named, counts=counts)

    return {"http": cast(Any, http), "ws": SocketProtocol}
