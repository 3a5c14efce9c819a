"""Questions about the context's members and aliases, and changes that are queued for after the call.

During ``init`` there is no context yet: nobody is a member. Source: core 0.10.0: .../host_functions/context.rs.
"""

from __future__ import annotations

from node.primitives import ID_LENGTH, PublicKey
from node.runtime import faults
from node.runtime.call import ContextMutation
from node.runtime.limits import MAX_ALIAS, MAX_MUTATIONS
from node.runtime.logic import VMLogic


def context_is_member(vm: VMLogic, public_key: int) -> int:
    identity = PublicKey(vm.memory.read_fixed(public_key, ID_LENGTH))
    return int(vm.call.services is not None and vm.call.services.is_member(identity))


def context_members(vm: VMLogic, register: int) -> None:
    members = sorted(vm.call.services.members()) if vm.call.services is not None else []
    vm.registers.set(register, len(members).to_bytes(4, "little") + b"".join(members))


def context_resolve_alias(vm: VMLogic, alias: int, register: int) -> int:
    name = vm.memory.text(*vm.memory.descriptor(alias))
    if vm.call.services is None:
        raise faults.no_node_client()
    _check_alias(name)
    identity = vm.call.services.resolve_alias(name)
    if identity is None:
        return 0
    vm.registers.set(register, identity)
    return 1


def context_create(vm: VMLogic, protocol: int, application: int, args: int, alias: int) -> None:
    where = [vm.memory.descriptor(pointer) for pointer in (protocol, application, args)]
    params = {"protocol": vm.memory.text(*where[0]).encode()}
    if where[1][1] != ID_LENGTH:
        raise faults.invalid_memory_access()
    target = vm.memory.slice(*where[1])
    params["init_args"] = vm.memory.slice(*where[2])
    name = _optional_text(vm, alias)
    if name is not None:
        _check_new_alias(vm, name)
        params["alias"] = name.encode()
    _queue(vm, ContextMutation("context_create", target, params))


def context_delete(vm: VMLogic, context: int) -> None:
    _queue(vm, ContextMutation("context_delete", vm.memory.read_fixed(context, ID_LENGTH)))


def context_add_member(vm: VMLogic, public_key: int) -> None:
    _queue(vm, ContextMutation("context_add_member", vm.memory.read_fixed(public_key, ID_LENGTH)))


def context_remove_member(vm: VMLogic, public_key: int) -> None:
    _queue(vm, ContextMutation("context_remove_member", vm.memory.read_fixed(public_key, ID_LENGTH)))


def _queue(vm: VMLogic, mutation: ContextMutation) -> None:
    if len(vm.mutations) >= MAX_MUTATIONS:
        raise faults.too_much("number of context mutations", MAX_MUTATIONS)
    vm.mutations.append(mutation)


def _optional_text(vm: VMLogic, pointer: int) -> str | None:
    if pointer == 0:
        return None
    address, length = vm.memory.descriptor(pointer)
    return vm.memory.text(address, length) if length else None


def _check_alias(name: str) -> None:
    length = len(name.encode())
    if length > MAX_ALIAS:
        raise faults.alias_too_long(length)


def _check_new_alias(vm: VMLogic, name: str) -> None:
    if vm.call.services is None:
        return
    _check_alias(name)
    if vm.call.services.has_alias(name):
        raise faults.alias_exists(name)
