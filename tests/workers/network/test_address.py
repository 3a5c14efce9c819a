"""Multiaddrs: the forms that are dialled, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import ConfigError
from workers.network.address import Address, encode, is_useful, parse, parse_bytes, parse_peer, text_of, without_peer

PEER = "12D3KooWK99VoVxNE7XzyBwXEzW7xhK7Gpv85r9F3V3fyKSUKPH5"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/ip4/127.0.0.1/tcp/2428", Address("127.0.0.1", 2428)),
        (f"/ip6/::1/tcp/0/p2p/{PEER}", Address("::1", 0, PEER)),
        ("/dns4/node.example/tcp/65535", Address("node.example", 65535)),
        (f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit", Address("10.0.0.1", 1, "", PEER)),
        (f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit/p2p/{PEER}", Address("10.0.0.1", 1, PEER, PEER)),
    ],
)
def test_forms(text: str, expected: Address) -> None:
    assert parse(text) == expected


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not of the form"),
        ("127.0.0.1:2428", "not of the form"),
        ("/ip4/10.0.0.1/tcp/1/p2p-circuit", "p2p-circuit"),
        (f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit/p2p-circuit", "p2p-circuit"),
        ("/ip4/127.0.0.1/udp/2428", "not of the form"),
        ("/ip4/127.0.0.1/tcp/65536", "port between"),
        ("/ip4/127.0.0.1/tcp/x", "port between"),
        (f"/ip4/127.0.0.1/tcp/1/quic/{PEER}", "ends in /quic"),
        ("/ip4/127.0.0.1/tcp/1/p2p/Qm0", "no peer id"),
        ("/ip4/127.0.0.1/tcp/1/p2p/QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N", "no peer id"),
    ],
)
def test_refusals(text: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        parse(text)


def test_peer_ids_of_other_keys_are_refused() -> None:
    assert parse_peer(PEER) == PEER
    with pytest.raises(ConfigError, match="Ed25519"):
        parse_peer("QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N")


def test_text_of_sockets() -> None:
    assert text_of("10.0.0.1", 5) == "/ip4/10.0.0.1/tcp/5"
    assert text_of("::1", 5) == "/ip6/::1/tcp/5"


@pytest.mark.parametrize(
    "text",
    [
        "/ip4/127.0.0.1/tcp/2428",
        "/ip6/::1/tcp/1",
        "/dns4/a.b/tcp/2",
        "/dns/a/tcp/3",
        f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit",
    ],
)
def test_binary_round_trip(text: str) -> None:
    assert parse_bytes(encode(text)) == text


@pytest.mark.parametrize(
    ("text", "bare"),
    [
        (f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}", "/ip4/10.0.0.1/tcp/1"),
        ("/ip4/10.0.0.1/tcp/1", "/ip4/10.0.0.1/tcp/1"),
        (f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit/p2p/x", f"/ip4/10.0.0.1/tcp/1/p2p/{PEER}/p2p-circuit"),
    ],
)
def test_without_the_peer(text: str, bare: str) -> None:
    assert without_peer(text) == bare


def test_useful_addresses() -> None:
    assert not is_useful("/ip4/0.0.0.0/tcp/1", local=True)
    assert not is_useful("/ip4/127.0.0.1/tcp/1", local=False)
    assert is_useful("/ip4/127.0.0.1/tcp/1", local=True)
    assert is_useful("/ip4/10.0.0.1/tcp/1", local=False)


def test_binary_vectors() -> None:
    assert encode("/ip4/127.0.0.1/tcp/2428").hex() == "047f00000106097c"
    assert parse_bytes(bytes.fromhex("047f00000106097c") + bytes.fromhex("a503260024080112") + b"x" * 30) is not None


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        bytes.fromhex("047f000001"),
        bytes.fromhex("047f0000019102097ccd03"),
        bytes.fromhex("047f00000106097cdd03"),
        bytes.fromhex("360461"),
        bytes.fromhex("3604612f2f6206097c"),
    ],
)
def test_what_cannot_be_dialled_is_left_out(raw: bytes) -> None:
    assert parse_bytes(raw) is None


@given(st.binary(max_size=60))
def test_random_bytes_are_no_error(raw: bytes) -> None:
    text = parse_bytes(raw)
    assert text is None or parse(text)
