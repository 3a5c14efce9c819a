"""The DNS messages of libp2p's mDNS discovery: one question, and an answer with addresses. No I/O.

Source: libp2p specs discovery/mdns.md; RFC 1035 section 4.1.
"""

from __future__ import annotations

import struct
from typing import Final

from node.errors import DecodeError

__all__ = ["SERVICE", "answer", "is_question", "parse_answer", "question"]

SERVICE: Final = "_p2p._udp.local"
TTL: Final = 360
"""Seconds; the reference's value."""
MAX_PACKET: Final = 9_000
MAX_ADDRESSES: Final = 16
"""Addresses put into one answer, so that it fits a packet."""

_HEADER: Final = struct.Struct("!HHHHHH")
_RECORD: Final = struct.Struct("!HHIH")
_PTR, _TXT, _ANY, _IN = 12, 16, 255, 1
_RESPONSE: Final = 0x8400
_PREFIX: Final = b"dnsaddr="


def question() -> bytes:
    """Who is there?"""
    return _HEADER.pack(0, 0, 1, 0, 0, 0) + _name(SERVICE) + struct.pack("!HH", _PTR, _IN)


def answer(instance: str, addresses: list[str]) -> bytes:
    """I am: ``instance`` is a random label, ``addresses`` are multiaddrs with the peer id at the end."""
    owner = _name(f"{instance}.{SERVICE}")
    texts = [_PREFIX + text.encode() for text in addresses[:MAX_ADDRESSES] if len(text) <= 255 - len(_PREFIX)]
    records = [_record(_name(SERVICE), _PTR, owner)]
    records += [_record(owner, _TXT, bytes((len(text),)) + text) for text in texts]
    return _HEADER.pack(0, _RESPONSE, 0, 1, 0, len(texts)) + b"".join(records)


def is_question(packet: bytes) -> bool:
    """Whether somebody asks for the service. Raises :class:`DecodeError` for what is no DNS message."""
    _, flags, count, *_ = _header(packet)
    if flags & 0x8000:
        return False
    offset = _HEADER.size
    for _ in range(count):
        name, offset = _read_name(packet, offset)
        kind, _ = _unpack("!HH", packet, offset)
        offset += 4
        if name.lower() == SERVICE and kind in (_PTR, _ANY):
            return True
    return False


def parse_answer(packet: bytes) -> list[str]:
    """The multiaddrs of an answer; empty for other messages. Raises :class:`DecodeError`."""
    _, flags, questions, *counts = _header(packet)
    if not flags & 0x8000:
        return []
    offset = _HEADER.size
    for _ in range(questions):
        _, offset = _read_name(packet, offset)
        offset += 4
    found: list[str] = []
    for _ in range(min(sum(counts), 256)):
        name, offset = _read_name(packet, offset)
        kind, _, _, size = _unpack(_RECORD.format, packet, offset)
        offset += _RECORD.size
        data = packet[offset : offset + size]
        offset += size
        if kind == _TXT and name.lower().endswith(SERVICE):
            found += _texts(data)
    return found


def _texts(data: bytes) -> list[str]:
    found = []
    while data:
        text, data = data[1 : 1 + data[0]], data[1 + data[0] :]
        if text.startswith(_PREFIX):
            found.append(text[len(_PREFIX) :].decode("utf-8", "replace"))
    return found


def _record(name: bytes, kind: int, data: bytes) -> bytes:
    return name + _RECORD.pack(kind, _IN, TTL, len(data)) + data


def _name(text: str) -> bytes:
    return b"".join(bytes((len(label),)) + label.encode() for label in text.split(".")) + b"\0"


def _header(packet: bytes) -> tuple[int, ...]:
    return _unpack(_HEADER.format, packet, 0)


def _unpack(form: str, packet: bytes, offset: int) -> tuple[int, ...]:
    try:
        return struct.unpack_from(form, packet, offset)
    except struct.error as error:
        raise DecodeError(f"DNS message is cut: {error}", offset=offset, field="dns") from error


def _read_name(packet: bytes, offset: int) -> tuple[str, int]:
    """A name with its compression pointers followed, and the offset behind it in place."""
    labels: list[bytes] = []
    end = 0
    for _ in range(128):
        (size,) = _unpack("!B", packet, offset)
        if size >= 0xC0:
            (pointer,) = _unpack("!H", packet, offset)
            end = end or offset + 2
            offset = pointer & 0x3FFF
        elif size == 0:
            return b".".join(labels).decode("utf-8", "replace"), end or offset + 1
        else:
            labels.append(packet[offset + 1 : offset + 1 + size])
            offset += 1 + size
    raise DecodeError("DNS name has no end", offset=offset, field="dns.name")
