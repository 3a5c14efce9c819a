from __future__ import annotations

import pytest

from node.errors import ExecutionError, HostError
from node.runtime import limits
from tests.node.runtime.machine import CONTEXT, EXECUTOR, U64, Machine, R


def test_registers_of_identity_and_input() -> None:
    machine = Machine(args=b'{"key":1}')
    for name, content in (("context_id", CONTEXT), ("executor_id", EXECUTOR), ("input", b'{"key":1}')):
        assert machine.call(name, R) is None
        assert machine.register() == content
    empty = Machine()
    empty.call("input", R)
    assert empty.call("register_len", R) == 0


def test_length_of_registers() -> None:
    machine = Machine(args=b"abc")
    assert machine.call("register_len", U64) == U64
    machine.call("input", U64)
    assert machine.call("register_len", U64) == 3


def test_read_register_wants_the_exact_length() -> None:
    machine = Machine(args=b"abc")
    machine.call("input", R)
    for length, answer in ((2, 0), (3, 1), (4, 0)):
        target = machine.room(length)
        assert machine.call("read_register", R, target) == answer
        assert machine.seen(target) == (b"abc" if answer else bytes(length))
    with pytest.raises(HostError, match="invalid register id: 8"):
        machine.call("read_register", 8, machine.room(3))
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("read_register", R, machine.raw_buffer(len(machine.memory) - 2, 3))


def test_value_return_keeps_the_last_one() -> None:
    machine = Machine()
    machine.call("value_return", machine.value(1, b"no"))
    machine.call("value_return", machine.value(0, b"yes"))
    assert machine.finish().returns == b"yes"
    machine.call("value_return", machine.value(1, b'"no"'))
    outcome = machine.finish()
    assert isinstance(outcome.error, ExecutionError)
    assert str(outcome.error) == "the method call returned an error: [34, 110, 111, 34]"
    assert Machine().finish().returns is None


@pytest.mark.parametrize("tag", [2, U64])
def test_value_return_with_another_tag(tag: int) -> None:
    machine = Machine()
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("value_return", machine.value(tag, b""))


def test_the_return_value_at_its_edge() -> None:
    machine = Machine(size=limits.MAX_RETURN + 100)
    machine.call("value_return", machine.pack("QQQ", 0, 64, limits.MAX_RETURN))
    with pytest.raises(HostError, match="bytes of the return value exceeds"):
        machine.call("value_return", machine.pack("QQQ", 0, 64, limits.MAX_RETURN + 1))


def test_logs_at_their_edges() -> None:
    machine = Machine()
    long = machine.buffer(b"x" * limits.MAX_LOG_SIZE)
    for _ in range(limits.MAX_LOGS - 1):
        machine.call("log_utf8", long)
    with pytest.raises(HostError, match=r"^log size overflow$"):
        machine.call("log_utf8", machine.buffer(b"x" * (limits.MAX_LOG_SIZE + 1)))
    machine.call("log_utf8", long)
    with pytest.raises(HostError, match=r"^logs overflow$"):
        machine.call("log_utf8", machine.buffer(b""))
    with pytest.raises(HostError, match=r"^logs overflow$"):
        machine.call("log_utf8", machine.buffer(b"x" * (limits.MAX_LOG_SIZE + 1)))
    assert len(machine.finish().logs) == limits.MAX_LOGS


def test_a_log_is_read_before_it_is_measured() -> None:
    machine = Machine()
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("log_utf8", machine.raw_buffer(0, U64))
    with pytest.raises(HostError, match="invalid UTF-8 string"):
        machine.call("log_utf8", machine.buffer(b"\xff" * (limits.MAX_LOG_SIZE + 1)))


def test_js_print_takes_a_raw_pointer_and_replaces_bad_text() -> None:
    machine = Machine()
    assert machine.call("js_std_d_print", 99, machine.put(b"a\xffb"), 3) == 0
    assert machine.finish().logs == ["a\ufffdb"]
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("js_std_d_print", 0, 16, U64)
    third = limits.MAX_LOG_SIZE // 3
    with pytest.raises(HostError, match="log size overflow"):
        machine.call("js_std_d_print", 0, machine.put(b"\xff" * (third + 1)), third + 1)


def test_panics() -> None:
    machine = Machine()
    place = machine.location(b"src/lib.rs", 136, 33)
    with pytest.raises(HostError, match=r"^guest panicked: explicit panic at src/lib\.rs:136:33$"):
        machine.call("panic", place)
    with pytest.raises(HostError, match=r"^guest panicked: key not found at src/lib\.rs:136:33$"):
        machine.call("panic_utf8", machine.buffer(b"key not found"), place)
    with pytest.raises(HostError, match=r"^guest panicked:  at :0:0$"):
        machine.call("panic_utf8", machine.buffer(b""), machine.location(b"", 0, 0))
    with pytest.raises(HostError, match="invalid UTF-8"):
        machine.call("panic_utf8", machine.buffer(b"\xff"), place)
    with pytest.raises(HostError, match="invalid UTF-8"):
        machine.call("panic", machine.location(b"\xff", 0, 0))
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("panic", len(machine.memory) - 23)
