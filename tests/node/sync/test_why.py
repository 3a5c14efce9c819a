"""What ``why`` says: with whom a node agrees, what waits here, for which parents, and who was asked for them."""

from __future__ import annotations

from node.primitives import ZERO_ROOT
from node.sync.kernel import SECOND
from node.sync.ports import ReadKeys
from tests.node.sync.world import CONTEXT, START, World


def pair() -> World:
    world = World()
    world.add("a").owner.write(b"genesis")
    world.add("b")
    world.run(1)
    world.meet("a", "b")
    assert world.run(5, world.converged)
    world.run(1)
    return world


def test_equal_nodes_say_with_whom_and_since_when() -> None:
    world = pair()
    world.run(35)
    found = world.explain("b")
    (peer,) = found["peers"]
    root = str(world.nodes["b"].owner.root)
    assert (found["context"], found["root"], found["converged"]) == (str(CONTEXT), root, True)
    assert (peer["peer"], peer["online"], peer["root"]) == ("a", True, root)
    assert START / SECOND < peer["equal_since"] <= peer["compared_at"] <= world.now / SECOND
    assert peer["members"] == [str(world.nodes["a"].owner.me.public_key)]
    assert [session["outcome"] for session in found["sessions"]].count("in sync") >= 1
    assert (found["pending"], found["waiting"], found["sealed"]) == (0, [], [])


def test_a_waiting_delta_says_what_is_missing_and_who_was_asked_when_and_what_they_said() -> None:
    world = pair()
    world.gossip_cut = {("a", "b")}
    lost = world.write("a", b"lost")
    world.run(0.01)
    world.gossip_cut = set()
    del world.nodes["a"].owner.deltas[lost.id]
    heard = world.write("a", b"heard")
    world.run(0.5)

    found = world.explain("b")
    (waiting,) = found["waiting"]
    assert (found["pending"], found["converged"]) == (1, False)
    assert (waiting["delta"], waiting["waits_for"], waiting["error"]) == (str(heard.id), "parents", None)
    (missing,) = waiting["missing"]
    assert missing["delta"] == str(lost.id)
    assert {asked["peer"] for asked in missing["asked"]} == {"a"}
    assert all(asked["answer"] == "does not have it" for asked in missing["asked"])
    assert all(START / SECOND < asked["at"] <= world.now / SECOND for asked in missing["asked"])


def test_a_sealed_delta_says_whose_it_is_and_where_it_came_from() -> None:
    world = pair()
    b = world.nodes["b"]
    b.owner.members -= {world.nodes["a"].owner.me.public_key}
    b.manager.core.context(CONTEXT).keys = b.owner.answer(ReadKeys(CONTEXT))
    world.registry.down = True
    written = world.write("a", b"from nobody")
    world.run(0.1)
    (sealed,) = world.explain("b")["sealed"]
    assert sealed == {"delta": str(written.id), "author": str(world.nodes["a"].owner.me.public_key), "source": "a"}


def test_a_node_alone_has_nobody_to_agree_with() -> None:
    world = World()
    world.add("a")
    world.run(1)
    found = world.explain("a")
    assert (found["root"], found["converged"], found["peers"]) == (str(ZERO_ROOT), False, [])
    assert found["next"]["rounds_without_success"] >= 1
