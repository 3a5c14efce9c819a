"""Maps, vectors, sets, registers and counters that the host keeps for a guest.

Source: core 0.10.0: .../host_functions/js_collections.rs, crates/storage/src/js.rs.
"""

from __future__ import annotations

from typing import Final

from node.primitives import PublicKey
from node.runtime.host.answers import (
    collection_id,
    created,
    fails,
    fails_into_register,
    fixed,
    number,
    optional,
    sized,
    value,
)
from node.runtime.logic import VMLogic

FLAG: Final = (1 << 32) - 1
"""An i32 argument: the upper half of its word means nothing."""


@fails_into_register
def js_crdt_map_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_map())


@fails_into_register
def js_crdt_map_get(vm: VMLogic, map_id: int, key: int, register: int) -> int:
    collection, raw = collection_id(vm, map_id), vm.memory.read(key)
    return optional(vm, register, vm.journal.collections.map(collection).get(raw))


@fails_into_register
def js_crdt_map_insert(vm: VMLogic, map_id: int, key: int, item: int, register: int) -> int:
    collection, raw, content = collection_id(vm, map_id), vm.memory.read(key), vm.memory.read(item)
    return optional(vm, register, vm.journal.collections.map(collection).insert(raw, content))


@fails_into_register
def js_crdt_map_remove(vm: VMLogic, map_id: int, key: int, register: int) -> int:
    collection, raw = collection_id(vm, map_id), vm.memory.read(key)
    return optional(vm, register, vm.journal.collections.map(collection).remove(raw))


@fails
def js_crdt_map_contains(vm: VMLogic, map_id: int, key: int) -> int:
    collection, raw = collection_id(vm, map_id), vm.memory.read(key)
    return int(vm.journal.collections.map(collection).contains(raw))


@fails_into_register
def js_crdt_map_iter(vm: VMLogic, map_id: int, register: int) -> int:
    entries = list(vm.journal.collections.map(collection_id(vm, map_id)).entries())
    body = b"".join(sized(key) + sized(item) for key, item in entries)
    return value(vm, register, len(entries).to_bytes(4, "little") + body)


@fails_into_register
def js_crdt_vector_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_vector())


@fails_into_register
def js_crdt_vector_len(vm: VMLogic, vector_id: int, register: int) -> int:
    return number(vm, register, len(vm.journal.collections.vector(collection_id(vm, vector_id))))


@fails
def js_crdt_vector_push(vm: VMLogic, vector_id: int, item: int) -> int:
    collection, content = collection_id(vm, vector_id), vm.memory.read(item)
    vm.journal.collections.vector(collection).push(content)
    return 1


@fails_into_register
def js_crdt_vector_get(vm: VMLogic, vector_id: int, index: int, register: int) -> int:
    return optional(vm, register, vm.journal.collections.vector(collection_id(vm, vector_id)).get(index))


@fails_into_register
def js_crdt_vector_pop(vm: VMLogic, vector_id: int, register: int) -> int:
    return optional(vm, register, vm.journal.collections.vector(collection_id(vm, vector_id)).pop())


@fails_into_register
def js_crdt_set_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_set())


@fails
def js_crdt_set_insert(vm: VMLogic, set_id: int, item: int) -> int:
    collection, content = collection_id(vm, set_id), vm.memory.read(item)
    return int(vm.journal.collections.set(collection).insert(content))


@fails
def js_crdt_set_contains(vm: VMLogic, set_id: int, item: int) -> int:
    collection, content = collection_id(vm, set_id), vm.memory.read(item)
    return int(vm.journal.collections.set(collection).contains(content))


@fails
def js_crdt_set_remove(vm: VMLogic, set_id: int, item: int) -> int:
    collection, content = collection_id(vm, set_id), vm.memory.read(item)
    return int(vm.journal.collections.set(collection).remove(content))


@fails_into_register
def js_crdt_set_len(vm: VMLogic, set_id: int, register: int) -> int:
    return number(vm, register, len(vm.journal.collections.set(collection_id(vm, set_id))))


@fails_into_register
def js_crdt_set_iter(vm: VMLogic, set_id: int, register: int) -> int:
    items = list(vm.journal.collections.set(collection_id(vm, set_id)).values())
    return value(vm, register, len(items).to_bytes(4, "little") + b"".join(map(sized, items)))


@fails
def js_crdt_set_clear(vm: VMLogic, set_id: int) -> int:
    items = vm.journal.collections.set(collection_id(vm, set_id))
    had_some = len(items) > 0
    items.clear()
    return int(had_some)


@fails_into_register
def js_crdt_lww_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_register())


@fails
def js_crdt_lww_set(vm: VMLogic, register_id: int, item: int, has_value: int) -> int:
    """Without the flag the value becomes none and the pointer is not read."""
    collection = collection_id(vm, register_id)
    content = vm.memory.read(item) if has_value & FLAG else None
    return int(vm.journal.collections.set_register(collection, content))


@fails_into_register
def js_crdt_lww_get(vm: VMLogic, register_id: int, register: int) -> int:
    return optional(vm, register, vm.journal.collections.register(collection_id(vm, register_id)).value)


@fails_into_register
def js_crdt_lww_timestamp(vm: VMLogic, register_id: int, register: int) -> int:
    held = vm.journal.collections.register(collection_id(vm, register_id))
    return optional(vm, register, None if held.value is None else bytes(held.timestamp))


@fails_into_register
def js_crdt_counter_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_counter())


@fails
def js_crdt_counter_increment(vm: VMLogic, counter_id: int) -> int:
    vm.journal.collections.counter(collection_id(vm, counter_id)).increment()
    return 1


@fails_into_register
def js_crdt_counter_value(vm: VMLogic, counter_id: int, register: int) -> int:
    return number(vm, register, vm.journal.collections.counter(collection_id(vm, counter_id)).value())


@fails_into_register
def js_crdt_counter_get_executor_count(
    vm: VMLogic, counter_id: int, executor: int, has_executor: int, register: int
) -> int:
    """Without the flag the current executor counts and the pointer is not read."""
    collection = collection_id(vm, counter_id)
    who = PublicKey(fixed(vm, executor, "executor id")) if has_executor & FLAG else vm.call.executor
    return number(vm, register, vm.journal.collections.counter(collection).count_of(who))
