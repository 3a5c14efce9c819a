from __future__ import annotations

import pytest

from node.errors import HostError
from node.runtime import limits
from tests.node.runtime.machine import U64, Machine, R

KEY = b"k" * 32
NONE: dict[bytes, bytes] = {}


def committed(machine: Machine) -> dict[bytes, bytes | None]:
    machine.call("commit", machine.buffer(bytes(32)), machine.buffer(b""))
    return machine.finish().writes


@pytest.mark.parametrize("column", ["storage", "private_storage"])
def test_rows_are_read_written_and_removed(column: str) -> None:
    base = {KEY: b"old"}
    machine = Machine(state=base.get, private=base.get)
    key, other = machine.buffer(KEY), machine.buffer(b"other")
    assert machine.call(f"{column}_read", key, R) == 1
    assert machine.register() == b"old"
    assert machine.call(f"{column}_read", other, R) == 0
    assert machine.register() == b"old"
    assert machine.call(f"{column}_remove", key, R) == 1
    assert machine.call(f"{column}_remove", key, R) == 0
    assert machine.call(f"{column}_read", key, R) == 0
    assert base == {KEY: b"old"}


def test_a_write_gives_the_old_value() -> None:
    machine = Machine()
    key = machine.buffer(KEY)
    assert machine.call("storage_write", key, machine.buffer(b"1"), R) == 0
    assert machine.call("storage_write", key, machine.buffer(b""), R) == 1
    assert machine.register() == b"1"
    assert machine.call("storage_read", key, R) == 1
    assert machine.register() == b""
    assert committed(machine) == {KEY: b""}


def test_short_keys_are_padded_and_long_ones_name_no_row() -> None:
    machine = Machine(private=NONE.get)
    value = machine.buffer(b"v")
    short, padded, long = machine.buffer(b"a"), machine.buffer(b"a\0\0"), machine.buffer(b"a" * 33)
    assert machine.call("storage_write", short, value, R) == 0
    assert machine.call("storage_read", padded, R) == 1
    assert machine.call("storage_write", long, value, R) == 0
    assert machine.call("storage_read", long, R) == 0
    assert machine.call("storage_remove", long, R) == 0
    assert machine.call("private_storage_write", long, value) == 1
    assert machine.call("private_storage_read", long, R) == 0
    assert machine.call("private_storage_write", short, value) == 1
    assert machine.call("private_storage_write", short, value) == 1
    machine.call("commit", machine.buffer(bytes(32)), machine.buffer(b""))
    outcome = machine.finish()
    assert outcome.writes == outcome.private_writes == {b"a" + bytes(31): b"v"}


def test_without_private_storage_everything_answers_zero() -> None:
    machine = Machine()
    key = machine.buffer(KEY)
    assert machine.call("private_storage_write", key, key) == 0
    assert machine.call("private_storage_read", key, R) == 0
    assert machine.call("private_storage_remove", key, R) == 0


@pytest.mark.parametrize("column", ["storage", "private_storage"])
def test_sizes_at_their_edges(column: str) -> None:
    machine = Machine(size=limits.MAX_STORAGE_VALUE + 4096, private=NONE.get)
    register = (R,) if column == "storage" else ()
    value = machine.raw_buffer(0, limits.MAX_STORAGE_VALUE)
    larger = machine.raw_buffer(0, limits.MAX_STORAGE_VALUE + 1)
    key, largest = machine.raw_buffer(0, 32), machine.raw_buffer(0, limits.MAX_STORAGE_KEY)
    too_large = machine.raw_buffer(0, limits.MAX_STORAGE_KEY + 1)
    machine.call(f"{column}_write", key, value, *register)
    machine.call(f"{column}_write", largest, value, *register)
    assert machine.call(f"{column}_read", largest, R) == 0
    with pytest.raises(HostError, match=r"^value length overflow$"):
        machine.call(f"{column}_write", key, larger, *register)
    with pytest.raises(HostError, match=r"^key length overflow$"):
        machine.call(f"{column}_write", too_large, larger, *register)
    for name in ("read", "remove"):
        with pytest.raises(HostError, match=r"^key length overflow$"):
            machine.call(f"{column}_{name}", too_large, R)


def test_limits_are_checked_before_memory() -> None:
    machine = Machine()
    far = machine.raw_buffer(U64, U64)
    near = machine.raw_buffer(U64, 32)
    with pytest.raises(HostError, match="key length overflow"):
        machine.call("storage_read", far, R)
    with pytest.raises(HostError, match="value length overflow"):
        machine.call("storage_write", near, far, R)
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("storage_read", near, R)


def test_an_old_value_that_fits_no_register_still_ends_the_call() -> None:
    machine = Machine(state={KEY: b"old"}.get)
    for number in range(limits.MAX_REGISTERS):
        machine.call("input", 1000 + number)
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("storage_read", machine.buffer(KEY), R)
