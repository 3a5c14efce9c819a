"""A channel core joined to one non-blocking socket; the shells call it when the socket is readable or writable.

It never waits and never starts a thread.
"""

from __future__ import annotations

import socket
from collections import deque
from typing import Final

from node.errors import RemoteProtocolError
from workers.channels.core import Core, Incoming

READ_SIZE: Final = 256 * 1024
"""Bytes taken from the socket at once: several snapshot pages, and short enough not to starve other channels."""

GATHER_BYTES: Final = 64 * 1024
"""Small frames are joined up to this size, so that a burst costs one system call."""

SOCKET_BUFFER: Final = 256 * 1024
"""Kernel buffer of each direction; the default of macOS (8 KiB) would make every larger message wait."""

MAX_DESCRIPTORS: Final = 8
"""Descriptors taken with one read; the kernel hands over those of one message at a time."""


def socket_pair() -> tuple[socket.socket, socket.socket]:
    """The two ends of a new channel."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    for end in ends:
        end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BUFFER)
        end.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER)
    return ends


class Link:
    """``parcels``: the other side may send descriptors (control channels)."""

    def __init__(self, sock: socket.socket, core: Core, *, parcels: bool = False) -> None:
        sock.settimeout(0)
        self.sock = sock
        self.core = core
        self._parcels = parcels
        self._received: deque[int] = deque()

    def pull(self) -> list[Incoming]:
        """Read once. When the other side is gone, or sent bytes that are no frames, the core is lost afterwards."""
        try:
            data = self._read()
        except (BlockingIOError, InterruptedError):
            return []
        except OSError:
            data = b""
        if not data:
            self.core.lose()
            return []
        try:
            return self.core.receive(data)
        except RemoteProtocolError:
            self.core.lose()
            raise

    def push(self) -> bool:
        """Write what the socket takes; True while something is left."""
        core = self.core
        while core.outbox:
            try:
                self._send()
            except (BlockingIOError, InterruptedError):
                return True
            except OSError:  # the reader finds the end of the stream and says so; what is unread may still be an answer
                _drop_outbox(core)
                return False
        return False

    def take_descriptor(self) -> socket.socket:
        """The socket that came with the oldest parcel not yet taken."""
        return socket.socket(fileno=self._received.popleft())

    def close(self) -> None:
        self.core.lose()
        while self._received:
            self.take_descriptor().close()
        self.sock.close()

    def _read(self) -> bytes:
        if not self._parcels:
            return self.sock.recv(READ_SIZE)
        data, descriptors, _, _ = socket.recv_fds(self.sock, READ_SIZE, MAX_DESCRIPTORS)
        self._received.extend(descriptors)
        return data

    def _send(self) -> None:
        head = self.core.outbox[0]
        if head.descriptor is not None:
            descriptor = head.descriptor
            count = socket.send_fds(self.sock, [head.data], [descriptor.fileno()])
            self.core.sent(count)
            descriptor.close()
        elif len(self.core.outbox) == 1:
            self.core.sent(self.sock.send(head.data))
        else:
            self._send_several()

    def _send_several(self) -> None:
        chunks: list[bytes | memoryview] = []
        size = 0
        for item in self.core.outbox:
            if item.descriptor is not None or size >= GATHER_BYTES:
                break
            chunks.append(item.data)
            size += len(item.data)
        left = self.sock.send(b"".join(chunks))
        for chunk in chunks:
            if left == 0:
                return
            step = min(left, len(chunk))
            self.core.sent(step)
            left -= step


def _drop_outbox(core: Core) -> None:
    while core.outbox:
        head = core.outbox[0]
        core.sent(len(head.data))
        if head.descriptor is not None:
            head.descriptor.close()
