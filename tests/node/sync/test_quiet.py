"""Equal heads and different roots after a burst of writes: the states are compared as soon as it is quiet."""

from __future__ import annotations

from node.sync.gossip import HEARTBEAT_GAP, PATIENCE, QUIET
from node.sync.kernel import SECOND
from tests.node.sync.world import MILLI, World

TRAVEL = 100 * MILLI
"""For the heartbeat, its judgement and the opening of a session."""


def split(writes: int, apart: int) -> tuple[World, float]:
    """Two nodes in a burst of writes that leaves the second with another state; the seconds that the burst takes."""
    world = World()
    world.add("a").owner.write(b"genesis")
    world.add("b")
    world.run(1)
    world.meet("a", "b")
    assert world.run(5, world.converged)
    world.run(3)
    for number in range(writes):
        world.later(number * apart, lambda number=number: world.write("a", b"w%d" % number))  # type: ignore[misc]
    world.later(apart, lambda: setattr(world.nodes["b"].owner, "twist", b"a mistake"))
    return world, writes * apart / SECOND


def compared(world: World) -> bool:
    notices = [notice for node in world.nodes.values() for notice in node.notices]
    return any(notice.name == "chosen" and notice.fields["strategy"] == "tree" for notice in notices)


def test_a_burst_that_ends_apart_is_compared_about_a_second_later() -> None:
    world, lasts = split(20, 10 * MILLI)
    assert world.run(lasts)
    owners = [node.owner for node in world.nodes.values()]
    assert owners[0].tips == owners[1].tips
    assert owners[0].root != owners[1].root
    assert world.run((QUIET + HEARTBEAT_GAP + TRAVEL) / SECOND, lambda: compared(world))


def test_a_burst_without_a_pause_is_compared_when_patience_ends() -> None:
    world, lasts = split(100, QUIET // 2)
    assert lasts > 10
    assert world.run((PATIENCE + HEARTBEAT_GAP + TRAVEL) / SECOND, lambda: compared(world))


def test_equal_states_after_a_burst_are_not_compared() -> None:
    world, lasts = split(20, 10 * MILLI)
    world.later(20 * MILLI, lambda: setattr(world.nodes["b"].owner, "twist", b""))
    world.run(lasts + 5)
    assert not compared(world)
