from __future__ import annotations

from dataclasses import replace

from node.errors import HostError
from node.runtime.call import GuestCall, Outcome
from node.runtime.logic import VMLogic
from node.runtime.memory import GuestMemory
from node.storage.delta import actions_of
from node.storage.index import CACHED_CHILDREN, ChildCache
from tests.node.runtime.machine import Machine, R


class Context:
    """Rows and kept lists of one context; each :meth:`call` is a call of its own."""

    def __init__(self) -> None:
        self.rows: dict[bytes, bytes] = {}
        self.lists = ChildCache()
        self.count = 0

    def machine(self) -> Machine:
        self.count += 1
        machine = Machine(seed=20 + self.count)
        call: GuestCall = replace(machine.vm.call, state=self.rows.get, now_ns=lambda: 10**18 + self.count * 10**9)
        memory = GuestMemory(memoryview(machine.memory), lambda: memoryview(machine.memory))
        machine.vm = VMLogic(call, memory, self.lists)
        return machine

    def commit(self, machine: Machine) -> Outcome:
        machine.call("flush_delta")
        outcome = machine.finish()
        assert outcome.error is None
        for key, value in outcome.writes.items():
            if value is None:
                self.rows.pop(key, None)
            else:
                self.rows[key] = value
        return outcome

    def insert(self, machine: Machine, items: list[bytes]) -> None:
        for item in items:
            assert machine.call("js_crdt_set_insert", machine.buffer(self.wrapper), machine.buffer(item)) == 1

    def fill(self, number: int) -> None:
        machine = self.machine()
        machine.call("js_crdt_set_new", R)
        self.wrapper = machine.register()
        self.insert(machine, [b"%d" % n for n in range(number)])
        self.commit(machine)

    def size(self) -> int:
        machine = self.machine()
        machine.call("js_crdt_set_len", machine.buffer(self.wrapper), R)
        machine.finish()
        return int.from_bytes(machine.register(), "little")


def filled() -> Context:
    context = Context()
    context.fill(CACHED_CHILDREN + 10)
    return context


def test_lists_that_are_kept_are_those_of_the_committed_rows() -> None:
    context, again = filled(), filled()
    again.lists = ChildCache(0)
    for item in (b"a", b"b"):
        for one in (context, again):
            machine = one.machine()
            one.insert(machine, [item])
            one.commit(machine)
    assert context.rows == again.rows
    assert context.size() == again.size() == CACHED_CHILDREN + 12


def test_a_call_that_fails_leaves_no_trace_in_kept_lists() -> None:
    context = filled()
    machine = context.machine()
    context.insert(machine, [b"lost"])
    machine.call("flush_delta")
    machine.vm.finish(HostError("no"))
    assert context.size() == CACHED_CHILDREN + 10


def test_a_view_that_changes_something_leaves_no_trace_either() -> None:
    context = filled()
    machine = context.machine()
    context.insert(machine, [b"lost"])
    assert machine.finish().writes == {}
    assert context.size() == CACHED_CHILDREN + 10
    machine = context.machine()
    context.insert(machine, [b"kept"])
    assert len(actions_of(context.commit(machine).artifact)) == 1
    assert context.size() == CACHED_CHILDREN + 11


def test_a_commit_that_its_owner_drops_leaves_no_trace() -> None:
    context = filled()
    machine = context.machine()
    context.insert(machine, [b"lost"])
    machine.call("flush_delta")
    assert machine.finish().writes
    assert context.size() == CACHED_CHILDREN + 10
