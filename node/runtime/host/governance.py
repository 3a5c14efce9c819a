"""Proposals and approvals for the context's proxy contract; queued, and parsed after the call.

Source: core 0.10.0: crates/runtime/src/logic/host_functions/governance.rs.
"""

from __future__ import annotations

from node.primitives import ID_LENGTH, Hash
from node.runtime import faults
from node.runtime.limits import MAX_PROPOSALS
from node.runtime.logic import VMLogic


def send_proposal(vm: VMLogic, actions: int, target: int) -> None:
    content = vm.memory.read(actions)
    address, length = vm.memory.descriptor(target)
    vm.memory.require(address + length)
    if length != ID_LENGTH:
        raise faults.host_panic(
            "copy_from_slice: source slice length (32) does not match destination slice length "
            f"({length}); a proposal id takes a buffer of 32 bytes"
        )
    if len(vm.proposals) >= MAX_PROPOSALS:
        raise faults.too_much("number of proposals", MAX_PROPOSALS)
    proposal = Hash(vm.call.random_bytes(ID_LENGTH))
    vm.memory.write(address, proposal)
    vm.proposals[proposal] = content


def approve_proposal(vm: VMLogic, proposal: int) -> None:
    if len(vm.approvals) >= MAX_PROPOSALS:
        raise faults.too_much("number of approvals", MAX_PROPOSALS)
    vm.approvals.append(Hash(vm.memory.read_fixed(proposal, ID_LENGTH)))
