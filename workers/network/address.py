"""Multiaddrs as this worker uses them: TCP over IP or a DNS name, with or without a peer id at the end.

An address through a relay is ``<address of the relay>/p2p/<relay>/p2p-circuit[/p2p/<peer id>]``.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import base58
import psutil

from node.errors import ConfigError, DecodeError
from node.gossip.protobuf import decode_varint, encode_varint, prefixed
from node.gossip.signing import public_key_of

__all__ = [
    "P2P_PREFIX", "Address", "concrete", "encode", "is_loopback", "is_public", "is_useful", "parse", "parse_bytes",
    "parse_peer", "text_of", "without_peer",
]  # fmt: skip

_CODES: Final = {"ip4": 4, "ip6": 41, "dns": 53, "dns4": 54, "dns6": 55}
_KINDS: Final = {code: kind for kind, code in _CODES.items()}
_FAMILIES: Final = {"ip4": socket.AF_INET, "ip6": socket.AF_INET6}
_WILDCARDS: Final = {"0.0.0.0": socket.AF_INET, "::": socket.AF_INET6}  # noqa: S104 - compared, not bound
_TCP: Final = 6
P2P_PREFIX: Final = encode_varint(421)
"""What comes before the length and bytes of a peer id in a binary address."""
_CIRCUIT: Final = "/p2p-circuit"
_CIRCUIT_CODE: Final = encode_varint(290)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a peer listens. ``peer`` is empty when the address names none. With ``relay``, a peer id, host and port are
    those of the relay through which the peer is reached."""

    host: str
    port: int
    peer: str = ""
    relay: str = ""


def parse(text: str) -> Address:
    """Read ``/ip4/127.0.0.1/tcp/2428[/p2p/12D3…]``. Raises :class:`ConfigError` naming what is wrong."""
    head, circuit, tail = text.strip().partition(_CIRCUIT)
    if circuit:
        return _through_relay(text, parse(head), tail)
    parts = text.strip().split("/")
    if len(parts) not in (5, 7) or parts[0] or parts[1] not in _CODES or parts[3] != "tcp":
        raise ConfigError(f"address {text!r} is not of the form /ip4/<address>/tcp/<port>/p2p/<peer id>")
    if not parts[4].isdigit() or int(parts[4]) > 65_535:
        raise ConfigError(f"address {text!r} has no port between 0 and 65535")
    if len(parts) == 5:
        return Address(parts[2], int(parts[4]))
    if parts[5] != "p2p":
        raise ConfigError(f"address {text!r} ends in /{parts[5]}, expected /p2p/<peer id>")
    return Address(parts[2], int(parts[4]), parse_peer(parts[6]))


def _through_relay(text: str, relay: Address, tail: str) -> Address:
    if not relay.peer or relay.relay or (tail and not tail.startswith("/p2p/")):
        raise ConfigError(f"address {text!r} is not of the form /ip4/…/tcp/…/p2p/<relay>/p2p-circuit/p2p/<peer id>")
    return Address(relay.host, relay.port, parse_peer(tail.removeprefix("/p2p/")) if tail else "", relay.peer)


def without_peer(text: str) -> str:
    """The address without the id of the peer itself."""
    head, circuit, _ = text.strip().partition(_CIRCUIT)
    return head + circuit if circuit else head.partition("/p2p/")[0]


def parse_peer(text: str) -> str:
    """Check the text of a peer id. Raises :class:`ConfigError`."""
    try:
        raw = base58.b58decode(text)
    except ValueError:
        raw = b""
    if public_key_of(raw) is None:
        raise ConfigError(f"{text!r} is no peer id of an Ed25519 key (12D3KooW…)")
    return text


def text_of(host: str, port: int) -> str:
    """The multiaddr of a socket address."""
    return f"/{'ip6' if ':' in host else 'ip4'}/{host}/tcp/{port}"


