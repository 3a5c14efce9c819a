"""Publishing does not wait for an owner that is busy with calls."""

from __future__ import annotations

from node.sync import ports
from node.sync.kernel import SECOND
from tests.node.sync.test_defects import CONTEXT, pair


def test_a_burst_is_published_at_once_and_its_heads_are_read_twice() -> None:
    world = pair()
    world.delay = lambda name, request: SECOND if isinstance(request, ports.GetHeads) else 0
    for number in range(50):
        world.write("a", b"w%d" % number)
    world.run(0.5)
    assert len(world.requests("a", ports.Publish)) == 50
    assert len(world.requests("a", ports.GetHeads)) == 1
    world.run(3)
    assert len(world.requests("a", ports.GetHeads)) == 2
    core = world.nodes["a"].manager.core
    assert core.context(CONTEXT).heads.heads == world.nodes["a"].owner.heads().heads
    assert world.run(20, world.converged)


def test_a_node_without_a_state_asks_nobody_for_parents() -> None:
    """The state that is to come brings them."""
    world = pair()
    world.add("c")
    world.delay = lambda name, request: 3 * SECOND if name == "c" and isinstance(request, ports.FinishInstall) else 0
    world.meet("a", "c")
    world.run(1)
    world.write("a", b"while it installs")
    world.run(0.5)
    assert world.requests("c", ports.ApplyDeltas)
    core = world.nodes["c"].manager.core
    assert core.context(CONTEXT).fetching is None
    assert world.run(20, world.converged)
