from __future__ import annotations

import pytest

from node.errors import HostError
from node.events import AppEvent
from node.runtime import limits
from node.runtime.call import XCall
from tests.node.runtime.machine import CONTEXT, U64, Machine


def test_events_keep_their_order_and_handlers() -> None:
    machine = Machine()
    machine.call("emit", machine.event(b"Set", b"{}"))
    machine.call("emit_with_handler", machine.event(b"Set", b""), machine.buffer(b"on_set"))
    machine.call("emit_with_handler", machine.event(b"Set", b""), 0)
    assert machine.finish().events == [AppEvent("Set", b"{}"), AppEvent("Set", b"", "on_set"), AppEvent("Set", b"")]


def test_a_handler_that_cannot_be_read_is_none() -> None:
    machine = Machine()
    event = machine.event(b"Set", b"")
    for handler in (machine.buffer(b"\xff"), machine.raw_buffer(len(machine.memory), 5)):
        machine.call("emit_with_handler", event, handler)
    assert [e.handler for e in machine.finish().events] == [None, None]
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("emit_with_handler", event, len(machine.memory) - 1)


def test_sizes_at_their_edges() -> None:
    machine = Machine()
    kind, data = b"k" * limits.MAX_EVENT_KIND, b"d" * limits.MAX_EVENT_DATA
    machine.call("emit", machine.event(kind, data))
    with pytest.raises(HostError, match=r"^event kind size overflow$"):
        machine.call("emit", machine.event(kind + b"k", data + b"d"))
    with pytest.raises(HostError, match=r"^event data size overflow$"):
        machine.call("emit", machine.event(kind, data + b"d"))
    name = b"h" * limits.MAX_EVENT_HANDLER
    machine.call("emit_with_handler", machine.event(b"", b""), machine.buffer(name))
    with pytest.raises(HostError, match="event handler's name exceeds"):
        machine.call("emit_with_handler", machine.event(b"", b""), machine.buffer(name + b"h"))


def test_limits_are_checked_before_memory() -> None:
    machine = Machine()
    with pytest.raises(HostError, match="event kind size overflow"):
        machine.call("emit", machine.pack("QQQQ", U64, 101, U64, 0))
    with pytest.raises(HostError, match="event data size overflow"):
        machine.call("emit", machine.pack("QQQQ", U64, 100, U64, U64))
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("emit", machine.pack("QQQQ", U64, 100, 0, 0))
    with pytest.raises(HostError, match="invalid UTF-8"):
        machine.call("emit", machine.event(b"\xff", b""))


def test_the_number_of_events_at_its_edge() -> None:
    machine = Machine()
    event = machine.event(b"Set", b"")
    for _ in range(limits.MAX_EVENTS):
        machine.call("emit", event)
    with pytest.raises(HostError, match=r"^events overflow$"):
        machine.call("emit_with_handler", event, 0)


def test_cross_context_calls() -> None:
    machine = Machine()
    function, params = b"f" * limits.MAX_XCALL_FUNCTION, b"p" * limits.MAX_XCALL_PARAMS
    machine.call("xcall", machine.xcall(CONTEXT, function, params))
    assert machine.finish().xcalls == [XCall(CONTEXT, function.decode(), params)]
    with pytest.raises(HostError, match=r"^xcall function size overflow$"):
        machine.call("xcall", machine.xcall(CONTEXT, function + b"f", b""))
    with pytest.raises(HostError, match=r"^xcall params size overflow$"):
        machine.call("xcall", machine.xcall(CONTEXT, function, params + b"p"))
    for wrong in (CONTEXT[:31], CONTEXT + b"x"):
        with pytest.raises(HostError, match="invalid memory access"):
            machine.call("xcall", machine.xcall(wrong, b"f", b""))
    with pytest.raises(HostError, match="invalid UTF-8"):
        machine.call("xcall", machine.xcall(CONTEXT, b"\xff", b""))


def test_the_number_of_cross_context_calls_at_its_edge() -> None:
    machine = Machine()
    pointer = machine.xcall(CONTEXT, b"f", b"")
    for _ in range(limits.MAX_XCALLS):
        machine.call("xcall", pointer)
    with pytest.raises(HostError, match=r"^xcalls overflow$"):
        machine.call("xcall", pointer)
