"""User storage (one entry a member, changed by its owner alone) and frozen storage (entries that never change).

Source: core 0.10.0: .../host_functions/js_collections.rs, crates/storage/src/js.rs.
"""

from __future__ import annotations

from node.primitives import Hash, PublicKey
from node.runtime.host.answers import collection_id, created, fails, fails_into_register, fixed, optional, value
from node.runtime.logic import VMLogic


@fails_into_register
def js_user_storage_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_user_storage())


@fails_into_register
def js_user_storage_insert(vm: VMLogic, storage_id: int, item: int, register: int) -> int:
    collection, content = collection_id(vm, storage_id), vm.memory.read(item)
    return optional(vm, register, vm.journal.collections.user_storage(collection).insert(content))


@fails_into_register
def js_user_storage_get(vm: VMLogic, storage_id: int, register: int) -> int:
    collection = collection_id(vm, storage_id)
    return optional(vm, register, vm.journal.collections.user_storage(collection).get(vm.call.executor))


@fails_into_register
def js_user_storage_get_for_user(vm: VMLogic, storage_id: int, user: int, register: int) -> int:
    collection, owner = collection_id(vm, storage_id), _user(vm, user)
    return optional(vm, register, vm.journal.collections.user_storage(collection).get(owner))


@fails_into_register
def js_user_storage_remove(vm: VMLogic, storage_id: int, register: int) -> int:
    return optional(vm, register, vm.journal.collections.user_storage(collection_id(vm, storage_id)).remove())


@fails
def js_user_storage_contains(vm: VMLogic, storage_id: int) -> int:
    collection = collection_id(vm, storage_id)
    return int(vm.journal.collections.user_storage(collection).contains(vm.call.executor))


@fails
def js_user_storage_contains_user(vm: VMLogic, storage_id: int, user: int) -> int:
    collection, owner = collection_id(vm, storage_id), _user(vm, user)
    return int(vm.journal.collections.user_storage(collection).contains(owner))


def _user(vm: VMLogic, pointer: int) -> PublicKey:
    return PublicKey(fixed(vm, pointer, "user key"))


@fails_into_register
def js_frozen_storage_new(vm: VMLogic, register: int) -> int:
    return created(vm, register, vm.journal.collections.new_frozen_storage())


@fails_into_register
def js_frozen_storage_add(vm: VMLogic, storage_id: int, item: int, register: int) -> int:
    collection, content = collection_id(vm, storage_id), vm.memory.read(item)
    return value(vm, register, vm.journal.collections.frozen_storage(collection).insert(content))


@fails_into_register
def js_frozen_storage_get(vm: VMLogic, storage_id: int, digest: int, register: int) -> int:
    collection, key = collection_id(vm, storage_id), Hash(fixed(vm, digest, "hash"))
    return optional(vm, register, vm.journal.collections.frozen_storage(collection).get(key))


@fails
def js_frozen_storage_contains(vm: VMLogic, storage_id: int, digest: int) -> int:
    collection, key = collection_id(vm, storage_id), Hash(fixed(vm, digest, "hash"))
    return int(vm.journal.collections.frozen_storage(collection).contains(key))
