"""What a walk remembers of deltas that came parents first."""

from __future__ import annotations

import hashlib

from node.primitives import DeltaId, Hash
from node.sync.deltas import Walk
from node.sync.ports import OpenDelta


def _id(number: int) -> DeltaId:
    return DeltaId(hashlib.sha256(b"%d" % number).digest())


def _delta(number: int, *parents: int) -> OpenDelta:
    return OpenDelta(_id(number), tuple(_id(parent) for parent in parents), bytes(24), Hash(bytes(32)), b"")


def test_the_ends_are_what_no_other_delta_names_as_its_parent() -> None:
    walk = Walk()
    assert walk.pass_by([_delta(1, 0), _delta(2, 1), _delta(3, 1)])
    assert list(walk.ends) == [_id(2), _id(3)]
    assert walk.pass_by([_delta(4, 2, 3)])
    assert list(walk.ends) == [_id(4)]


def test_a_peer_that_repeats_itself_brings_nothing_new() -> None:
    walk = Walk()
    walk.pass_by([_delta(1, 0), _delta(2, 1)])
    assert not walk.pass_by([_delta(1, 0), _delta(2, 1)])
    assert not walk.pass_by([])
