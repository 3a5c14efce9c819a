"""What the collection functions answer to wrong ids, unreadable buffers and storage that refuses."""

from __future__ import annotations

import pytest

from node.errors import HostError
from node.runtime.host.table import TABLE
from node.storage.keys import entry_key, index_key
from tests.node.runtime.machine import MINUS_ONE, U64, Machine, R

COLLECTION = [row for row in TABLE.values() if row.group.startswith("JavaScript") and row.params[0][0] == "id"]
IDS = [row.name for row in COLLECTION]


def arguments(machine: Machine, name: str, **given: int) -> list[int]:
    """Arguments that are all right, except those given."""
    right = {"buffer": machine.buffer(b"x" * 32), "register": R, "flag": 1, "u64": 0}
    return [given.get(param, right.get(kind, 0)) for param, kind in TABLE[name].params]


@pytest.mark.parametrize("name", IDS)
@pytest.mark.parametrize("length", [0, 31, 33])
def test_an_id_of_another_length(name: str, length: int) -> None:
    machine = Machine()
    assert machine.call(name, *arguments(machine, name, id=machine.buffer(bytes(length)))) == MINUS_ONE
    register = R if TABLE[name].params[-1][1] == "register" else 0
    assert machine.register(register) == f"mapId must be exactly 32 bytes (received {length})".encode()


@pytest.mark.parametrize("name", IDS)
def test_an_unreadable_id_ends_the_call(name: str) -> None:
    machine = Machine()
    for pointer in (U64, machine.raw_buffer(U64, 32), machine.raw_buffer(0, U64)):
        with pytest.raises(HostError, match="invalid memory access"):
            machine.call(name, *arguments(machine, name, id=pointer))


@pytest.mark.parametrize("name", [n for n in IDS if any(k == "buffer" for _, k in TABLE[n].params[1:])])
def test_other_unreadable_buffers_end_the_call_after_the_id_is_checked(name: str) -> None:
    machine = Machine()
    other = next(param for param, kind in TABLE[name].params[1:] if kind == "buffer")
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call(name, *arguments(machine, name, **{other: U64}))
    short = machine.buffer(bytes(31))
    assert machine.call(name, *arguments(machine, name, id=short, **{other: U64})) == MINUS_ONE


@pytest.mark.parametrize("name", ["js_crdt_lww_set", "js_crdt_counter_get_executor_count"])
def test_without_the_flag_a_pointer_is_not_read(name: str) -> None:
    machine = Machine()
    without = {"item": U64, "executor": U64, "has_value": 1 << 32, "has_executor": 1 << 32}
    assert machine.call(name, *arguments(machine, name, **without)) != MINUS_ONE


@pytest.mark.parametrize("name", IDS)
def test_a_collection_that_is_not_stored_is_made_under_its_id(name: str) -> None:
    machine = Machine()
    wrapper = b"w" * 32
    assert machine.call(name, *arguments(machine, name, id=machine.buffer(wrapper))) != MINUS_ONE
    data = machine.vm.state.read(entry_key(wrapper))  # type: ignore[arg-type]  # any 32 bytes
    assert data is not None
    assert data[-32:] == wrapper


@pytest.mark.parametrize("name", IDS)
def test_a_wrapper_of_another_form_is_refused(name: str) -> None:
    machine = Machine()
    made = Machine()
    made.call("js_crdt_map_new", R)
    machine.call("js_crdt_lww_new" if "lww" not in name else "js_crdt_map_new", R)
    wrapper = machine.buffer(machine.register())
    assert machine.call(name, *arguments(machine, name, id=wrapper)) == MINUS_ONE


def test_a_damaged_index_is_a_failure_of_the_function() -> None:
    machine = Machine(state={index_key(b"\1" * 32): b"damaged"}.get)  # type: ignore[arg-type]
    assert machine.call("js_crdt_map_new", R) == MINUS_ONE
    assert b"Deserialization error" in machine.register()
    with pytest.raises(HostError, match=r"^host panicked: persist_root_state failed: Deserialization error: "):
        machine.call("persist_root_state", machine.buffer(b"doc"), 0, 0)
    with pytest.raises(HostError, match=r"^host panicked: failed to fetch root hash: Deserialization error: "):
        machine.call("flush_delta")


def test_counting_ends_at_64_bits() -> None:
    machine = Machine()
    machine.call("js_crdt_counter_new", R)
    counter = machine.buffer(machine.register())
    machine.call("js_crdt_counter_increment", counter)
    ((key, row),) = [(k, v) for k, v in machine.vm.state.writes.items() if v is not None and len(v) == 108]
    machine.vm.state.write(key, row[:68] + b"\xff" * 8 + row[76:])
    assert machine.call("js_crdt_counter_increment", counter) == MINUS_ONE
    text = b"Invalid data: Counter increment overflow: value already at u64::MAX"
    assert machine.register(0) == text
