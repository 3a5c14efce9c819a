"""Event handlers: peers run them once, the author never; failures, kills, loops."""

from __future__ import annotations

from dataclasses import replace

import pytest

from node.context.owner.execute import Executed
from node.context.owner.outbox import HANDLER_ATTEMPTS
from node.dag.delta import CausalDelta
from node.events import events_from_bytes
from node.store.base import Batch
from tests.node.context.owner.world import Node, made


def notify(node: Node, *handlers: str) -> CausalDelta:
    return made(node.call("notify", {"value": "x", "handlers": list(handlers)}))


def run(node: Node) -> list[Executed]:
    results: list[Executed] = []
    while node.owner.work(results.append, 10):
        pass
    return results


def counted(node: Node) -> object:
    return node.value(f"count-{node.public.hex()[:6]}")


def test_a_peer_runs_the_handler_and_the_author_does_not(alice: Node, bob: Node) -> None:
    delta = notify(alice, "count")
    bob.give(delta, alice)
    (result,) = run(bob)
    assert counted(bob) == "1"
    assert run(alice) == []
    alice.give(made(result), bob)
    assert run(alice) == []
    assert alice.root == bob.root


def test_a_handlers_own_events_name_no_handlers(alice: Node, bob: Node) -> None:
    """Otherwise two nodes would answer each other for ever."""
    bob.give(notify(alice, "count"), alice)
    (result,) = run(bob)
    assert [e.handler for e in events_from_bytes(made(result).events or b"")] == [None]
    assert [e.handler for e in result.events] == ["count"], "observers still see the name"


def test_defect_e1_released_deltas_run_their_handlers(alice: Node, bob: Node) -> None:
    first = made(alice.call("set", {"a": "1"}))
    second = notify(alice, "count")
    bob.give(second, alice)
    assert run(bob) == []
    bob.give(first, alice)
    assert len(run(bob)) == 1
    assert counted(bob) == "1"


def test_defect_e2_owed_handlers_survive_a_restart(alice: Node, bob: Node) -> None:
    bob.give(notify(alice, "count", "count"), alice)
    bob.restart()
    assert bob.owner.busy
    assert len(run(bob)) == 2
    assert counted(bob) == "2"
    bob.restart()
    assert run(bob) == []


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("at", ["before", "after"])
def test_a_kill_around_a_handler_runs_its_effects_once(alice: Node, bob: Node, at: str) -> None:
    bob.give(notify(alice, "count", "count"), alice)

    def fault(point: str, batch: Batch) -> None:
        if point == at:
            raise Killed

    bob.store.fault = fault
    with pytest.raises(Killed):
        run(bob)
    bob.restart()
    run(bob)
    assert counted(bob) == "2"


def test_defect_e3_a_failing_handler_stops_no_other(alice: Node, bob: Node) -> None:
    bob.give(notify(alice, "fail", "count"), alice)
    bob.give(notify(alice, "count"), alice)
    run(bob)
    assert counted(bob) == "1"
    assert bob.owner.state.counts["handler failed"] == HANDLER_ATTEMPTS
    (entry,) = bob.owner.outbox.given_up()
    assert (entry.done, entry.attempts) == (0, HANDLER_ATTEMPTS)
    assert not bob.owner.busy
    bob.restart()
    assert len(bob.owner.outbox.given_up()) == 1
    assert run(bob) == []


def test_a_view_as_handler_is_done_after_one_run(alice: Node, bob: Node) -> None:
    bob.give(notify(alice, "get"), alice)
    (result,) = run(bob)
    assert result.delta is None
    bob.restart()
    assert run(bob) == []


def test_events_that_follow_by_gossip_still_run_once(alice: Node, bob: Node) -> None:
    """A stream brings no events; the gossip copy is a duplicate that does."""
    delta = notify(alice, "count")
    bob.give(replace(delta, events=None))
    assert run(bob) == []
    bob.give(delta, alice)
    bob.give(delta, alice)
    assert len(run(bob)) == 1
    assert bob.owner.delta(delta.id) == delta


def test_late_events_of_a_waiting_delta_run_after_its_release(alice: Node, bob: Node) -> None:
    first, second = made(alice.call("set", {"a": "1"})), notify(alice, "count")
    bob.give(replace(second, events=None))
    bob.give(second, alice)
    assert run(bob) == []
    bob.give(first, alice)
    assert len(run(bob)) == 1


def test_unreadable_events_owe_nothing(alice: Node, bob: Node) -> None:
    delta = replace(notify(alice, "count"), events=b"[{]")
    assert bob.give(delta, alice).applied == [delta.id]
    assert run(bob) == []


def test_a_step_limit_leaves_the_rest(alice: Node, bob: Node) -> None:
    bob.give(notify(alice, "count", "count", "count"), alice)
    results: list[Executed] = []
    assert bob.owner.outbox.run(results.append, 2) == 2
    assert bob.owner.busy
    run(bob)
    assert counted(bob) == "3"


def test_an_event_without_a_handler_is_passed_over(alice: Node, bob: Node) -> None:
    bob.give(notify(alice, "", "count"), alice)
    run(bob)
    assert counted(bob) == "1"


def test_without_an_own_identity_nothing_is_run(alice: Node, bob: Node) -> None:
    assert bob.owner.state.config is not None
    bob.owner.update(bob.owner.state.config, [alice.public])
    bob.give(notify(alice, "count"), alice)
    assert run(bob) == []
    assert bob.owner.state.counts["handler failed"] == HANDLER_ATTEMPTS
