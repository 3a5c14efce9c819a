from __future__ import annotations

import pytest

from node.errors import HostError
from node.runtime import journal as module
from node.storage.action import Update
from node.storage.delta import actions_of
from node.storage.hlc import from_ns, to_ns
from tests.node.runtime.machine import CONTEXT, NOW, Machine, R


def test_a_document_is_read_as_it_was_written() -> None:
    machine = Machine()
    assert machine.call("read_root_state", R) == 0
    machine.call("persist_root_state", machine.buffer(b"document"), 0, 0)
    assert machine.call("read_root_state", R) == 1
    assert machine.register() == b"document"


@pytest.mark.parametrize(
    ("created", "updated", "expected"),
    [
        (0, 0, None),
        (5, 0, None),
        (5, NOW + 10**9, NOW + 10**9 + 1),
        (NOW + 10**9, 0, NOW + 10**9 + 1),
        (5, (1 << 64) - 1, (1 << 64) - 1),
    ],
)
def test_times_of_a_document(created: int, updated: int, expected: int | None) -> None:
    machine = Machine()
    machine.call("persist_root_state", machine.buffer(b"document"), created, updated)
    assert machine.call("flush_delta") == 1
    (action,) = actions_of(machine.finish().artifact)
    assert isinstance(action, Update)
    now = to_ns(from_ns(NOW) & ~0xFFFF)
    assert action.metadata.created_at == (created or now)
    assert action.metadata.updated_at == (expected or now + (created == 0))


def test_a_flush_declares_the_root_and_says_if_there_is_anything_new() -> None:
    machine = Machine()
    assert machine.call("flush_delta") == 0
    assert machine.vm.root_hash is not None
    assert machine.vm.root_hash.is_zero
    machine.call("js_crdt_map_new", R)
    assert [machine.call("flush_delta") for _ in range(2)] == [1, 0]
    machine.call("persist_root_state", machine.buffer(b"late"), 0, 0)
    outcome = machine.finish()
    assert [a.id == CONTEXT for a in actions_of(outcome.artifact)] == [False, False, True]
    assert outcome.root_hash is not None
    assert not outcome.root_hash.is_zero


def test_without_a_flush_nothing_is_committed() -> None:
    machine = Machine()
    machine.call("persist_root_state", machine.buffer(b"document"), 0, 0)
    outcome = machine.finish()
    assert (outcome.root_hash, outcome.writes, outcome.artifact) == (None, {}, b"")


def test_the_artifact_at_its_edge(monkeypatch: pytest.MonkeyPatch) -> None:
    def run(limit: int) -> Machine:
        monkeypatch.setattr(module, "MAX_ARTIFACT", limit)
        machine = Machine()
        machine.call("persist_root_state", machine.buffer(b"document"), 0, 0)
        machine.call("flush_delta")
        return machine

    size = len(run(1 << 20).finish().artifact)
    assert run(size).finish().error is None
    error = run(size - 1).finish().error
    assert isinstance(error, HostError)
    assert "bytes of the artifact exceeds" in str(error)


def test_refused_actions_are_left_out_and_named() -> None:
    author = Machine()
    author.call("js_frozen_storage_new", R)
    author.call("flush_delta")
    artifact = author.finish().artifact
    first = actions_of(artifact)[0]
    machine = Machine(now=first.metadata.created_at - 3_600 * 10**9)  # type: ignore[union-attr]
    machine.call("apply_storage_delta", machine.buffer(artifact))
    outcome = machine.finish()
    assert outcome.error is None
    assert outcome.logs[0].startswith(f"left out: Add of entity {first.id.hex()}: Invalid timestamp")
