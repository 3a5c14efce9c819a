"""Nodes that only know a meeting point find each other, hidden ones through their relay."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nacl.signing import SigningKey

from node.errors import DecodeError, InvalidSignature
from node.gossip.protobuf import bytes_field, varint_field
from node.gossip.signing import signer
from tests.workers.network.hop import Hop, MeetingPoint
from tests.workers.network.nodes import TestNode, run, running, until
from workers.messages.network import PeerConnected
from workers.network import rendezvous_wire as wire
from workers.network.config import RendezvousConfig

SEED = bytes([1]) * 32
PUBLIC = bytes(SigningKey(SEED).verify_key)
PEER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"
PLACES = ["/ip4/10.0.0.1/tcp/4001", f"/ip4/10.0.0.2/tcp/1/p2p/{PEER}/p2p-circuit"]
QUICK = RendezvousConfig(interval=0.05, pause=0.05)


def sealed(number: int = 7) -> bytes:
    return wire.seal_record(PUBLIC, signer(SEED), number, PLACES)


# -- the wire


def test_a_record_names_its_signer_and_where_it_is() -> None:
    assert wire.open_record(sealed()) == (PEER, PLACES)


def test_the_envelope_is_that_of_the_specification() -> None:
    envelope = wire.seal_record(PUBLIC, signer(SEED), 1, [])
    assert envelope.startswith(bytes.fromhex("0a2408011220") + PUBLIC + b"\x12\x1c/libp2p/routing-state-record\x1a\x2a")
    payload = envelope[-66 - 42 : -66]
    assert payload == b"\x0a\x26\x00\x24\x08\x01\x12\x20" + PUBLIC + b"\x10\x01"
    to_verify = b"\x14libp2p-routing-state\x1c/libp2p/routing-state-record" + bytes([len(payload)]) + payload
    SigningKey(SEED).verify_key.verify(to_verify, envelope[-64:])


def test_questions_are_those_of_the_specification() -> None:
    assert wire.register("ns", b"r", 7_200).hex() == "0800" + "120a" + "0a026e73" + "120172" + "18a038"
    assert wire.discover("ns", 100).hex() == "0803" + "2a06" + "0a026e73" + "1064"


def test_forged_records_are_refused() -> None:
    good = sealed()
    with pytest.raises(InvalidSignature, match="not its peer's"):
        wire.open_record(good[:-1] + bytes([good[-1] ^ 1]))
    other = bytes(SigningKey(bytes(32)).verify_key)
    with pytest.raises(InvalidSignature):
        wire.open_record(good.replace(PUBLIC, other, 1))
    with pytest.raises(DecodeError, match="no routing record"):
        wire.open_record(good.replace(b"routing-state-record", b"another-state-record"))


@given(st.binary(max_size=80))
def test_random_bytes_raise_nothing_but_what_is_named(data: bytes) -> None:
    for read in (wire.open_record, wire.decode_answer):
        try:
            read(data)
        except (DecodeError, InvalidSignature):
            continue


def test_a_question_is_no_answer() -> None:
    with pytest.raises(DecodeError, match="no answer"):
        wire.decode_answer(varint_field(1, 3) + bytes_field(5, b""))


# -- the client


def test_hidden_nodes_meet_through_a_point_that_relays() -> None:
    async def body() -> None:
        middle = TestNode(1)
        Hop(middle)
        point = MeetingPoint(middle)
        a, b = (TestNode(number, listen=(), rendezvous=QUICK) for number in (2, 3))
        async with running(middle, a, b):
            for node in (a, b):
                await node.host.dial(middle.address, keep=True)
            await until(lambda: a.host._swarm.best(b.peer) is not None)
            assert {a.peer, b.peer} <= set(point.records["/calimero/devnet/global"])
            assert {note.peer for note in await a.wait_for(PeerConnected, 2)} == {middle.peer, b.peer}

    run(body)


def test_nodes_of_another_namespace_do_not_meet() -> None:
    async def body() -> None:
        middle = TestNode(1)
        Hop(middle)
        point = MeetingPoint(middle)
        a = TestNode(2, listen=(), rendezvous=QUICK)
        b = TestNode(3, listen=(), rendezvous=RendezvousConfig(namespace="other", interval=0.05, pause=0.05))
        async with running(middle, a, b):
            for node in (a, b):
                await node.host.dial(middle.address, keep=True)
            await until(lambda: len(point.records) == 2 and point.asked > 6)
            assert a.host._swarm.best(b.peer) is None

    run(body)


def test_a_node_without_an_external_address_asks_and_does_not_register() -> None:
    async def body() -> None:
        middle, a = TestNode(1), TestNode(2, rendezvous=QUICK)
        point = MeetingPoint(middle)
        async with running(middle, a):
            await a.host.dial(middle.address, keep=True)
            await until(lambda: point.asked > 2)
            assert point.registered == 0

    run(body)


def test_registrations_are_renewed_before_they_end_and_bounded() -> None:
    async def body() -> None:
        relay, full = TestNode(1), TestNode(4)
        Hop(relay)
        point, other = MeetingPoint(relay, seconds=0), MeetingPoint(full)
        settings = RendezvousConfig(interval=0.02, pause=0.05, registrations=1)
        a = TestNode(2, listen=(), rendezvous=settings)
        async with running(relay, full, a):
            await a.host.dial(relay.address, keep=True)
            await until(lambda: point.registered > 2)
            await a.host.dial(full.address, keep=True)
            await until(lambda: other.asked > 2)
            assert other.registered == 0

    run(body)


def test_a_refusal_is_tried_again_later_and_harms_nothing() -> None:
    async def body() -> None:
        middle, a = TestNode(1), TestNode(2, listen=(), rendezvous=QUICK)
        Hop(middle)
        point = MeetingPoint(middle, refuse=True)
        point.records["/calimero/devnet/global"] = {"x": b"\x00nonsense", "y": sealed()[:-1] + b"\0"}
        async with running(middle, a):
            await a.host.dial(middle.address, keep=True)
            await until(lambda: point.asked > 2)
            await until(lambda: a.host._points._registered == set())
            assert a.host.peer_list().peers[0].connected

    run(body)


def test_open_ports_are_advertised_at_the_address_that_peers_see() -> None:
    node = TestNode(1, advertise=True)
    node.host._swarm.listening.append("/ip4/192.168.1.2/tcp/2428")
    node.host._see_observed("/ip4/127.0.0.1/tcp/50000")
    assert node.host._external() == []
    node.host._see_observed("/ip4/192.0.2.7/tcp/50000")
    assert node.host._external() == ["/ip4/192.0.2.7/tcp/2428"]
    assert "/ip4/192.0.2.7/tcp/2428" in node.host._own_addresses()
    quiet = TestNode(2)
    quiet.host._see_observed("/ip4/192.0.2.7/tcp/50000")
    assert quiet.host._own_addresses() == []
