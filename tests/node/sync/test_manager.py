"""Nodes meet, write, lose and find each other; every test runs in virtual time on real machines."""

from __future__ import annotations

from node.sync.events import SyncWanted
from tests.node.sync.world import CONTEXT, World


def pair() -> World:
    world = World()
    world.add("a").owner.write(b"genesis")
    world.add("b")
    world.run(1)
    world.meet("a", "b")
    return world


def test_a_fresh_node_gets_the_state_by_snapshot() -> None:
    world = pair()
    assert world.run(2, world.converged)
    strategies = [n.fields["strategy"] for n in world.nodes["b"].notices if n.name == "chosen"]
    assert "snapshot" in strategies


def test_a_write_reaches_the_peer_by_gossip() -> None:
    world = pair()
    world.run(2)
    world.write("a", b"one")
    assert world.run(0.1, world.converged)


def test_the_first_write_of_a_joiner_reaches_everybody_at_once() -> None:
    world = pair()
    world.run(5)
    world.add("c")
    world.run(0.01)
    for old in ("a", "b"):
        world.meet("c", old)
    assert world.run(1, lambda: bool(world.nodes["c"].owner.applied))
    world.write("c", b"first words")
    assert world.run(1, world.converged)


def test_a_write_that_nobody_heard_is_announced_and_fetched() -> None:
    world = pair()
    world.run(2)
    world.gossip_cut = {("a", "b")}
    world.write("a", b"unheard")
    world.run(0.5)
    assert not world.converged()
    world.gossip_cut = set()
    assert world.run(32, world.converged)


def test_a_write_too_large_for_gossip_is_fetched_by_stream() -> None:
    world = pair()
    world.run(2)
    world.write("a", b"x" * 200_000)
    assert world.run(2, world.converged)


def test_both_sides_of_a_partition_come_together() -> None:
    world = pair()
    world.run(2)
    world.cut = {("a", "b"), ("b", "a")}
    for number in range(100):
        world.write("a", b"a%d" % number)
        world.write("b", b"b%d" % number)
    world.run(40)
    assert not world.converged()
    world.cut = set()
    assert world.run(35, world.converged)


def test_a_lost_delta_in_the_middle_is_fetched_from_the_source() -> None:
    world = pair()
    world.run(2)
    world.gossip_cut = {("a", "b")}
    for number in range(300):
        world.write("a", b"lost%d" % number)
    world.run(0.01)
    world.gossip_cut = set()
    world.write("a", b"heard")
    assert world.run(8, world.converged)
    world.run(0.1)
    assert world.nodes["b"].manager.core.context(CONTEXT).counters.counts["applied"] == 301


def test_a_wish_is_answered_with_a_report() -> None:
    world = pair()
    world.run(2)
    world.send("b", SyncWanted(CONTEXT, token=7))
    assert world.run(5, lambda: bool(world.nodes["b"].done))
    (report,) = world.nodes["b"].done[0].reports
    assert (report["outcome"], report["ours"]) == ("in sync", report["theirs"])
