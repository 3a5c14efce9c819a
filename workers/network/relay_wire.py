"""Messages of circuit relay v2, both protocols. Source: libp2p specs relay/circuit-v2.md."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from node.gossip.protobuf import as_bytes, as_int, bytes_field, read_fields, varint_field
from workers.network import address

__all__ = ["CONNECT", "HOP", "MAX_SIZE", "OK", "RESERVE", "STATUS", "STOP", "HopMessage", "StopMessage"]

HOP: Final = "/libp2p/circuit/relay/0.2.0/hop"
STOP: Final = "/libp2p/circuit/relay/0.2.0/stop"
MAX_SIZE: Final = 4_096
"""Largest message in bytes, as the specification advises."""

OK: Final = 100
RESERVE, CONNECT, STATUS = 0, 1, 2
_STOP_CONNECT, _STOP_STATUS = 0, 1


@dataclass(frozen=True, slots=True)
class HopMessage:
    """Between a client and its relay. ``peer``: id in bytes. ``expires``: unix seconds. ``addresses``: of the relay."""

    kind: int
    peer: bytes = b""
    expires: int = 0
    addresses: tuple[str, ...] = ()
    status: int = 0

    def encode(self) -> bytes:
        parts = [varint_field(1, self.kind)]
        if self.peer:
            parts.append(bytes_field(2, bytes_field(1, self.peer)))
        if self.expires:
            known = b"".join(bytes_field(2, address.encode(text)) for text in self.addresses)
            parts.append(bytes_field(3, varint_field(1, self.expires) + known))
        if self.status:
            parts.append(varint_field(5, self.status))
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> HopMessage:
        """Raises :class:`DecodeError`."""
        kind, peer, expires, status = STATUS, b"", 0, 0
        known: tuple[str, ...] = ()
        for number, value in read_fields(data, "hop"):
            if number == 1:
                kind = as_int(value, "hop.type")
            elif number == 2:
                peer = _peer(as_bytes(value, "hop.peer"))
            elif number == 3:
                expires, known = _reservation(as_bytes(value, "hop.reservation"))
            elif number == 5:
                status = as_int(value, "hop.status")
        return cls(kind, peer, expires, known, status)


@dataclass(frozen=True, slots=True)
class StopMessage:
    """Between a relay and the client that it passes a connection to. ``connect`` False: a status."""

    connect: bool
    peer: bytes = b""
    status: int = 0

    def encode(self) -> bytes:
        parts = [varint_field(1, _STOP_CONNECT if self.connect else _STOP_STATUS)]
        if self.peer:
            parts.append(bytes_field(2, bytes_field(1, self.peer)))
        if self.status:
            parts.append(varint_field(4, self.status))
        return b"".join(parts)

    @classmethod
    def decode(cls, data: bytes) -> StopMessage:
        """Raises :class:`DecodeError`."""
        kind, peer, status = _STOP_CONNECT, b"", 0
        for number, value in read_fields(data, "stop"):
            if number == 1:
                kind = as_int(value, "stop.type")
            elif number == 2:
                peer = _peer(as_bytes(value, "stop.peer"))
            elif number == 4:
                status = as_int(value, "stop.status")
        return cls(kind == _STOP_CONNECT, peer, status)


def _peer(data: bytes) -> bytes:
    for number, value in read_fields(data, "peer"):
        if number == 1:
            return as_bytes(value, "peer.id")
    return b""


def _reservation(data: bytes) -> tuple[int, tuple[str, ...]]:
    expires, known = 0, []
    for number, value in read_fields(data, "reservation"):
        if number == 1:
            expires = as_int(value, "reservation.expire")
        elif number == 2:
            known.append(address.parse_bytes(as_bytes(value, "reservation.addrs")))
    return expires, tuple(text for text in known if text)
