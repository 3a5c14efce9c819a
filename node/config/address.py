"""Listen addresses: the few multiaddr forms that a configuration may hold, as host, transport and port.

Peers' addresses are parsed in full by the network worker; this module only decides what a node binds and whether two
of its own listeners would collide.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Final, Literal

from node.errors import ConfigError

__all__ = ["Listen", "parse_listen", "parse_server_listen", "parse_socket_address"]

MAX_PORT: Final = 65535


@dataclass(frozen=True, slots=True)
class Listen:
    """Where something listens. ``source`` is the setting it came from, for messages."""

    host: str
    transport: Literal["tcp", "udp"]
    port: int
    source: str = ""

    def collides(self, other: Listen) -> bool:
        """Same transport and port, and the same host or a wildcard of the same family. Port 0 never collides."""
        if self.port == 0 or (self.transport, self.port) != (other.transport, other.port):
            return False
        if (":" in self.host) != (":" in other.host):
            return False
        return self.host == other.host or self.is_wildcard or other.is_wildcard

    @property
    def is_wildcard(self) -> bool:
        return self.host in {"0.0.0.0", "::"}  # noqa: S104 - compared, not bound

    @property
    def url(self) -> str:
        """The HTTP address of a TCP listener, as a client would write it."""
        return f"http://[{self.host}]:{self.port}" if ":" in self.host else f"http://{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.transport} port {self.port} on {self.host}"


def parse_listen(text: str, source: str) -> Listen:
    """Read ``/ip4|ip6/HOST/tcp|udp/PORT[/…]``. Raises :class:`ConfigError` that names the setting."""
    parts = text.split("/")
    if len(parts) < 5 or parts[0] or parts[1] not in {"ip4", "ip6"} or parts[3] not in {"tcp", "udp"}:
        raise ConfigError(f"{source}: {text!r} is no listen address; write it like /ip4/127.0.0.1/tcp/2428")
    transport: Literal["tcp", "udp"] = "tcp" if parts[3] == "tcp" else "udp"
    return Listen(_host(parts[1], parts[2], text, source), transport, _port(parts[4], text, source), source)


def parse_server_listen(text: str) -> Listen:
    """An address of ``server.listen``; the texts are the reference's (core 0.10.0: crates/server/src/lib.rs)."""
    parts = text.split("/")
    if len(parts) < 3 or parts[0] or parts[1] not in {"ip4", "ip6"}:
        raise ConfigError(f"server.listen: {text!r}: Invalid multiaddr, expected IP4 component")
    if len(parts) < 5 or parts[3] != "tcp":
        raise ConfigError(f"server.listen: {text!r}: Invalid multiaddr, expected TCP component")
    return parse_listen(text, "server.listen")


def parse_socket_address(text: str, source: str) -> Listen:
    """Read ``HOST:PORT`` or ``[HOST]:PORT``."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    return Listen(_host("ip6" if ":" in host else "ip4", host, text, source), "tcp", _port(port, text, source), source)


def _host(family: str, text: str, address: str, source: str) -> str:
    try:
        return str(ipaddress.IPv4Address(text) if family == "ip4" else ipaddress.IPv6Address(text))
    except ValueError as error:
        raise ConfigError(f"{source}: {address!r}: {error}") from error


def _port(text: str, address: str, source: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > MAX_PORT:
        raise ConfigError(f"{source}: {address!r}: {text!r} is no port number from 0 to {MAX_PORT}")
    return int(text)
