from __future__ import annotations

import pytest

from node.errors import HostError
from node.runtime.limits import MAX_ARTIFACT
from tests.node.runtime.machine import Machine

ROOT = b"r" * 32


def test_a_commit_sets_root_and_artifact() -> None:
    machine = Machine()
    machine.call("commit", machine.buffer(ROOT), machine.buffer(b"delta"))
    outcome = machine.finish()
    assert (outcome.root_hash, outcome.artifact) == (ROOT, b"delta")


@pytest.mark.parametrize("length", [0, 31, 33])
def test_the_root_hash_has_32_bytes(length: int) -> None:
    machine = Machine()
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("commit", machine.buffer(bytes(length)), machine.buffer(b""))
    assert machine.finish().root_hash is None


def test_a_second_commit_is_refused() -> None:
    machine = Machine()
    machine.call("commit", machine.buffer(ROOT), machine.buffer(b""))
    with pytest.raises(HostError, match="invalid memory access"):
        machine.call("commit", machine.buffer(ROOT), machine.buffer(b""))


def test_the_artifact_at_its_edge() -> None:
    machine = Machine(size=MAX_ARTIFACT + 4096)
    with pytest.raises(HostError, match="bytes of the artifact exceeds"):
        machine.call("commit", machine.buffer(ROOT), machine.raw_buffer(0, MAX_ARTIFACT + 1))
    machine.call("commit", machine.buffer(ROOT), machine.raw_buffer(0, MAX_ARTIFACT))
    assert len(machine.finish().artifact) == MAX_ARTIFACT