def concrete(listening: Iterable[str]) -> list[str]:
    """Listen addresses that others can dial: a wildcard becomes the addresses of this machine, loopback last."""
    found: list[str] = []
    for text in listening:
        where = parse(text)
        hosts = _own_hosts(where.host) if where.host in _WILDCARDS else [where.host]
        found += [text_of(host, where.port) for host in hosts]
    return list(dict.fromkeys(found))


def _own_hosts(wildcard: str) -> list[str]:
    """Of the wildcard's family. Link-local addresses of IPv6 mean nothing without the name of the interface."""
    family = _WILDCARDS[wildcard]
    found = [a.address for each in psutil.net_if_addrs().values() for a in each if a.family == family]
    return sorted((host for host in found if "%" not in host), key=_is_loopback)


def is_loopback(text: str) -> bool:
    """Whether an address means the machine that reads it."""
    return _is_loopback(parse(text).host)


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host == "::1"


def is_public(text: str) -> bool:
    """Whether an address can be dialled from everywhere."""
    try:
        return ipaddress.ip_address(parse(text).host).is_global
    except ValueError:
        return False


def is_useful(text: str, *, local: bool) -> bool:
    """Whether a peer's own word for where it listens can be dialled. ``local``: the peer is on this machine."""
    host = parse(text).host
    return host not in _WILDCARDS and (local or not _is_loopback(host))


def encode(text: str) -> bytes:
    """The binary form, which identify and Kademlia carry; a peer id at the end is left out."""
    where = parse(text)
    kind = text.split("/")[1]
    code = _CODES[kind]
    if kind in _FAMILIES:
        host = socket.inet_pton(_FAMILIES[kind], where.host)
    else:
        raw = where.host.encode()
        host = encode_varint(len(raw)) + raw
    plain = encode_varint(code) + host + encode_varint(_TCP) + where.port.to_bytes(2, "big")
    return plain + P2P_PREFIX + prefixed(base58.b58decode(where.relay)) + _CIRCUIT_CODE if where.relay else plain


def parse_bytes(raw: bytes) -> str | None:
    """The text of a binary multiaddr, without a peer id; None for one that cannot be dialled from here."""
    try:
        kind, host, rest = _take_host(raw)
        code, end = _varint(raw, rest)
    except (DecodeError, UnicodeDecodeError, ValueError, OSError):
        return None
    port = raw[end : end + 2]
    tail = raw[end + 2 :]
    if code != _TCP or len(port) != 2 or (tail and not tail.startswith(P2P_PREFIX)) or "/" in host:
        return None
    plain = f"/{kind}/{host}/tcp/{int.from_bytes(port, 'big')}"
    try:
        return plain + _relay_of(tail)
    except (ConfigError, ValueError):
        return None


def _relay_of(tail: bytes) -> str:
    """What follows the port: nothing that matters, or a relay. Raises for a relay that cannot be used."""
    if not tail:
        return ""
    size, start = _varint(tail, len(P2P_PREFIX))
    if not tail[start + size :].startswith(_CIRCUIT_CODE):
        return ""
    return f"/p2p/{parse_peer(base58.b58encode(tail[start : start + size]).decode())}{_CIRCUIT}"


def _take_host(raw: bytes) -> tuple[str, str, int]:
    """``(kind, host, offset behind it)`` of the first part."""
    code, offset = _varint(raw, 0)
    kind = _KINDS.get(code)
    if kind is None:
        raise ValueError(f"multiaddr starts with protocol {code}")
    if kind in _FAMILIES:
        size = 4 if kind == "ip4" else 16
        return kind, socket.inet_ntop(_FAMILIES[kind], raw[offset : offset + size]), offset + size
    size, offset = _varint(raw, offset)
    return kind, raw[offset : offset + size].decode(), offset + size


def _varint(raw: bytes, offset: int) -> tuple[int, int]:
    found = decode_varint(raw, offset)
    if found is None:
        raise ValueError("multiaddr ends inside a number")
    return found
