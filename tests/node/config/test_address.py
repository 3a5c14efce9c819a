"""Listen addresses and their collisions."""

from __future__ import annotations

import pytest

from node.config.address import Listen, parse_listen, parse_server_listen, parse_socket_address
from node.errors import ConfigError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/ip4/127.0.0.1/tcp/2528", Listen("127.0.0.1", "tcp", 2528)),
        ("/ip6/::1/tcp/0", Listen("::1", "tcp", 0)),
        ("/ip4/0.0.0.0/udp/2428/quic-v1", Listen("0.0.0.0", "udp", 2428)),
        ("/ip6/0:0::1/tcp/65535", Listen("::1", "tcp", 65535)),
    ],
)
def test_forms(text: str, expected: Listen) -> None:
    assert parse_listen(text, "") == expected


@pytest.mark.parametrize(
    "text",
    ["", "x", "/ip4/127.0.0.1", "/dns4/a/tcp/1", "/ip4/1.2.3/tcp/1", "/ip4/::1/tcp/1", "/ip4/127.0.0.1/tcp/65536",
     "/ip4/127.0.0.1/tcp/-1", "/ip4/127.0.0.1/tcp/٣", "/ip4/127.0.0.1/sctp/1", "ip4/127.0.0.1/tcp/1"],
)  # fmt: skip
def test_what_is_none_is_named(text: str) -> None:
    with pytest.raises(ConfigError, match=r"swarm\.listen"):
        parse_listen(text, "swarm.listen")


def test_server_texts_are_the_references() -> None:
    assert parse_server_listen("/ip4/127.0.0.1/tcp/1").url == "http://127.0.0.1:1"
    assert parse_server_listen("/ip6/::1/tcp/1").url == "http://[::1]:1"
    with pytest.raises(ConfigError, match="Invalid multiaddr, expected IP4 component"):
        parse_server_listen("/dns4/localhost/tcp/1")
    with pytest.raises(ConfigError, match="Invalid multiaddr, expected TCP component"):
        parse_server_listen("/ip4/127.0.0.1/udp/1")


def test_socket_addresses() -> None:
    assert parse_socket_address("127.0.0.1:3001", "x") == Listen("127.0.0.1", "tcp", 3001, "x")
    assert parse_socket_address("[::1]:3001", "x").host == "::1"
    with pytest.raises(ConfigError, match="x: "):
        parse_socket_address("localhost", "x")


@pytest.mark.parametrize(
    ("left", "right", "collide"),
    [
        ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/tcp/1", True),
        ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.2/tcp/1", False),
        ("/ip4/0.0.0.0/tcp/1", "/ip4/127.0.0.2/tcp/1", True),
        ("/ip4/0.0.0.0/tcp/1", "/ip6/::1/tcp/1", False),
        ("/ip4/127.0.0.1/tcp/1", "/ip4/127.0.0.1/udp/1", False),
        ("/ip4/127.0.0.1/tcp/0", "/ip4/127.0.0.1/tcp/0", False),
    ],
)
def test_collisions(left: str, right: str, collide: bool) -> None:
    one, other = parse_listen(left, ""), parse_listen(right, "")
    assert one.collides(other) is other.collides(one) is collide


def test_text_for_people() -> None:
    assert str(Listen("::1", "udp", 5)) == "udp port 5 on ::1"
