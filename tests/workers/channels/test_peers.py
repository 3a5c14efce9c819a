"""Names of workers and owners of contexts."""

from __future__ import annotations

import pytest

from node.errors import WorkerError
from node.primitives import ZERO_CONTEXT, ContextId
from workers.channels.peers import NODE_ROWS, Owners, parse_peer, peer_name


def test_names_round_trip() -> None:
    for role, index in (("runtime", 0), ("runtime", 3), ("sync", 0)):
        assert parse_peer(peer_name(role, index)) == (role, index)
    assert peer_name("runtime", 2) == "runtime[2]"
    assert peer_name("sync") == "sync"
    with pytest.raises(WorkerError, match="'Runtime' is no name"):
        parse_peer("Runtime")


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_every_context_has_one_owner_and_node_rows_are_with_the_first(count: int) -> None:
    owners = Owners(count)
    assert owners.of(ZERO_CONTEXT) == NODE_ROWS
    assert {owners.of(ContextId(bytes(31) + bytes([byte]))) for byte in range(256)} == set(owners.all())
