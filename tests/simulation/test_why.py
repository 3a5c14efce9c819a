"""What ``why`` says of two real states that part: the subtree, the entries on both sides, the deltas behind them."""

from __future__ import annotations

from typing import Any

from node.sync.events import WhyWanted
from tests.simulation import hostile
from tests.simulation.clock import SECOND
from tests.simulation.guest import ITEMS, entry_of
from tests.simulation.plan import Plan, Write
from tests.simulation.registry import CONTEXT
from tests.simulation.run import Run
from tests.simulation.station import Station


def pair(seed: int = 1) -> tuple[Run, Station, Station]:
    """Two nodes that agree on sixty keys. (Of this seed both tell their agent at once.)"""
    run = Run(Plan(seed, 2, (), (), ()))
    run._begin()
    passed(run, 5)
    left, right = run.stations
    for number in range(60):
        run._write(Write(0, 0, f"k{number}", f"v{number}"))
    assert run.time.run(run.time.now + 60 * SECOND, run.judge.converged)
    passed(run, 30)
    return run, left, right


def passed(run: Run, seconds: float) -> None:
    run.time.run(run.time.now + int(seconds * SECOND))


def asked(run: Run, station: Station) -> dict[str, Any]:
    """What the node explains now."""
    station.event(WhyWanted(CONTEXT, 1))
    assert run.time.run(run.time.now + 5 * SECOND, lambda: bool(station.explained))
    answer = station.explained.pop()
    assert answer.error is None
    return dict(answer.explanation)


def parted(run: Run, left: Station, right: Station) -> None:
    """Two keys change on the right alone, without a delta, and the left hears of the other root at once."""
    at = right.wall()
    assert right.merge(hostile.added(right, "k3", "other", at))
    assert right.merge(hostile.removed("k7", at))
    left.manager.core.context(CONTEXT).agreed(right.peer, right.root, run.time.now)


def test_equal_states_have_no_difference() -> None:
    run, left, _ = pair()
    assert (asked(run, left)["difference"], asked(run, left)["converged"]) == (None, True)


def test_the_first_differing_subtree_its_entries_and_the_deltas_behind_them() -> None:
    run, left, right = pair()
    parted(run, left, right)
    found = asked(run, left)["difference"]
    assert (found["error"], found["peer"], found["ours"], found["theirs"]) == (
        None, right.peer, str(left.root), str(right.root),
    )  # fmt: skip
    assert found["path"] == [CONTEXT.hex(), ITEMS.hex()]
    entries = {entry["id"]: entry for entry in found["entries"]}
    assert (found["differing"], entries.keys()) == (2, {entry_of("k3").hex(), entry_of("k7").hex()})
    changed, removed = entries[entry_of("k3").hex()], entries[entry_of("k7").hex()]
    assert changed["ours"]["updated_at"] < changed["theirs"]["updated_at"]
    assert changed["ours"]["hash"] != changed["theirs"]["hash"]
    assert (removed["ours"]["deleted_at"], removed["theirs"]["bytes"]) == (None, None)
    assert removed["theirs"]["deleted_at"] > removed["ours"]["updated_at"]
    written = {delta.id for delta in left.here.state.dag.applied()}
    assert len(changed["deltas"]) == len(removed["deltas"]) == 1
    assert {*changed["deltas"], *removed["deltas"]} <= {str(delta) for delta in written}


def test_a_look_is_kept_for_a_while_and_then_repeated() -> None:
    run, left, right = pair()
    parted(run, left, right)
    first, second = asked(run, left)["difference"], asked(run, left)["difference"]
    assert first == second
    assert run.time.run(run.time.now + 60 * SECOND, run.judge.converged)
    passed(run, 30)
    assert asked(run, left)["difference"] is None


def test_a_peer_that_does_not_answer_is_named() -> None:
    run, left, right = pair()
    parted(run, left, right)
    run.links.wire(1, 0).cut = True
    found = asked(run, left)["difference"]
    assert (found["peer"], found["entries"]) == (right.peer, [])
    assert "3 s" in found["error"] or "reach" in found["error"]
