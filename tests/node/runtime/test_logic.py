from __future__ import annotations

import pytest

from node.errors import HostError, MethodResolutionError, StorageError
from node.runtime import overlay
from node.runtime.logic import check_method_name
from tests.node.runtime.machine import FakeServices, Machine, R

KEY = b"k" * 32


def committed(machine: Machine) -> None:
    machine.call("commit", machine.buffer(KEY), machine.buffer(b"delta"))


def everything() -> Machine:
    rows: dict[bytes, bytes] = {}
    machine = Machine(private=rows.get, services=FakeServices())
    key = machine.buffer(KEY)
    machine.call("storage_write", key, key, R)
    machine.call("private_storage_write", key, key)
    machine.call("log_utf8", key)
    machine.call("emit", machine.event(b"Set", b""))
    machine.call("xcall", machine.xcall(KEY, b"f", b""))
    machine.call("context_delete", key)
    machine.call("approve_proposal", key)
    machine.call("blob_create")
    committed(machine)
    return machine


def test_a_failed_call_leaves_only_its_logs() -> None:
    machine = everything()
    outcome = machine.vm.finish(HostError("no"))
    assert str(outcome.error) == "no"
    assert outcome.logs == [KEY.decode()]
    assert (outcome.writes, outcome.private_writes, outcome.events, outcome.xcalls) == ({}, {}, [], [])
    assert (outcome.mutations, outcome.proposals, outcome.root_hash, outcome.artifact) == ([], [], None, b"")
    assert isinstance(machine.vm.call.services, FakeServices)
    assert machine.vm.call.services.aborted == 1


def test_an_error_return_drops_everything_else() -> None:
    machine = everything()
    machine.call("value_return", machine.value(1, b"no"))
    outcome = machine.finish()
    assert outcome.error is not None
    assert (outcome.writes, outcome.events) == ({}, [])


def test_a_good_call_keeps_everything() -> None:
    outcome = everything().finish()
    assert outcome.error is None
    assert outcome.writes == outcome.private_writes == {KEY: KEY}
    assert [len(part) for part in (outcome.events, outcome.xcalls, outcome.mutations, outcome.proposals)] == [1] * 4


def test_events_without_a_root_hash_are_kept() -> None:
    machine = Machine()
    machine.call("emit", machine.event(b"Set", b""))
    outcome = machine.finish()
    assert (len(outcome.events), outcome.root_hash) == (1, None)


@pytest.mark.parametrize("name", ["a", "_", "9", "__calimero_sync_next", "x" * 256])
def test_method_names(name: str) -> None:
    check_method_name(name)


@pytest.mark.parametrize("name", ["", "x" * 257, "ä" * 129, "a b", "ä", "a\n", "\ud800"])
def test_names_that_are_refused(name: str) -> None:
    with pytest.raises(MethodResolutionError):
        check_method_name(name)


def test_a_tree_that_cannot_be_written_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise StorageError("no room")

    machine = Machine()
    machine.call("js_crdt_map_new", R)
    machine.call("flush_delta")
    monkeypatch.setattr(machine.vm.journal.engine, "close", refuse)
    outcome = machine.finish()
    assert str(outcome.error) == "host panicked: failed to serialize causal delta: no room"
    assert outcome.writes == {}


def test_a_tree_of_too_many_rows_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    machine.call("js_crdt_map_new", R)
    machine.call("flush_delta")
    monkeypatch.setattr(overlay, "MAX_WRITTEN_ROWS", 1)
    outcome = machine.finish()
    assert "number of changed rows exceeds" in str(outcome.error)
    assert outcome.writes == {}
