"""mDNS: the packets, and two nodes that find each other over plain UDP on loopback."""

from __future__ import annotations

import contextlib
import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from node.errors import DecodeError
from tests.workers.network.nodes import TestNode, run, running
from workers.messages.network import PeerConnected
from workers.network import mdns_wire as wire
from workers.network.mdns import Mdns, announced

PEER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
ADDRESSES = [f"/ip4/10.0.0.{n}/tcp/2428/p2p/{PEER}" for n in range(3)]


def test_question() -> None:
    packet = wire.question()
    assert packet == bytes.fromhex("000000000001000000000000045f703270045f756470056c6f63616c00000c0001")
    assert wire.is_question(packet)
    assert wire.parse_answer(packet) == []


def test_answer() -> None:
    packet = wire.answer("a" * 32, ADDRESSES)
    assert not wire.is_question(packet)
    assert wire.parse_answer(packet) == ADDRESSES
    assert len(wire.parse_answer(wire.answer("a", ADDRESSES * 10))) == wire.MAX_ADDRESSES


def test_compressed_names_are_read() -> None:
    name = b"\x04_p2p\x04_udp\x05local\0"
    text = b"dnsaddr=" + ADDRESSES[0].encode()
    body = (
        b"\x01x\xc0\x0c" + b"\0\x10\0\x01\0\0\0\x01" + (len(text) + 1).to_bytes(2, "big") + bytes((len(text),)) + text
    )
    packet = bytes.fromhex("000084000001000000000001") + name + b"\0\x0c\0\x01" + body
    assert wire.parse_answer(packet) == [ADDRESSES[0]]


@pytest.mark.parametrize(
    "packet", [b"", bytes(11), bytes.fromhex("000000000001000000000000c00c"), b"\0" * 5 + b"\x01" + bytes(6)]
)
def test_broken_packets_are_refused(packet: bytes) -> None:
    with pytest.raises(DecodeError):
        wire.is_question(packet)


@given(st.binary(max_size=120))
def test_random_bytes_raise_nothing_but_decode_errors(packet: bytes) -> None:
    with contextlib.suppress(DecodeError):
        wire.is_question(packet)
    with contextlib.suppress(DecodeError):
        wire.parse_answer(packet)


def test_wildcards_become_the_addresses_of_the_machine() -> None:
    found = announced(["/ip4/0.0.0.0/tcp/7", "/ip4/10.9.8.7/tcp/8"], PEER)
    assert f"/ip4/127.0.0.1/tcp/7/p2p/{PEER}" in found
    assert found[-1] == f"/ip4/10.9.8.7/tcp/8/p2p/{PEER}"


def udp() -> trio.socket.SocketType:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    return trio.socket.from_stdlib_socket(sock)


def test_two_nodes_find_and_dial_each_other() -> None:
    async def body() -> None:
        a, b = TestNode(1), TestNode(2)
        ends = [udp(), udp()]
        targets = [end.getsockname() for end in reversed(ends)]
        async with running(a, b), trio.open_nursery() as nursery:
            for node, end, target in zip((a, b), ends, targets, strict=True):
                found = Mdns(end, target, lambda node=node: [node.address], node.host.on_found)  # type: ignore[misc]
                nursery.start_soon(found.run)
            await ends[0].sendto(b"garbage", ends[1].getsockname())
            await a.wait_for(PeerConnected)
            await b.wait_for(PeerConnected)
            nursery.cancel_scope.cancel()

    run(body)


def test_nonsense_that_was_announced_is_ignored() -> None:
    async def body() -> None:
        a = TestNode(1)
        async with running(a):
            for text in ("", "/ip4/1.2.3.4/udp/1/quic-v1", "/ip4/1.2.3.4/tcp/1", a.address):
                a.host.on_found(text)
            assert a.host.peer_list().peers == []

    run(body)
