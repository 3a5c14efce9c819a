from __future__ import annotations

import pytest

from node.errors import HostError
from node.runtime.call import Proposal
from node.runtime.limits import MAX_PROPOSALS
from tests.node.runtime.machine import Machine


def test_proposals_come_in_the_order_of_their_ids_and_before_approvals() -> None:
    machine = Machine(seed=254)
    target = machine.room(32)
    machine.call("approve_proposal", machine.buffer(b"a" * 32))
    machine.call("send_proposal", machine.buffer(b"first"), target)
    assert machine.seen(target) == b"\xff" * 32
    machine.call("send_proposal", machine.buffer(b"second"), target)
    proposals = machine.finish().proposals
    assert [(p.id[:1], p.actions, p.approval) for p in proposals] == [
        (b"\0", b"second", False),
        (b"\xff", b"first", False),
        (b"a", b"", True),
    ]
    assert all(isinstance(p, Proposal) for p in proposals)


def test_sizes() -> None:
    machine = Machine()
    for length in (31, 33):
        with pytest.raises(HostError, match=rf"^host panicked: copy_from_slice: .*\({length}\)"):
            machine.call("send_proposal", machine.buffer(b""), machine.room(length))
        with pytest.raises(HostError, match="invalid memory access"):
            machine.call("approve_proposal", machine.room(length))


def test_the_numbers_at_their_edges() -> None:
    machine = Machine()
    actions, target, proposal = machine.buffer(b""), machine.room(32), machine.buffer(b"p" * 32)
    for _ in range(MAX_PROPOSALS):
        machine.call("send_proposal", actions, target)
        machine.call("approve_proposal", proposal)
    with pytest.raises(HostError, match="number of proposals exceeds"):
        machine.call("send_proposal", actions, target)
    with pytest.raises(HostError, match="number of approvals exceeds"):
        machine.call("approve_proposal", proposal)
