"""Events and calls into other contexts; both are queued for after the call.

Limits are checked before memory: a kind that is too long at an invalid address is an overflow, not an invalid access.
Source: core 0.10.0: crates/runtime/src/logic/host_functions/system.rs.
"""

from __future__ import annotations

from node.errors import HostError
from node.events import AppEvent
from node.primitives import ID_LENGTH, ContextId
from node.runtime import faults
from node.runtime.call import XCall
from node.runtime.limits import (
    MAX_EVENT_DATA,
    MAX_EVENT_HANDLER,
    MAX_EVENT_KIND,
    MAX_EVENTS,
    MAX_XCALL_FUNCTION,
    MAX_XCALL_PARAMS,
    MAX_XCALLS,
)
from node.runtime.logic import VMLogic
from node.runtime.memory import EVENT, XCALL, Descriptor


def emit(vm: VMLogic, event: int) -> None:
    kind, data = _event(vm, event)
    vm.events.append(AppEvent(kind, data))


def emit_with_handler(vm: VMLogic, event: int, handler: int) -> None:
    kind, data = _event(vm, event)
    vm.events.append(AppEvent(kind, data, _handler(vm, handler)))


def _event(vm: VMLogic, pointer: int) -> tuple[str, bytes]:
    kind_at, kind_length, data_at, data_length = vm.memory.unpack(EVENT, pointer)
    if kind_length > MAX_EVENT_KIND:
        raise faults.overflow("event kind size")
    if data_length > MAX_EVENT_DATA:
        raise faults.overflow("event data size")
    if len(vm.events) >= MAX_EVENTS:
        raise faults.overflow("events")
    return vm.memory.text(kind_at, kind_length), vm.memory.slice(data_at, data_length)


def _handler(vm: VMLogic, pointer: int) -> str | None:
    """A name that cannot be read is no handler; only its descriptor must be readable."""
    return _name(vm, vm.memory.descriptor(pointer)) if pointer else None


def _name(vm: VMLogic, where: Descriptor) -> str | None:
    address, length = where
    if length > MAX_EVENT_HANDLER:
        raise faults.too_much("length of an event handler's name", MAX_EVENT_HANDLER)
    try:
        return vm.memory.text(address, length)
    except HostError:
        return None


def xcall(vm: VMLogic, call: int) -> None:
    context_at, context_length, name_at, name_length, params_at, params_length = vm.memory.unpack(XCALL, call)
    if name_length > MAX_XCALL_FUNCTION:
        raise faults.overflow("xcall function size")
    if params_length > MAX_XCALL_PARAMS:
        raise faults.overflow("xcall params size")
    if len(vm.xcalls) >= MAX_XCALLS:
        raise faults.overflow("xcalls")
    vm.memory.require(context_at + context_length)
    if context_length != ID_LENGTH:
        raise faults.invalid_memory_access()
    context = ContextId(vm.memory.slice(context_at, context_length))
    name = vm.memory.text(name_at, name_length)
    vm.xcalls.append(XCall(context, name, vm.memory.slice(params_at, params_length)))
