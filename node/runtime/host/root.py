"""Commit: how a guest that holds its own storage engine (the Rust SDK) declares the new root and its actions.

Source: core 0.10.0: crates/runtime/src/logic/host_functions/system.rs.
"""

from __future__ import annotations

from node.primitives import ID_LENGTH, Hash
from node.runtime import faults
from node.runtime.limits import MAX_ARTIFACT
from node.runtime.logic import VMLogic


def commit(vm: VMLogic, root_hash: int, artifact: int) -> None:
    root_at, artifact_at = vm.memory.descriptor(root_hash), vm.memory.descriptor(artifact)
    if root_at[1] != ID_LENGTH or vm.committed:
        raise faults.invalid_memory_access()
    if artifact_at[1] > MAX_ARTIFACT:
        raise faults.too_much("bytes of the artifact", MAX_ARTIFACT)
    root = Hash(vm.memory.slice(*root_at))
    vm.artifact = vm.memory.slice(*artifact_at)
    vm.root_hash = root
    vm.committed = True
