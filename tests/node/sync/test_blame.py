"""Every row of bad input at the sync protocol is refused and counted against the peer that sent it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from node.errors import DeadlineExceeded, DecodeError, NotFound, RemoteProtocolError
from node.primitives import DeltaId, Hash, PublicKey
from node.sync.blame import blame_of
from node.sync.events import GossipReceived
from node.sync.wire import StateDelta, encode_broadcast
from tests.node.sync.world import CONTEXT, World

MESSAGE = 1
"""Tag of a numbered message; 8 bytes of number follow, then the payload."""


def message(change: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    return lambda data: change(data) if data[0] == MESSAGE else data


@pytest.mark.parametrize(
    ("change", "reason", "cost"),
    [
        (lambda data: data[:-1], "sync-malformed", 5),
        (lambda data: data + b"\0", "sync-malformed", 5),
        (lambda data: b"\x7f" + data[1:], "sync-malformed", 5),
        (message(lambda data: data[:9] + b"\x7f" + data[10:]), "sync-malformed", 5),
        (message(lambda data: data[:1] + (99).to_bytes(8, "little") + data[9:]), "sync-protocol", 1),
        (message(lambda data: data[:40] + bytes([data[40] ^ 1]) + data[41:]), "sync-protocol", 20),
    ],
    ids=["truncated", "too long", "unknown frame", "unknown payload", "wrong number", "wrong signature"],
)
def test_bad_frames_are_counted_against_their_sender(change: Callable[[bytes], bytes], reason: str, cost: int) -> None:
    world = World()
    for name in "abc":
        world.add(name)
    world.tamper = lambda source, _, data: change(data) if source == "b" else data
    for left, right in ("ab", "ac", "bc"):
        world.meet(left, right)
    world.run(5)
    blamed = world.nodes["a"].blamed
    assert (reason, cost) in {(blame.reason, blame.cost) for blame in blamed}
    assert {blame.peer for blame in blamed} == {"b"}
    assert not world.crashes


def test_broken_gossip_is_counted_against_who_signed_it() -> None:
    world = World()
    for name in "ab":
        world.add(name)
    world.nodes["a"].owner.write(b"genesis")
    world.meet("a", "b")
    assert world.run(5, world.converged)
    world.send("b", GossipReceived(CONTEXT, b"\x09", "a"))
    world.send("b", GossipReceived(CONTEXT, sealed_with_another_key(world.nodes["a"].owner.me.public_key), "a"))
    world.run(1)
    assert [blame.reason for blame in world.nodes["b"].blamed] == ["sync-malformed", "sync-seal"]


def sealed_with_another_key(author: PublicKey) -> bytes:
    genesis, clock = (DeltaId(bytes(32)),), bytes(24)
    delta = StateDelta(
        CONTEXT, author, DeltaId(b"\7" * 32), genesis, clock, Hash(bytes(32)), bytes(40), bytes(12), None
    )
    return encode_broadcast(delta)


def test_only_breaches_cost_something() -> None:
    assert blame_of("p", NotFound("no such delta")) is None
    assert blame_of("p", DeadlineExceeded("slow")) is None
    assert blame_of("p", RemoteProtocolError("has no state", score=0)) is None
    assert blame_of("", DecodeError("broken", offset=0, field="x")) is None
    assert blame_of("p", RemoteProtocolError("lies", score=20)) is not None
