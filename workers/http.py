"""What the HTTP workers share: listening sockets from multiaddrs, and a server without signal handlers."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn

from node.config.address import Listen
from node.errors import ConfigError

BACKLOG = 2048


class QuietServer(uvicorn.Server):
    """uvicorn inside a worker: signals belong to the supervisor."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(address: Listen) -> socket.socket:
    """A listening socket; port 0 takes a free one. Raises :class:`ConfigError` that names the address and the cure."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    # asyncio switches Nagle's algorithm off only where the protocol is named; with it an answer waits for 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise ConfigError(f"cannot listen on {address}: {_cure(error)}") from error
    sock.settimeout(0)
    return sock


def _cure(error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return "the port is in use; stop the program that has it or choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address"
    if error.errno in (errno.EACCES, errno.EPERM):
        return "ports below 1024 need privileges; choose another port"
    return error.strerror or str(error)
